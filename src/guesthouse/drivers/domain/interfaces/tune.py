"""Limits of a network card's rate, and which card a call means: `domiftune`.

Names, types and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetInterfaceParameters
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.interfaces.wiring import connected
from guesthouse.drivers.domain.typed import UINT, Param
from guesthouse.errors import (
    Code,
    InvalidArgumentError,
    LibvirtError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.host import tc
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.interface import TAP_TYPES, Interface
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Inbound, Outbound, Rate

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: The parameters in libvirt's order: direction and field.
_FIELDS: Final = (
    ("inbound", "average"),
    ("inbound", "peak"),
    ("inbound", "burst"),
    ("inbound", "floor"),
    ("outbound", "average"),
    ("outbound", "peak"),
    ("outbound", "burst"),
)
TYPES: Final = {f"{direction}.{name}": UINT for direction, name in _FIELDS}
#: The parameters with which a direction counts as given.
_GIVEN: Final = {"inbound": ("inbound.average", "inbound.floor"), "outbound": ("outbound.average",)}


def find(domain: Domain, device: str) -> Interface:
    """The card with this MAC address or device on the host. Raises `InvalidArgumentError`."""
    mac = _mac(device)
    for interface in domain.devices.interfaces:
        if mac is not None and interface.mac is not None and interface.mac.address == mac:
            return interface
        if mac is None and device and interface.host_device == device:
            return interface
    raise InvalidArgumentError(f"'{device}' is not a known interface", domain=Origin.DOMAIN)


def _mac(text: str) -> str | None:
    """A MAC address in its usual form; its parts may lack a zero in front. None for what is none."""
    parts = text.split(":")
    if len(parts) != 6 or not all(part and len(part) <= 2 for part in parts):
        return None
    try:
        return ":".join(f"{int(part, 16):02x}" for part in parts)
    except ValueError:
        return None


def read(guest: Guest, device: str, impact: int) -> list[Param]:
    """All parameters; 0 for no limit."""
    interface = find(metadata.one_definition(guest, impact), device)
    bandwidth = interface.bandwidth or new(Bandwidth)
    return [
        (f"{direction}.{name}", UINT, getattr(getattr(bandwidth, direction), name, None) or 0)
        for direction, name in _FIELDS
    ]


async def set_(driver: Guests, guest: Guest, device: str, values: dict[str, int], impact: int) -> None:
    """Limit a card's rate, all or nothing. A direction whose average is 0 has no limit any more.

    Raises `InvalidArgumentError`, `UnsupportedConfigError`, `OperationUnsupportedError` for a guaranteed rate, error 82
    for values that are too big, and what `tc` says.
    """
    async with changing(driver, guest, impact) as change:
        cards = [find(domain, device) for domain in change.domains]
        for card in cards:
            if card.type not in TAP_TYPES:
                raise UnsupportedConfigError(
                    f"setting bandwidth on interfaces of type '{card.type}' is not implemented yet"
                )
            if values.get("inbound.floor") and card.type != "network":
                raise OperationUnsupportedError(
                    f"Invalid use of 'floor' on interface with MAC address {card.mac_text} - 'floor' is only supported "
                    "for interface type 'network' with forward type 'nat', 'route', 'open' or none"
                )
        wanted = [merged(card.bandwidth, values) for card in cards]
        for bandwidth in wanted:
            if bandwidth is not None:
                bandwidth.check()
        if change.live is not None:
            await _limit_place(driver, cards[0], wanted[0])
            await limit(cards[0], wanted[0])
        for card, bandwidth in zip(cards, wanted, strict=True):
            card.bandwidth = bandwidth


async def _limit_place(driver: Guests, card: Interface, wanted: Bandwidth | None) -> None:
    """A network guarantees rates by itself, where the card is on one."""
    source = card.source
    if source is not None and source.network is not None and source.portid is not None:
        await driver.networks.limit(source.network, source.portid, wanted)


def merged(before: Bandwidth | None, values: dict[str, int]) -> Bandwidth | None:
    """The limits after a change: of a direction that is given nothing of the former ones stays."""
    inbound = before.inbound if before is not None else None
    outbound = before.outbound if before is not None else None
    if any(name in values for name in _GIVEN["inbound"]):
        inbound = new(Inbound)
        _fill(inbound, "inbound", values)
        inbound = inbound if inbound.average or inbound.floor else None
    if any(name in values for name in _GIVEN["outbound"]):
        outbound = new(Outbound)
        _fill(outbound, "outbound", values)
        outbound = outbound if outbound.average else None
    return new(Bandwidth, inbound=inbound, outbound=outbound) if inbound or outbound else None


def _fill(rate: Rate, direction: str, values: dict[str, int]) -> None:
    for owner, name in _FIELDS:
        if owner == direction:
            setattr(rate, name, values.get(f"{direction}.{name}") or None)


async def limit(card: Interface, bandwidth: Bandwidth | None) -> None:
    """Set the limits of a running guest's card; those that it had come back where that fails."""
    device = card.host_device
    if device is None:
        raise OperationUnsupportedError("Unable to set bandwidth for interface because device name is unknown")
    before = card.bandwidth
    try:
        card.bandwidth = bandwidth
        await tc.limit(device, *connected(card).limits)
    except LibvirtError as error:
        card.bandwidth = before
        await tc.limit(device, *connected(card).limits)
        raise LibvirtError(error.detail, code=Code.INTERNAL_ERROR, domain=Origin.NONE) from error
    card.bandwidth = before
