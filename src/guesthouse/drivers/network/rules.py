"""What libvirt's network driver refuses of a definition that its format allows, in its words."""

from __future__ import annotations

from collections.abc import Iterator

from guesthouse.errors import LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host.sysfs import HostTree
from guesthouse.model.network.definition import Network
from guesthouse.model.network.portgroup import PortGroup


def check(network: Network, tree: HostTree | None = None) -> None:
    """Raise `UnsupportedConfigError` for the first thing that is wrong."""
    for text in (*_foreign(network), *_pool(network, tree or HostTree()), *_servers(network), *_groups(network)):
        raise _refusal(text)


def _refusal(text: str) -> LibvirtError:
    return UnsupportedConfigError(text, domain=Origin.NETWORK)


def _limits_allowed(network: Network) -> bool:
    return network.bridged or (network.mode == "bridge" and network.bridge is not None)


def _foreign(network: Network) -> Iterator[str]:
    """What only networks have whose bridge is the host's own."""
    where = f"network {network.name} with forward mode='{network.mode}'"
    if not network.bridged:
        dns = network.dns
        for tag, given in (
            ("mac", network.mac),
            ("ip", network.ips),
            ("dns", dns is not None and (dns.texts or dns.hosts or dns.services)),
            ("domain", network.domain),
        ):
            if given:
                yield f"Unsupported <{tag}> element in {where}"
    if network.bandwidth is not None and not _limits_allowed(network):
        yield f"Unsupported network-wide <bandwidth> element in {where}"


def _pool(network: Network, tree: HostTree) -> Iterator[str]:
    """The devices that are handed out."""
    forward = network.forward
    if forward is None:
        return
    if network.mode == "hostdev" and forward.pf is None:
        for one in forward.interfaces:
            yield (
                f"hostdev network '{network.name}' lists '{one.dev}' in the device pool, but hostdev networks require "
                "all devices to be listed by PCI address, not network device name"
            )
    for address in forward.addresses:
        if network.mode != "hostdev":
            yield (
                f"network '{network.name}' has forward mode '{network.mode}' but lists a device by PCI address in the "
                "device pool. This is only supported for networks with forward mode 'hostdev'"
            )
        label = f"{address.domain or 0:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}.{address.function or 0:x}"
        path = tree.sys / "bus/pci/devices" / label
        if not (path / "physfn").exists():
            yield f"device '{path}' in network '{network.name}' is not an SR-IOV Virtual Function"
    if sum(map(bool, (forward.pf, forward.interfaces, forward.addresses))) > 1:
        yield (
            f"<address>, <interface>, and <pf> elements of <forward> in network {network.name} are mutually exclusive"
        )


def _servers(network: Network) -> Iterator[str]:
    """Addresses are handed out for one network of each family."""
    for family, ipv6 in (("IPv4", False), ("IPv6", True)):
        if sum(ip.ipv6 is ipv6 and ip.dhcp is not None and ip.dhcp.serves for ip in network.ips) > 1:
            yield (
                f"Multiple {family} dhcp sections found -- dhcp is supported only for a single {family} address on "
                "each network"
            )


def _groups(network: Network) -> Iterator[str]:
    """Port groups, and the VLANs of theirs and of the network."""
    groups = network.port_groups
    defaults = [group.name for group in groups if group.default]
    if len(defaults) > 1:
        yield (
            f"network '{network.name}' has multiple default <portgroup> elements ({defaults[0]} and {defaults[1]}), "
            "but only one default is allowed"
        )
    names = [group.name for group in groups]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"multiple <portgroup> elements with the same name ({name}) in network '{network.name}'"
    for group in groups:
        if group.bandwidth is not None and not _limits_allowed(network):
            yield (
                f"Unsupported <bandwidth> element in network '{network.name}' in portgroup '{group.name}' with "
                f"forward mode='{network.mode}'"
            )
    whole = network.vlan is not None and not defaults and not _tags(network)
    if whole or any((network.vlan or group.vlan) and not _group_tags(network, group) for group in groups):
        yield f"<vlan> element specified for network {network.name}, whose type doesn't support vlan configuration"


def _tags(network: Network) -> bool:
    """Whether what the network is made of knows VLANs."""
    if network.mode != "bridge":
        return network.mode in ("hostdev", "passthrough")
    return network.virtual_port is None or network.virtual_port.type == "openvswitch"


def _group_tags(network: Network, group: PortGroup) -> bool:
    if group.virtual_port is None:
        return _tags(network)
    return network.mode == "bridge" and group.virtual_port.type == "openvswitch"
