"""How virtio devices without an address are attached where that is not PCI: by channel (CCW), or in memory (MMIO).

Runs before PCI addresses are handed out: what has a place here needs none there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from guesthouse.errors import InternalError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import Address, CcwAddress, MmioAddress
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.machines import CCW, MMIO, VIRT, MachineFamily

#: The fields of `Devices` in the order in which libvirt gives their devices numbers in the channel subsystem.
_ORDER: Final = (
    "disks",
    "interfaces",
    "sounds",
    "hostdevs",
    "videos",
    "controllers",
    "smartcards",
    "serials",
    "parallels",
    "channels",
    "consoles",
    "inputs",
    "filesystems",
    "watchdogs",
    "memballoon",
    "rngs",
    "nvram",
    "hubs",
    "shmems",
    "tpms",
    "panics",
    "memories",
    "redirdevs",
    "iommu",
    "vsock",
    "cryptos",
    "pstore",
)

#: Virtual channel subsystem of virtio devices, and how many devices one subchannel set has.
_VIRTIO_SUBSYSTEM: Final = 0xFE
_SETS: Final = 4
_SET_SIZE: Final = 0x10000


def assign(domain: Domain, ctx: DeviceContext, family: MachineFamily) -> None:
    """Attach the virtio devices that have no address, unless they go on PCI.

    Raises `XmlError` for a channel device number that is given twice.
    """
    if family.transport == CCW:
        _assign_ccw(domain, ctx)
    elif family.transport == MMIO or (family is VIRT and _has_mmio(domain)):
        for device in _waiting(domain, ctx, "virtio"):
            device.address = new(MmioAddress)  # type: ignore[attr-defined] # what has a bus has an address


def _address(device: Device) -> Address | None:
    return cast(Address | None, getattr(device, "address", None))


def _has_mmio(domain: Domain) -> bool:
    """Whoever attaches one device in memory is taken to want all of them there."""
    return any(isinstance(_address(device), MmioAddress) for device in domain.devices.all())


def in_order(domain: Domain) -> Iterator[Device]:
    """All devices, in the order in which libvirt looks at their addresses."""
    known = domain.devices.field_names()
    for name in _ORDER:
        if name in known:
            yield from domain.devices.of(name)


def _waiting(domain: Domain, ctx: DeviceContext, *buses: str) -> Iterator[Device]:
    for device in in_order(domain):
        if _address(device) is None and device.connection(ctx).bus in buses:
            yield device


def _assign_ccw(domain: Domain, ctx: DeviceContext) -> None:
    for device in _waiting(domain, ctx, "virtio", "ccw"):
        device.address = new(CcwAddress)  # type: ignore[attr-defined] # what has a bus has an address
    taken: set[tuple[int | None, int | None, int | None]] = set()
    waiting: list[CcwAddress] = []
    for device in in_order(domain):
        address = _address(device)
        if not isinstance(address, CcwAddress):
            continue
        if not address.assigned:
            waiting.append(address)
            continue
        place = (address.cssid, address.ssid, address.devno)
        if place in taken:
            raise XmlError(f"The CCW devno '{address.cssid:x}.{address.ssid:x}.{address.devno:04x}' is in use already")
        taken.add(place)
    places = ((_VIRTIO_SUBSYSTEM, number // _SET_SIZE, number % _SET_SIZE) for number in range(_SETS * _SET_SIZE))
    for address in waiting:
        free = next((place for place in places if place not in taken), None)
        if free is None:
            raise InternalError("There are no more free CCW devnos.")
        address.cssid, address.ssid, address.devno = free
