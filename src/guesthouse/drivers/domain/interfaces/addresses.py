"""The addresses of a guest's cards as the host knows them: lent by a network's server, or seen among its neighbours.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainInterfaceAddresses; arp(7).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.errors import LibvirtError
from guesthouse.model.domain.definition import Domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_NEIGHBOURS: Final = Path("/proc/net/arp")
_ADDRESS, _FLAGS, _MAC = 0, 2, 3
#: Of a neighbour's flags: its address is known.
_COMPLETE: Final = 0x2


@dataclass(frozen=True, slots=True)
class CardAddresses:
    """A card's name on the host, its MAC address, and its IP addresses with their prefixes."""

    name: str
    mac: str
    addresses: tuple[tuple[str, int], ...]


async def lent(driver: Guests, live: Domain) -> list[CardAddresses]:
    """What the servers of virtual networks have lent to the cards; cards without an address are left out."""
    found = []
    for card in live.devices.interfaces:
        network = card.source.network if card.source is not None else None
        if network is None:
            continue
        try:
            leases = await driver.networks.leases(network, card.mac_text)
        except LibvirtError:
            continue  # the network has gone meanwhile
        if leases:
            addresses = tuple((lease.address, lease.prefix) for lease in leases)
            found.append(CardAddresses(card.host_device or "", card.mac_text, addresses))
    return found


def seen(live: Domain, table: Path = _NEIGHBOURS) -> list[CardAddresses]:
    """The IPv4 addresses from which the host has heard the cards; those that it has not are left out. Blocks."""
    neighbours: dict[str, str] = {}
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > _MAC and int(fields[_FLAGS], 16) & _COMPLETE:
            neighbours[fields[_MAC].lower()] = fields[_ADDRESS]
    return [
        CardAddresses(card.host_device or "", card.mac_text, ((neighbours[card.mac_text.lower()], 0),))
        for card in live.devices.interfaces
        if card.mac_text.lower() in neighbours
    ]
