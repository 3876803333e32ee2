"""A virtual network as a document: XML in, XML out.

Format: https://libvirt.org/formatnetwork.html
"""

from __future__ import annotations

import uuid as _uuid
from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.binding import Reading, Style, clone, new, read, write
from guesthouse.model.network.checks import check
from guesthouse.model.network.definition import Bridge, Network
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xml_extension import Extension
from guesthouse.model.xmltext import Lines, parse_document

#: Lines for dnsmasq's configuration.
DNSMASQ: Final = Extension(
    "dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0", "options", ("value",), first=True
)


def parse_network(xml: str, *, validate: bool = False) -> Network:
    """The network that `xml` defines, with a UUID and libvirt's defaults; a bridge's name may be left open.

    Raises `LibvirtError` with libvirt's codes, as `parse_domain` does.
    """
    with noticed_by(Origin.XML):
        node = parse_document(xml, "network", "network_definition")
    with noticed_by(Origin.NETWORK):
        return read_network(node, Reading(validate=validate))


def read_network(node: etree._Element, reading: Reading) -> Network:
    """As `parse_network`, for an element of another document, such as a status file."""
    if not (node.findtext("name") or "").strip():
        raise LibvirtError("", code=Code.NO_NAME, domain=Origin.NETWORK)
    options = DNSMASQ.take(node, reading)
    network = read(Network, node, reading)
    network.options = tuple(value for (value,) in options)
    check(network)
    _complete(network)
    return network


def _complete(network: Network) -> None:
    network.uuid = network.uuid or str(_uuid.uuid4())
    network.ipv6 = network.ipv6 or None
    network.mtu = network.mtu or None
    if network.bridged:
        bridge = network.bridge = network.bridge or new(Bridge)
        bridge.stp = bridge.stp is not False
        bridge.delay = bridge.delay or 0
    elif network.bridge is not None:
        network.bridge.delay = None
        if network.bridge.name is None and network.bridge.mac_table_manager is None:
            network.bridge = None


def format_network(network: Network, *, live: bool = False) -> str:
    """The network as libvirt writes it; `live` adds what only an active one has."""
    forward = network.forward
    if not live and forward is not None and forward.pf is not None and forward.interfaces:
        # The functions of a card are found when the network starts.
        network = clone(network)
        forward = network.forward
        if forward is not None:
            forward.interfaces = []
    if not network.connections:
        network = clone(network)
        network.connections = None
    lines = Lines()
    write(network, lines, Style(live=live))
    DNSMASQ.add(tuple((value,) for value in network.options), lines)
    return lines.text()
