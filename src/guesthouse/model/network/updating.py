"""Changes of one part of a network's definition: what `virNetworkUpdate` adds, replaces and removes.

A change names a section, a command and an element of that section. Which element of the definition is meant is told by
what identifies its kind: a record's address, a port group's name. Sections without an entry in `SECTIONS` cannot be
changed.

Source: https://libvirt.org/html/libvirt-libvirt-network.html#virNetworkUpdate
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.model.binding import Reading, new, read
from guesthouse.model.network import dns
from guesthouse.model.network.addresses import NetworkIp
from guesthouse.model.network.checks import refuse_floor
from guesthouse.model.network.definition import Network
from guesthouse.model.network.dhcp import Dhcp, DhcpHost, DhcpRange
from guesthouse.model.network.forward import ForwardInterface
from guesthouse.model.network.portgroup import PortGroup
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import parse_any

T = TypeVar("T")

#: `virNetworkUpdateCommand`.
MODIFY: Final = 1
DELETE: Final = 2
ADD_LAST: Final = 3
ADD_FIRST: Final = 4
_ADDING: Final = (ADD_LAST, ADD_FIRST)

#: `virNetworkUpdateSection`, by number, for those that cannot be changed.
_FIXED: Final = {1: "bridge", 2: "domain", 3: "ip", 6: "forward", 8: "forward pf"}


def _invalid(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.OPERATION_INVALID, domain=Origin.NETWORK)


def _unsupported(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.OPERATION_UNSUPPORTED, domain=Origin.NETWORK)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of `network`; `index` is the `<ip>` element that is meant, or -1 for the most fitting one."""

    network: Network
    command: int
    index: int

    @property
    def adds(self) -> bool:
        """Whether something new comes."""
        return self.command in _ADDING

    def insert(self, items: list[T], item: T) -> None:
        """Put the item at the end that the command names."""
        items.insert(0 if self.command == ADD_FIRST else len(items), item)


def update_network(network: Network, command: int, section: int, index: int, xml: str) -> None:
    """Change a definition, in place. `xml` is an element of the section.

    Raises `LibvirtError` (55) where what is to be changed is not there, or what is to be added is; (84) for a section
    or a command that cannot be; `XmlError` for a wrong element. The definition may then be half changed: give a copy.
    """
    if section in _FIXED:
        raise _unsupported(f"can't update '{_FIXED[section]}' section of network '{network.name}'")
    if section not in SECTIONS:
        raise _unsupported("can't update unrecognized section of network")
    if command not in (MODIFY, DELETE, *_ADDING):
        raise _unsupported(f"unrecognized network update command code {command}")
    found = SECTIONS[section]
    if command == MODIFY and found.fixed:
        raise _unsupported(f"{found.fixed} cannot be modified, only added or deleted")
    with noticed_by(Origin.NETWORK):
        node = parse_any(xml, "network_update_xml")
        if node.tag != found.tag:
            raise XmlError(
                f"unexpected element <{node.tag!s}>, expecting <{found.tag}>, while updating network '{network.name}'"
            )
        found.apply(Change(network, command, index), read(found.cls, node, Reading()))


def _ip(change: Change) -> NetworkIp:
    network = change.network
    if change.index >= 0:
        if change.index < len(network.ips):
            return network.ips[change.index]
        raise _invalid(
            f"couldn't update dhcp host entry - no <ip> element found at index {change.index} in network "
            f"'{network.name}'"
        )
    serving = [ip for ip in network.ips if ip.dhcp is not None and ip.dhcp.serves]
    fitting = [*serving, *(ip for ip in network.ips if not ip.ipv6), *network.ips]
    if not fitting:
        raise _invalid(f"couldn't update dhcp host entry - no <ip> element found in network '{network.name}'")
    return fitting[0]


def _check_only_server(change: Change, ip: NetworkIp) -> None:
    for other in change.network.ips:
        if other is not ip and other.ipv6 == ip.ipv6 and other.dhcp is not None and other.dhcp.serves:
            family = "IPv6" if ip.ipv6 else "IPv4"
            raise _invalid(f"dhcp is supported only for a single {family} address on each network")


