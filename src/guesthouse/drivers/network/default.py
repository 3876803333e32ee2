"""The network `default`, which every host has from the first start on: defined, and stopped until it is asked for.

It is defined where there is no directory of networks yet, so that it does not come back for who has undefined it.

Source: the guide, 6.1.2; libvirt's own `default.xml` for its addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from guesthouse.drivers.network.bridge_device import routes
from guesthouse.model.binding import new
from guesthouse.model.network.addresses import NetworkIp
from guesthouse.model.network.definition import Bridge, Network
from guesthouse.model.network.dhcp import Dhcp, DhcpRange
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.model.network.forward import Forward

NAME: Final = "default"
_BRIDGE: Final = "virbr0"
#: The third part of the addresses: the first of these that the host is not in.
_PARTS: Final = range(122, 255)


def definition(taken: Iterable[str] | None = None) -> Network:
    """The network. `taken` are the networks that the host has routes to; None reads them."""
    used = [ipaddress.ip_network(one) for one in (taken if taken is not None else [found for _, found in routes()])]
    part = next((number for number in _PARTS if not _overlaps(f"192.168.{number}.0/24", used)), _PARTS[0])
    address = f"192.168.{part}."
    served = new(Dhcp, ranges=[new(DhcpRange, start=f"{address}2", end=f"{address}254")])
    network = new(
        Network,
        name=NAME,
        forward=new(Forward),
        bridge=new(Bridge, name=_BRIDGE),
        ips=[new(NetworkIp, address=f"{address}1", netmask="255.255.255.0", dhcp=served)],
    )
    return parse_network(format_network(network))


def _overlaps(network: str, used: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    wanted = ipaddress.IPv4Network(network)
    return any(isinstance(one, ipaddress.IPv4Network) and one.prefixlen and one.overlaps(wanted) for one in used)
