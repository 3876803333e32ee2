"""Who has which address: the leases of a network's DHCP server.

Source: https://libvirt.org/html/libvirt-libvirt-network.html#virNetworkGetDHCPLeases; texts are libvirt's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guesthouse.drivers.network.lease_script import Lease as Entry
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.kinds import MAC
from guesthouse.model.network.definition import Network

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver


@dataclass(frozen=True, slots=True)
class Lease:
    """An address that is lent. `expiry` is in seconds since the epoch, 0 for ever."""

    bridge: str
    expiry: int
    mac: str
    address: str
    prefix: int
    name: str | None = None
    iaid: str | None = None
    client: str | None = None

    @property
    def ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.address


async def of(driver: NetworkDriver, network: VirtualNetwork, mac: str | None = None) -> list[Lease]:
    """The leases that have not run out; of one card, or of all. Raises error 44 for what is no MAC address."""
    wanted = _checked(mac) if mac is not None else None
    current = network.current
    bridge = current.bridge.name if current.bridge is not None else None
    if bridge is None:
        return []
    entries = await driver.in_thread(driver.dnsmasq.leases, bridge)
    return [one for one in _valid(entries, bridge, current) if wanted in (None, one.mac.lower())]


def _checked(mac: str) -> str:
    try:
        return MAC.parse(mac).lower()
    except (LibvirtError, ValueError):
        raise LibvirtError(mac, code=Code.INVALID_MAC, domain=Origin.NETWORK) from None


def _valid(entries: Iterable[Entry], bridge: str, network: Network) -> Iterator[Lease]:
    now = int(time.time())
    for entry in entries:
        expiry, address = int(entry["expiry-time"]), str(entry["ip-address"])
        if 0 < expiry < now:
            continue
        ipv6 = ":" in address
        prefix = next((ip.bits for ip in network.ips if ip.ipv6 is ipv6), 0)
        name, iaid, client = (_text(entry, key) for key in ("hostname", "iaid", "client-id"))
        yield Lease(bridge, expiry, str(entry["mac-address"]), address, prefix, name, iaid, client)


def _text(entry: Entry, key: str) -> str | None:
    return str(entry[key]) if key in entry else None