def _same_host(one: DhcpHost, other: DhcpHost) -> bool:
    """Whether two records have the address, the name or the card in common."""
    return (
        (one.mac is not None and other.mac is not None and one.mac.lower() == other.mac.lower())
        or (one.ip is not None and one.ip == other.ip)
        or (one.name is not None and one.name == other.name)
    )


def _fits(wanted: DhcpHost, host: DhcpHost) -> bool:
    """Whether a record has everything that is wanted."""
    return (
        (wanted.mac is None or host.mac is None or wanted.mac.lower() == host.mac.lower())
        and (wanted.name is None or wanted.name == host.name)
        and (wanted.ip is None or wanted.ip == host.ip)
    )


def _change_host(change: Change, host: DhcpHost) -> None:
    name, ip = change.network.name, _ip(change)
    dhcp = ip.dhcp = ip.dhcp or new(Dhcp)
    if change.command == DELETE:
        host.check_partial(name)
        for index, known in enumerate(dhcp.hosts):
            if _fits(host, known):
                del dhcp.hosts[index]
                return
        raise _invalid(f"couldn't locate a matching dhcp host entry in network '{name}'")
    host.check(name, ipv6=ip.ipv6)
    if (":" in (host.ip or "")) != ip.ipv6:
        raise _invalid(
            "the address family of a host entry IP must match the address family of the dhcp element's parent"
        )
    same = [index for index, known in enumerate(dhcp.hosts) if _same_host(host, known)]
    if change.adds:
        _check_only_server(change, ip)
        if same:
            raise _invalid(
                f"there is an existing dhcp host entry in network '{name}' that matches "
                f"\"<host mac='{host.mac or 'unknown'}' name='{host.name or '(null)'}' ip='{host.ip}'/>\""
            )
        change.insert(dhcp.hosts, host)
    elif same:
        dhcp.hosts[same[0]] = host
    else:
        raise _invalid(
            f"couldn't locate an existing dhcp host entry with \"mac='{host.mac or 'unknown'}'\" "
            f"\"name='{host.name or '(null)'}'\" \"ip='{host.ip}'\" in network '{name}'"
        )


def _change_range(change: Change, wanted: DhcpRange) -> None:
    name, ip = change.network.name, _ip(change)
    dhcp = ip.dhcp = ip.dhcp or new(Dhcp)
    wanted.check(ip.address, ip.bits)
    same = [known for known in dhcp.ranges if (known.start, known.end) == (wanted.start, wanted.end)]
    if change.adds:
        _check_only_server(change, ip)
        if same:
            raise _invalid(
                f"there is an existing dhcp range entry in network '{name}' that matches "
                f"\"<range start='{wanted.start}' end='{wanted.end}'/>\""
            )
        change.insert(dhcp.ranges, wanted)
    elif same:
        dhcp.ranges.remove(same[0])
    else:
        raise _invalid(f"couldn't locate a matching dhcp range entry in network '{name}'")


def _change_interface(change: Change, wanted: ForwardInterface) -> None:
    name, forward = change.network.name, change.network.forward
    if forward is None:
        raise _invalid(f"network '{name}' has no <forward>, so it can have no interface there")
    same = [known for known in forward.interfaces if known.dev == wanted.dev]
    if change.adds:
        if same:
            raise _invalid(
                f"there is an existing interface entry in network '{name}' that matches "
                f"\"<interface dev='{wanted.dev}'>\""
            )
        change.insert(forward.interfaces, wanted)
    elif not same:
        raise _invalid(f"couldn't find an interface entry in network '{name}' matching <interface dev='{wanted.dev}'>")
    elif same[0].connections:
        raise _invalid(
            f"unable to delete interface '{wanted.dev}' in network '{name}'. It is currently being used by "
            f"{same[0].connections} domains."
        )
    else:
        forward.interfaces.remove(same[0])
    forward.dev = forward.interfaces[0].dev if forward.interfaces and forward.pf is None else None


