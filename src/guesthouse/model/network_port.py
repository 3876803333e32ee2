"""A guest's connection to a virtual network: `<networkport>`.

Format: https://libvirt.org/formatnetworkport.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InternalError, Origin
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    choice,
    default,
    element,
    leaf,
    must,
    one,
    opt,
    opt_leaf,
    read,
    write,
)
from guesthouse.model.domain.devices.hostdev_pci import HostPciAddress
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.kinds import MAC, TEXT, UINT, UUID, YES_NO, one_of
from guesthouse.model.network.forward import ForwardDriver
from guesthouse.model.noticed import noticed_by
from guesthouse.model.owner import Owner
from guesthouse.model.xmltext import Lines, parse_document

_NEEDED: Final = (
    ("uuid", "network port has no uuid"),
    ("owner/name", "network port has no owner name"),
    ("owner/uuid", "network port has no owner UUID"),
    ("mac", "network port has no mac"),
)


class Plug:
    """How the card is plugged in."""

    __slots__ = ()

    type: str


@element("plug")
class BridgePlug(Plug):
    """Into a bridge; type `network` is the network's own."""

    type: str = default(one_of("network", "bridge"), "bridge")
    bridge: str = attr(TEXT)
    mac_table_manager: str | None = opt(one_of("kernel", "libvirt"), "macTableManager")


@element("plug")
class DirectPlug(Plug):
    """Into a device of the host, by a macvtap."""

    type: str = default(one_of("direct"), "direct")
    dev: str = attr(TEXT)
    mode: str = default(one_of("vepa", "private", "bridge", "passthrough"), "vepa")


@element("plug")
class PciPlug(Plug):
    """The card is a device of the host."""

    type: str = default(one_of("hostdev-pci"), "hostdev-pci")
    managed: bool | None = opt(YES_NO)
    driver: ForwardDriver | None = one(ForwardDriver)
    address: HostPciAddress = must(HostPciAddress)


PLUGS: Final[dict[str, type[Plug]]] = {
    "network": BridgePlug, "bridge": BridgePlug, "direct": DirectPlug, "hostdev-pci": PciPlug,
}  # fmt: skip


@element("bandwidth", omit_empty=True)
class PortBandwidth(Bandwidth):
    """The limits, and the traffic class that holds the guaranteed rate."""

    class_id: int | None = opt(UINT, "classID")


@element("networkport")
class NetworkPort:
    """A port. `group` is the network's port group; None of `plug` is not connected."""

    uuid: str = leaf(UUID)
    owner: Owner = must(Owner)
    group: str | None = opt_leaf(TEXT)
    mac: str = attr(MAC, "address", within="mac")
    virtual_port: VirtualPort | None = one(VirtualPort)
    bandwidth: PortBandwidth | None = one(PortBandwidth)
    vlan: Vlan | None = one(Vlan)
    isolated: bool | None = opt(YES_NO, "isolated", within="port")
    trust_guest_rx_filters: bool | None = opt(YES_NO, "trustGuest", within="rxfilters")
    plug: Plug | None = choice("type", PLUGS)


def parse_network_port(xml: str, *, validate: bool = False) -> NetworkPort:
    """The port that `xml` describes. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    with noticed_by(Origin.NETWORK):
        node = parse_document(xml, "networkport", "networkport_definition")
        for path, text in _NEEDED:
            if node.find(path) is None:
                raise InternalError(text, domain=Origin.NETWORK)
        return read(NetworkPort, node, Reading(validate=validate))


def format_network_port(port: NetworkPort) -> str:
    """The port as libvirt writes it."""
    lines = Lines()
    write(port, lines, Style())
    return lines.text()
