"""What dnsmasq is told of a network: its configuration, its hosts with kept addresses, and more names. Pure text.

The files are libvirt's, so that each daemon understands the other's, and so do tools that look into them.

Source: dnsmasq(8); https://libvirt.org/formatnetwork.html#addressing; libvirt 11.3.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError
from guesthouse.model.network.addresses import NetworkIp
from guesthouse.model.network.definition import Network
from guesthouse.model.network.dhcp import Dhcp, DhcpHost, Lease
from guesthouse.model.network.dns import Dns, Forwarder, SrvRecord

_WARNING: Final = """\
##WARNING:  THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
##OVERWRITTEN AND LOST.  Changes to this configuration should be made using:
##    virsh net-edit {name}
## or other application using the libvirt API.
##
## dnsmasq conf file created by libvirt
strict-order
"""
_NO_SERVICE: Final = "."


@dataclass(frozen=True, slots=True)
class Files:
    """Where the files of one network lie."""

    pid: Path
    conf: Path
    hosts: Path
    names: Path

    @classmethod
    def of(cls, name: str, folder: Path, state: Path) -> Files:
        """Those of the network `name`: `folder` is dnsmasq's, `state` that of active networks."""
        return cls(
            state / f"{name}.pid", folder / f"{name}.conf", folder / f"{name}.hostsfile", folder / f"{name}.addnhosts"
        )


def needed(network: Network) -> bool:
    """Whether a network needs dnsmasq: it has an address, and DHCP, TFTP or DNS on it."""
    serves_dns = network.dns is None or network.dns.enable is not False
    return bool(network.ips) and (serves_dns or any(_serves(ip) or ip.tftp is not None for ip in network.ips))


def configuration(network: Network, files: Files, *, as_root: bool = False) -> str:
    """The configuration. With `as_root` dnsmasq does not become another user once it has started.

    Raises `UnsupportedConfigError` for what dnsmasq cannot do, `InternalError` for a value that would be two lines.
    """
    lines = [*(["user=root"] if as_root else []), *_lines(network, files)]
    for line in (network.name, *lines):
        _check_line(line)
    return _WARNING.format(name=network.name) + "".join(f"{line}\n" for line in lines)


def _check_line(line: str) -> None:
    if any(character in line for character in "\n\r\0"):
        raise InternalError(f"a value of the network is more than one line: {line!r}", domain=Origin.NETWORK)


def kept_addresses(network: Network) -> str:
    """The hosts with kept addresses, a line each. Raises `InternalError` for a value that would be two lines."""
    lines = [_host(host, ipv6=ip.ipv6) for ip in _servers(network) if ip.dhcp is not None for host in ip.dhcp.hosts]
    for line in lines:
        _check_line(line)
    return "".join(f"{line}\n" for line in lines)


def more_names(network: Network) -> str:
    """The DNS hosts: an address and its names, a line each. Raises `InternalError` for one that would be two lines."""
    found: dict[str, list[str]] = {}
    for record in network.dns.hosts if network.dns is not None else []:
        if record.ip is not None:
            found.setdefault(record.ip, []).extend(record.names)
    for names in found.values():
        _check_line("".join(names))
    return "".join(f"{ip}\t" + "".join(f"{name}\t" for name in names) + "\n" for ip, names in found.items())


def _lines(network: Network, files: Files) -> Iterator[str]:
    dns = network.dns
    serves_dns = dns is None or dns.enable is not False
    if not serves_dns:
        yield "port=0"
    elif dns is not None:
        yield from _forwarders(dns.forwarders)
    yield from _domain(network)
    if serves_dns:
        yield from _reverse(network.ips)
        if dns is not None and dns.plain_names is False:
            yield from ("domain-needed", "local=//")
    yield f"pid-file={files.pid}"
    yield from ("except-interface=lo", "bind-dynamic", f"interface={_bridge(network)}")
    if network.forward is None:
        yield from ("dhcp-option=3", "no-resolv", "ra-param=*,0,0")
    if serves_dns and dns is not None:
        yield from _records(dns)
    yield from _tftp(network.ips)
    yield from _dhcp(network, files)
    if serves_dns:
        yield f"addn-hosts={files.names}"
    if network.mtu:
        yield f"dhcp-option=option:mtu,{network.mtu}"
    yield from _advertisements(network.ips)
    yield from network.options


def _bridge(network: Network) -> str:
    return (network.bridge.name if network.bridge is not None else None) or ""


def _forwarders(forwarders: list[Forwarder]) -> Iterator[str]:
    for one in forwarders:
        domain = f"/{one.domain}/" if one.domain is not None else ""
        yield f"server={domain}{one.address if one.address is not None else '#'}"
    if any(one.domain is None for one in forwarders):
        yield "no-resolv"


def _domain(network: Network) -> Iterator[str]:
    if network.domain is not None:
        if network.domain.local_only:
            yield f"local=/{network.domain.name}/"
        yield f"domain={network.domain.name}"
        yield "expand-hosts"


