"""A network card of the host that a guest has for itself, seen as any other such device."""

from __future__ import annotations

from guesthouse.errors import InternalError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.hostdev_pci import HostDriver, HostPciAddress, HostPciSource, PciHostdev
from guesthouse.model.domain.devices.interface.card import Interface


def as_hostdev(interface: Interface) -> PciHostdev:
    """The card as any device of the host. Raises `InternalError` for an interface that is none."""
    source = interface.source
    place = source.host_address if source is not None else None
    if source is None or place is None:
        raise InternalError(f"interface '{interface.mac_text}' is no card of the host")
    address = new(
        HostPciAddress, domain=place.domain or 0, bus=place.bus or 0, slot=place.slot or 0, function=place.function or 0
    )
    chosen = interface.assignment
    return new(
        PciHostdev,
        type="pci",
        managed=bool(interface.managed),
        driver=new(HostDriver, name=chosen.name, model=chosen.model) if chosen is not None else None,
        source=new(HostPciSource, address=address, taken=source.taken),
        alias=interface.alias,
    )
