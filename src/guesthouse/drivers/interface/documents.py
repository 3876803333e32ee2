"""Documents of interfaces from links, and links from documents.

Format: libvirt's schema `interface.rng` (https://libvirt.org/format.html).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from guesthouse.drivers.interface.link import FAMILIES, IPV6, Family, Link, Links, Monitor, ports
from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.interface import (
    ArpMonitor,
    Bond,
    BondInterface,
    BridgeInterface,
    DhcpClient,
    Ethernet,
    HostBridge,
    HostIp,
    HostProtocol,
    InnerBond,
    InnerEthernet,
    InnerVlan,
    Interface,
    MiiMonitor,
    TaggedDevice,
    VlanInterface,
    VlanTag,
)
from guesthouse.model.interface import Link as Cable


@dataclass(frozen=True, slots=True)
class Seen:
    """What a device shows, beside what it is configured as."""

    mac: str | None = None
    cable: Cable | None = None


Sight = dict[str, Seen]

_WHOLE_ADDRESS = {4: 32, 6: 128}


def links_of(interface: Interface) -> list[Link]:
    """The link of a document, and those of what is in it. Raises `UnsupportedConfigError` for what no host can do."""
    if not isinstance(interface, Ethernet | BridgeInterface | BondInterface | VlanInterface):
        raise TypeError(f"{interface!r} is not a whole interface")
    [first, *inner] = _links(interface)
    families = {protocol.family: _family(protocol) for protocol in interface.protocols}
    # Who says nothing of the start bridges a card that works: it is to work after the next boot, too.
    return [replace(first, start=interface.start or "onboot", mtu=interface.mtu, families=families), *inner]


def macs_of(interface: Interface) -> dict[str, str]:
    """The addresses that a document says its cards have, by their names."""
    found = {}
    if isinstance(interface, Ethernet | InnerEthernet) and interface.mac is not None:
        found[interface.name] = interface.mac
    for inner in _inside(interface):
        found |= macs_of(inner)
    return found


def _inside(interface: Interface) -> list[Interface]:
    if isinstance(interface, BridgeInterface):
        return interface.bridge.interfaces
    if isinstance(interface, BondInterface | InnerBond):
        return interface.bond.interfaces
    return []


def _links(interface: Interface, master: str | None = None) -> list[Link]:
    found: list[Link] = []
    name = getattr(interface, "name", None) or ""
    if isinstance(interface, VlanInterface | InnerVlan):
        vlan = interface.vlan
        name = name or f"{vlan.device.name}.{vlan.tag}"
        found.append(Link(name, "vlan", master=master, tag=vlan.tag, device=vlan.device.name))
    elif isinstance(interface, BridgeInterface):
        bridge = interface.bridge
        delay = float(bridge.delay) if bridge.delay is not None else None
        found.append(Link(name, "bridge", stp=bridge.stp, delay=delay))
    elif isinstance(interface, BondInterface | InnerBond):
        bond = interface.bond
        found.append(Link(name, "bond", master=master, mode=bond.mode, monitor=_monitor(bond)))
    else:
        found.append(Link(name, master=master))
    for number, inner in enumerate(_inside(interface)):
        port, *rest = _links(inner, name)
        in_bond = isinstance(interface, BondInterface | InnerBond)
        found += [replace(port, primary=in_bond and number == 0), *rest]
    return found


def _monitor(bond: Bond) -> Monitor | None:
    if bond.mii is not None:
        mii = bond.mii
        return Monitor("mii", mii.freq, mii.updelay or 0, mii.downdelay or 0, carrier=mii.carrier)
    if bond.arp is not None:
        return Monitor("arp", bond.arp.interval, target=bond.arp.target, validate=bond.arp.validate)
    return None


def _family(protocol: HostProtocol) -> Family:
    version = 6 if protocol.family == IPV6 else 4
    if len(protocol.ips) > 1 and version == 4 and protocol.dhcp is not None and protocol.gateway is not None:
        raise UnsupportedConfigError("a gateway comes from DHCP or is fixed, not both", domain=Origin.INTERFACE)
    return Family(
        tuple((one.address, one.prefix or _WHOLE_ADDRESS[version]) for one in protocol.ips),
        protocol.gateway,
        protocol.dhcp is not None,
        protocol.dhcp is None or protocol.dhcp.peer_dns is not False,
        protocol.autoconf,
    )


def document_of(links: Links, name: str, sight: Sight) -> Interface:
    """The document of a link and of what is in it. `sight` adds addresses and cables of devices."""
    link = links[name]
    seen = sight.get(name, Seen())
    shared: dict[str, object] = {
        "name": name,
        "start": link.start,
        "mtu": link.mtu,
        "protocols": [_protocol(family, link.family(family)) for family in FAMILIES if link.family(family)],
    }
    if link.kind == "bridge":
        delay = f"{link.delay:g}" if link.delay is not None else None
        inside = [_inner(links, port, sight) for port in ports(links, name)]
        return new(BridgeInterface, **shared, bridge=new(HostBridge, stp=link.stp, delay=delay, interfaces=inside))
    if link.kind == "bond":
        return new(BondInterface, **shared, link=seen.cable, bond=_bond(links, link, sight))
    if link.kind == "vlan":
        return new(VlanInterface, **shared, link=seen.cable, vlan=_vlan(link))
    return new(Ethernet, **shared, link=seen.cable, mac=seen.mac)


def _inner(links: Links, link: Link, sight: Sight) -> Interface:
    seen = sight.get(link.name, Seen())
    if link.kind == "bond":
        return new(InnerBond, name=link.name, link=seen.cable, bond=_bond(links, link, sight))
    if link.kind == "vlan":
        return new(InnerVlan, name=link.name, link=seen.cable, vlan=_vlan(link))
    return new(InnerEthernet, name=link.name, link=seen.cable, mac=seen.mac)


def _bond(links: Links, link: Link, sight: Sight) -> Bond:
    monitor = link.monitor
    mii = arp = None
    if monitor is not None and monitor.kind == "mii":
        mii = new(
            MiiMonitor,
            freq=monitor.interval,
            downdelay=monitor.down_delay or None,
            updelay=monitor.up_delay or None,
            carrier=monitor.carrier,
        )
    elif monitor is not None:
        arp = new(ArpMonitor, interval=monitor.interval, target=monitor.target, validate=monitor.validate)
    inside = [_inner(links, port, sight) for port in ports(links, link.name)]
    return new(Bond, mode=link.mode, mii=mii, arp=arp, interfaces=inside)


def _vlan(link: Link) -> VlanTag:
    return new(VlanTag, tag=link.tag, device=new(TaggedDevice, name=link.device))


def _protocol(name: str, family: Family) -> HostProtocol:
    return new(
        HostProtocol,
        family=name,
        autoconf=family.autoconf,
        dhcp=new(DhcpClient, peer_dns=None if family.peer_dns else False) if family.dhcp else None,
        ips=[new(HostIp, address=address, prefix=prefix) for address, prefix in family.addresses],
        gateway=family.gateway,
    )