def _reverse(ips: Iterable[NetworkIp]) -> Iterator[str]:
    for ip in ips:
        if ip.local_ptr:
            yield f"local=/{_reverse_domain(ip)}/"


def _reverse_domain(ip: NetworkIp) -> str:
    """The domain of the reverse names of a network. Only where the prefix ends at a label can there be one."""
    digit, whole = (4, 128) if ip.ipv6 else (8, 32)
    if ip.bits % digit or not 0 < ip.bits < whole:
        family = "IPv6" if ip.ipv6 else "IPv4"
        raise UnsupportedConfigError(
            f"PTR domain for {family} network with prefix {ip.bits} cannot be automatically created",
            domain=Origin.NETWORK,
        )
    labels = ipaddress.ip_address(ip.address).reverse_pointer.split(".")
    return ".".join(labels[(whole - ip.bits) // digit :])


def _records(dns: Dns) -> Iterator[str]:
    for text in dns.texts:
        yield f"txt-record={text.name},{text.value}"
    for service in dns.services:
        yield _service(service)


def _service(record: SrvRecord) -> str:
    text = f"srv-host=_{record.service}._{record.protocol}"
    if record.domain is not None:
        text += f".{record.domain}"
    if record.target is None or record.target == _NO_SERVICE:
        return text
    # Each number has its place: what stands before one that is given is spelled out too.
    numbers = [record.port or 1, record.priority or 0, record.weight or 0]
    given = [bool(record.port), bool(record.priority), bool(record.weight)]
    count = max((place + 1 for place, is_given in enumerate(given) if is_given), default=0)
    return ",".join([text, record.target, *map(str, numbers[:count])])


def _tftp(ips: Iterable[NetworkIp]) -> Iterator[str]:
    roots = [ip.tftp for ip in ips if ip.tftp is not None and not ip.ipv6]
    if roots:
        yield "enable-tftp"
    for root in roots:
        yield f"tftp-root={root}"


def _serves(ip: NetworkIp) -> bool:
    return ip.dhcp is not None and ip.dhcp.serves


def _servers(network: Network) -> list[NetworkIp]:
    """The addresses with DHCP: one of IPv4 at most, then one of IPv6. Raises `UnsupportedConfigError` for more."""
    found = []
    for ipv6, family in ((False, "IPv4"), (True, "IPv6")):
        serving = [ip for ip in network.ips if ip.ipv6 is ipv6 and _serves(ip)]
        if len(serving) > 1:
            text = f"For {family}, multiple DHCP definitions cannot be specified."
            raise UnsupportedConfigError(text, domain=Origin.NETWORK)
        found += serving
    return found


def _dhcp(network: Network, files: Files) -> Iterator[str]:
    servers = _servers(network)
    leases = 0
    for ip in servers:
        if ip.dhcp is not None:
            yield from _server(ip, ip.dhcp)
            leases += sum(_size(one.start, one.end) for one in ip.dhcp.ranges)
    if leases:
        yield f"dhcp-lease-max={leases}"
    if servers:
        yield f"dhcp-hostsfile={files.hosts}"


def _size(start: str, end: str) -> int:
    return int(ipaddress.ip_address(end)) - int(ipaddress.ip_address(start)) + 1


def _server(ip: NetworkIp, dhcp: Dhcp) -> Iterator[str]:
    mask = str(ip.bits) if ip.ipv6 else str(ip.network.netmask)
    for one in dhcp.ranges:
        yield f"dhcp-range={one.start},{one.end},{mask}{_lent(one.lease)}"
    if not dhcp.ranges:
        # Without a range dnsmasq serves nobody, not even those whose addresses are kept.
        yield f"dhcp-range={ip.address},static" + (f",{ip.bits}" if ip.ipv6 else "")
    if ip.ipv6:
        return
    yield "dhcp-no-override"
    yield "dhcp-authoritative"
    if dhcp.bootp is not None:
        server = f",,{dhcp.bootp.server}" if dhcp.bootp.server is not None else ""
        yield f"dhcp-boot={dhcp.bootp.file}{server}"


def _lent(lease: Lease | None) -> str:
    """For how long, as a further part of a line; nothing where dnsmasq's own time will do."""
    if lease is None:
        return ""
    return f",{lease.expiry}{(lease.unit or 'minutes')[0]}" if lease.expiry else ",infinite"


def _host(host: DhcpHost, *, ipv6: bool) -> str:
    if ipv6:
        who = [f"id:{host.id}"] if host.id is not None else []
        who += [host.name] if host.name is not None else []
        text = f"{','.join(who)},[{host.ip}]"
    else:
        parts = (host.mac, host.ip, host.name) if host.mac is not None else (host.name, host.ip)
        text = ",".join(part for part in parts if part is not None)
    return text + _lent(host.lease)


def _advertisements(ips: list[NetworkIp]) -> Iterator[str]:
    """Routers are advertised: with DHCP for their addresses where there is DHCP, else guests make their own."""
    own = [ip for ip in ips if ip.ipv6]
    if any(_serves(ip) for ip in own):
        yield "enable-ra"
    else:
        for ip in own:
            yield f"dhcp-range={ip.address},ra-only"