def _change_group(change: Change, group: PortGroup) -> None:
    name, groups = change.network.name, change.network.port_groups
    refuse_floor(group.bandwidth)
    same = [index for index, known in enumerate(groups) if known.name == group.name]
    if not same and not change.adds:
        raise _invalid(f"couldn't find a portgroup entry in network '{name}' matching <portgroup name='{group.name}'>")
    if same and change.adds:
        raise _invalid(
            f"there is an existing portgroup entry in network '{name}' that matches \"<portgroup name='{group.name}'>\""
        )
    if change.command == DELETE:
        del groups[same[0]]
        return
    if group.default and any(known.default and known.name != group.name for known in groups):
        raise _invalid(
            f"a different portgroup entry in network '{name}' is already set as the default. Only one default is "
            "allowed."
        )
    if change.adds:
        change.insert(groups, group)
    else:
        groups[same[0]] = group


def _dns(network: Network) -> dns.Dns:
    network.dns = network.dns or new(dns.Dns)
    return network.dns


def _single(found: list[int], kind: str, several: str, name: str) -> int:
    """The only index. Raises error 55 where there is none, or another."""
    if not found:
        raise _invalid(f"couldn't locate a matching DNS {kind} record in network {name}")
    if len(found) > 1:
        raise _invalid(f"{several} were found in network {name}")
    return found[0]


def _change_dns_host(change: Change, record: dns.HostRecord) -> None:
    name, hosts = change.network.name, _dns(change.network).hosts
    deleting = change.command == DELETE
    found = [
        index
        for index, known in enumerate(hosts)
        if (record.ip is not None and record.ip == known.ip) or (deleting and set(record.names) & set(known.names))
    ]
    if change.adds:
        dns.check_host(record, name)
        if found:
            raise _invalid(f"there is already at least one DNS HOST record with a matching field in network {name}")
        change.insert(hosts, record)
        return
    index = _single(found, "HOST", "multiple matching DNS HOST records", name)
    hosts[index : index + 1] = [] if deleting else [record]


def _change_dns_text(change: Change, record: dns.TxtRecord) -> None:
    name, texts = change.network.name, _dns(change.network).texts
    found = [index for index, known in enumerate(texts) if known.name == record.name]
    if change.adds:
        dns.check_text(record, name)
        if found:
            raise _invalid(f"there is already a DNS TXT record with name '{record.name}' in network {name}")
        change.insert(texts, record)
        return
    index = _single(found[:1], "TXT", "", name)
    if change.command == DELETE:
        del texts[index]
    elif record.value is None:
        raise _invalid(f"missing value of modifying DNS TXT record in network {name}")
    else:
        texts[index] = record


def _change_dns_service(change: Change, record: dns.SrvRecord) -> None:
    name, services = change.network.name, _dns(change.network).services
    fields = ("domain", "service", "protocol", "target")
    found = [
        index
        for index, known in enumerate(services)
        if all(getattr(record, field) in (None, getattr(known, field)) for field in fields)
    ]
    if change.adds:
        dns.check_service(record, name)
        if found:
            raise _invalid(
                f"there is already at least one DNS SRV record matching all specified fields in network {name}"
            )
        change.insert(services, record)
        return
    del services[_single(found, "SRV", "multiple DNS SRV records matching all specified fields", name)]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: the element of its entries, its class, what changes it, and what cannot be modified in place."""

    tag: str
    cls: type[object]
    apply: Callable[[Change, object], None]
    fixed: str = ""


def _section(tag: str, cls: type[T], apply: Callable[[Change, T], None], fixed: str = "") -> Section:
    return Section(tag, cls, cast(Callable[[Change, object], None], apply), fixed)


#: `virNetworkUpdateSection`, by number, for those that can be changed.
SECTIONS: Final[dict[int, Section]] = {
    4: _section("host", DhcpHost, _change_host),
    5: _section("range", DhcpRange, _change_range, "dhcp ranges"),
    7: _section("interface", ForwardInterface, _change_interface, "forward interface entries"),
    9: _section("portgroup", PortGroup, _change_group),
    10: _section("host", dns.HostRecord, _change_dns_host),
    11: _section("txt", dns.TxtRecord, _change_dns_text),
    12: _section("srv", dns.SrvRecord, _change_dns_service, "DNS SRV records"),
}
