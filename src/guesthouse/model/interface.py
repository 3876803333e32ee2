"""A network interface of the host, as it is configured: `<interface>`.

Format: libvirt's schema `interface.rng` (https://libvirt.org/format.html). A bridge or a bond has other interfaces
inside, which have neither addresses nor a start mode of their own.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Origin, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    choices,
    default,
    element,
    flag,
    many,
    must,
    one,
    opt,
    read,
    write,
)
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import MAC, ON_OFF, TEXT, UINT, YES_NO, integer, matching, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document

_STATES: Final = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
_BOND_MODES: Final = (
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
)  # fmt: skip


@element("link")
class Link:
    """The state of the cable, and its speed in Mbit a second."""

    speed: int | None = opt(UINT)
    state: str | None = opt(one_of(*_STATES))


@element("dhcp")
class DhcpClient:
    """Addresses come from a server; `peer_dns` says whether its name servers are taken too."""

    peer_dns: bool | None = opt(YES_NO, "peerdns")


@element("ip")
class HostIp:
    """An address."""

    address: str = attr(IP)
    prefix: int | None = opt(integer(0, 128))

    def parsed(self) -> None:
        """A prefix of 0 is none."""
        self.prefix = self.prefix or None


@element("protocol", two_lines=True)
class HostProtocol:
    """The addresses of one family."""

    family: str = attr(one_of("ipv4", "ipv6"))
    autoconf: bool = flag()
    dhcp: DhcpClient | None = one(DhcpClient)
    ips: list[HostIp] = many(HostIp)
    gateway: str | None = opt(IP, within="route")

    def parsed(self) -> None:
        """All addresses are of the family."""
        for address in (*(ip.address for ip in self.ips), *([self.gateway] if self.gateway is not None else [])):
            if (":" in address) != (self.family == "ipv6"):
                raise XmlError(f"address '{address}' is not of family '{self.family}'")
        if self.autoconf and self.family == "ipv4":
            raise XmlError("element 'autoconf' belongs to family 'ipv6'")


class Interface:
    """What all types share."""

    __slots__ = ()

    type: str


@element("interface")
class TaggedDevice:
    """The device under a VLAN."""

    name: str = attr(TEXT)


@element("vlan")
class VlanTag:
    """A VLAN, and the device that it is on."""

    tag: int = attr(integer(0, 4095))
    device: TaggedDevice = must(TaggedDevice)


@element("miimon")
class MiiMonitor:
    """Links are watched by their carrier. Times are in milliseconds; a delay of 0 is none."""

    freq: int = attr(UINT)
    downdelay: int | None = opt(UINT)
    updelay: int | None = opt(UINT)
    carrier: str | None = opt(one_of("ioctl", "netif"))

    def parsed(self) -> None:
        """Leave out zeros."""
        self.downdelay = self.downdelay or None
        self.updelay = self.updelay or None


@element("arpmon")
class ArpMonitor:
    """Links are watched by ARP requests to the target, every `interval` milliseconds."""

    interval: int = attr(UINT)
    target: str = attr(IP)
    validate: str | None = opt(one_of("none", "active", "backup", "all"))


@element("interface", two_lines=True)
class InnerEthernet(Interface):
    """A card in a bridge or a bond."""

    type: str = default(one_of("ethernet"), "ethernet")
    name: str = attr(TEXT)
    link: Link | None = one(Link)
    mac: str | None = opt(MAC, "address", within="mac")


@element("bond", two_lines=True)
class Bond:
    """Cards that act as one; the first is the primary one."""

    mode: str | None = opt(one_of(*_BOND_MODES))
    mii: MiiMonitor | None = one(MiiMonitor)
    arp: ArpMonitor | None = one(ArpMonitor)
    interfaces: list[Interface] = choices("type", {"ethernet": InnerEthernet})

    def parsed(self) -> None:
        """Links are watched in one way."""
        if self.mii is not None and self.arp is not None:
            raise XmlError("element 'bond' takes one of 'miimon' and 'arpmon'")
        if not self.interfaces:
            raise XmlError("bond has no interfaces")


@element("interface", two_lines=True)
class InnerBond(Interface):
    """A bond in a bridge."""

    type: str = default(one_of("bond"), "bond")
    name: str = attr(TEXT)
    link: Link | None = one(Link)
    bond: Bond = must(Bond)


@element("interface", two_lines=True)
class InnerVlan(Interface):
    """A VLAN in a bridge."""

    type: str = default(one_of("vlan"), "vlan")
    name: str | None = opt(TEXT)
    link: Link | None = one(Link)
    vlan: VlanTag = must(VlanTag)


@element("bridge", two_lines=True)
class HostBridge:
    """A bridge, with the interfaces in it; the delay of its spanning tree is in seconds."""

    stp: bool | None = opt(ON_OFF)
    delay: str | None = opt(matching(r"[0-9]+(\.[0-9]+)?", "a time in seconds"))
    interfaces: list[Interface] = choices("type", {"ethernet": InnerEthernet, "vlan": InnerVlan, "bond": InnerBond})


@element("interface", two_lines=True)
class Ethernet(Interface):
    """A card."""

    type: str = default(one_of("ethernet"), "ethernet")
    name: str = attr(TEXT)
    start: str | None = opt(one_of("none", "onboot", "hotplug"), "mode", within="start")
    mtu: int | None = opt(UINT, "size", within="mtu")
    protocols: list[HostProtocol] = many(HostProtocol)
    link: Link | None = one(Link)
    mac: str | None = opt(MAC, "address", within="mac")


@element("interface", two_lines=True)
class BridgeInterface(Interface):
    """A bridge."""

    type: str = default(one_of("bridge"), "bridge")
    name: str = attr(TEXT)
    start: str | None = opt(one_of("none", "onboot", "hotplug"), "mode", within="start")
    mtu: int | None = opt(UINT, "size", within="mtu")
    protocols: list[HostProtocol] = many(HostProtocol)
    bridge: HostBridge = must(HostBridge)


@element("interface", two_lines=True)
class BondInterface(Interface):
    """A bond."""

    type: str = default(one_of("bond"), "bond")
    name: str = attr(TEXT)
    start: str | None = opt(one_of("none", "onboot", "hotplug"), "mode", within="start")
    mtu: int | None = opt(UINT, "size", within="mtu")
    protocols: list[HostProtocol] = many(HostProtocol)
    link: Link | None = one(Link)
    bond: Bond = must(Bond)


@element("interface", two_lines=True)
class VlanInterface(Interface):
    """A VLAN on another interface."""

    type: str = default(one_of("vlan"), "vlan")
    name: str | None = opt(TEXT)
    start: str | None = opt(one_of("none", "onboot", "hotplug"), "mode", within="start")
    mtu: int | None = opt(UINT, "size", within="mtu")
    protocols: list[HostProtocol] = many(HostProtocol)
    link: Link | None = one(Link)
    vlan: VlanTag = must(VlanTag)

    def parsed(self) -> None:
        """Make up the name."""
        self.name = self.name or f"{self.vlan.device.name}.{self.vlan.tag}"


FORMS: Final[dict[str, type[Interface]]] = {
    "ethernet": Ethernet, "bridge": BridgeInterface, "bond": BondInterface, "vlan": VlanInterface,
}  # fmt: skip


def parse_interface(xml: str, *, validate: bool = False) -> Interface:
    """The interface that `xml` defines. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    with noticed_by(Origin.INTERFACE):
        node = parse_document(xml, "interface", "interface_definition")
        kind = node.get("type")
        if kind is None:
            raise XmlError("interface misses the type attribute")
        if kind not in FORMS:
            raise XmlError(f"unknown interface type {kind[:200]}", hint=f"it is one of {', '.join(FORMS)}")
        if node.get("name") is None and kind != "vlan":
            raise XmlError("interface has no name")
        if kind != "bridge":
            # virsh's iface-unbridge makes of a bridge's document that of the card in it, and leaves this behind.
            for left_over in node.findall("bridge"):
                node.remove(left_over)
        return read(FORMS[str(kind)], node, Reading(validate=validate))


def format_interface(interface: Interface) -> str:
    """The interface as libvirt writes it."""
    lines = Lines()
    write(interface, lines, Style())
    return lines.text()
