"""The firewall rules of virtual networks: pure text for `nft`.

All networks share one table `libvirt_network` a family, with libvirt's chains and rules, so that tools and people that
know those find them. `whole` is the state of the table for all active networks, whatever was in it before; `added` is
what one more network brings. Either is one transaction.

    forward       every forwarded packet: `guest_cross`, then `guest_input`, then `guest_output`
    guest_cross   from a bridge to the same bridge
    guest_input   to a bridge: what is not accepted is rejected
    guest_output  from a bridge: likewise
    guest_nat     what leaves gets an address of the host's

Source: https://libvirt.org/firewall.html; libvirt 11.3's nftables back end; nft(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError
from guesthouse.host.forwarding import OWN_TABLE
from guesthouse.model.network.addresses import NetworkIp
from guesthouse.model.network.definition import Network
from guesthouse.model.network.forward import UNPRIVILEGED, Nat

TABLE: Final = OWN_TABLE
FAMILIES: Final = ("ip", "ip6")

_OUT, _IN, _CROSS, _NAT = "guest_output", "guest_input", "guest_cross", "guest_nat"
_CHAINS: Final = (
    ("forward", "{ type filter hook forward priority 0; policy accept; }"),
    (_OUT, ""),
    (_IN, ""),
    (_CROSS, ""),
    (_NAT, "{ type nat hook postrouting priority 100; policy accept; }"),
)
_JUMPS: Final = (_CROSS, _IN, _OUT)
#: Where packets never leave the link, so that nothing is to be translated.
_STAYING: Final = {"ip": ("255.255.255.255/32", "224.0.0.0/24"), "ip6": ("ff02::/16",)}
_DEVICE: Final = re.compile(r"[^\s\"\\/*\x00-\x1f\x7f]{1,15}")

#: A rule without its table: family, chain, expression.
Rule = tuple[str, str, str]


def whole(networks: Iterable[Network]) -> str:
    """The orders that make our tables those of exactly these networks. Raises as `added`."""
    lines = []
    for family in FAMILIES:
        lines.append(f"add table {family} {TABLE}")
        lines += [f"add chain {family} {TABLE} {name} {spec}".rstrip() for name, spec in _CHAINS]
        lines.append(f"flush table {family} {TABLE}")
        lines += [f"add rule {family} {TABLE} forward counter jump {chain}" for chain in _JUMPS]
    return "\n".join(lines) + "\n" + "".join(added(network) for network in networks)


def added(network: Network) -> str:
    """The orders that add a network's rules to the chains, which are there.

    Raises `InternalError` for a range of ports that is none, `UnsupportedConfigError` for a device that has no name.
    """
    return "".join(f"insert rule {family} {TABLE} {chain} {text}\n" for family, chain, text in rules(network))


def rules(network: Network) -> Iterator[Rule]:
    """The rules, each to be put before those that are there. None for `open`. Raises as `added`."""
    if network.mode == "open":
        return
    bridge = _device(network.bridge.name if network.bridge is not None else None)
    for family in FAMILIES:
        if family == "ip" or network.ipv6 or any(ip.ipv6 for ip in network.ips):
            yield family, _OUT, f"iif {bridge} counter reject"
            yield family, _IN, f"oif {bridge} counter reject"
            yield family, _CROSS, f"iif {bridge} oif {bridge} counter accept"
    forward = network.forward
    if forward is None:
        return
    way = _device(forward.interfaces[0].dev) if forward.interfaces else ""
    for ip in network.ips:
        translated = network.mode == "nat" and (not ip.ipv6 or (forward.nat is not None and forward.nat.ipv6 is True))
        yield from _forwarding(ip, bridge, way, answers_only=translated)
        if translated:
            yield from _translation(ip, way, forward.nat)


def _device(name: str | None) -> str:
    if name is None or not _DEVICE.fullmatch(name):
        raise UnsupportedConfigError(f"'{name}' is not the name of a network device", domain=Origin.NETWORK)
    return f'"{name}"'


def _forwarding(ip: NetworkIp, bridge: str, way: str, *, answers_only: bool) -> Iterator[Rule]:
    family = "ip6" if ip.ipv6 else "ip"
    yield family, _OUT, _words(f"{family} saddr {ip.network} iif {bridge}", way and f"oifname {way}", "counter accept")
    comes = way and f"iifname {way}"
    if answers_only:
        known = "ct state related,established"
        yield family, _IN, _words(comes, f"oif {bridge} {family} daddr {ip.network} {known} counter accept")
    else:
        yield family, _IN, _words(f"{family} daddr {ip.network}", comes, f"oif {bridge} counter accept")


def _translation(ip: NetworkIp, way: str, nat: Nat | None) -> Iterator[Rule]:
    family, leaves = "ip6" if ip.ipv6 else "ip", way and f"oifname {way}"
    first, last = UNPRIVILEGED
    if nat is not None and (nat.first_port or nat.last_port):
        first, last = nat.first_port or 0, nat.last_port or 0
        if first >= last:
            raise InternalError(f"Invalid port range '{first}-{last}'.", domain=Origin.NETWORK)
    for protocol in ("", "udp", "tcp"):
        ports = f":{first}-{last}" if protocol else ""
        if nat is not None and nat.start is not None and family == "ip":
            action = f"counter snat to {nat.start}-{nat.end}{ports}"
        else:
            action = "counter masquerade" + (f" to {ports}" if ports else "")
        outside = f"{family} saddr {ip.network} {family} daddr != {ip.network}"
        yield family, _NAT, _words(protocol and f"meta l4proto {protocol}", outside, leaves, action)
    for target in _STAYING[family]:
        yield family, _NAT, _words(leaves, f"{family} saddr {ip.network} {family} daddr {target} counter return")


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)
