"""What a rule about frames matches: protocols mac, vlan, stp, arp, rarp, ip and ipv6, and none at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.nwfilter.nft.terms import (
    Term,
    Writer,
    check_pairs,
    compare,
    ip_masked,
    mac_masked,
    named,
    plain,
    ranged,
    raw_ip,
    raw_mac,
    span,
    with_prefix,
)
from guesthouse.model.nwfilter.protocols import PROTOCOLS
from guesthouse.model.nwfilter.values import ARP_OPCODES, ETHERTYPES, IP_PROTOCOLS

FRAMES: Final = frozenset(("mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6"))
#: Where bridges talk to each other.
STP_GROUP: Final = "01:80:c2:00:00:00"

_MACS: Final = {
    "srcmacaddr": Term("ether saddr", "ether daddr", mac_masked, "srcmacmask"),
    "dstmacaddr": Term("ether daddr", "ether saddr", mac_masked, "dstmacmask"),
}
_ETHERTYPE: Final = named({name: f"{number:#06x}" for name, number in ETHERTYPES.items()})
_PORTS: Final = {
    "srcportstart": Term("th sport", "th dport", ranged, "srcportend"),
    "dstportstart": Term("th dport", "th sport", ranged, "dstportend"),
}


def _same(expression: str, write: Writer = plain, partner: str | None = None) -> Term:
    """An attribute that has no direction."""
    return Term(expression, expression, write, partner)


def _stp(name: str, bit: int, size: int) -> dict[str, Term]:
    return {name: _same(f"@nh,{bit},{size}", ranged, f"{name}-hi")}


def _stp_mac(name: str, bit: int) -> dict[str, Term]:
    return {name: _same(f"@nh,{bit},48", raw_mac, f"{name}-mask")}


#: After the length comes the LLC header: 3 bytes; then protocol, version and type of the message: 4 bytes.
_STP: Final = {
    "type": _same("@nh,48,8"),
    "flags": _same("@nh,56,8"),
    **_stp("root-priority", 64, 16), **_stp_mac("root-address", 80), **_stp("root-cost", 128, 32),
    **_stp("sender-priority", 160, 16), **_stp_mac("sender-address", 176), **_stp("port", 224, 16),
    **_stp("age", 240, 16), **_stp("max-age", 256, 16), **_stp("hello-time", 272, 16),
    **_stp("forward-delay", 288, 16),
}  # fmt: skip
_OPCODE: Final = named(ARP_OPCODES)
_ARP: Final = {
    "hwtype": _same("arp htype"),
    "protocoltype": _same("arp ptype"),
    "opcode": _same("arp operation", _OPCODE),
    "arpsrcmacaddr": Term("arp saddr ether", "arp daddr ether", plain),
    "arpdstmacaddr": Term("arp daddr ether", "arp saddr ether", plain),
    "arpsrcipaddr": Term("arp saddr ip", "arp daddr ip", ip_masked, "arpsrcipmask"),
    "arpdstipaddr": Term("arp daddr ip", "arp saddr ip", ip_masked, "arpdstipmask"),
}
#: The same fields where nftables has no names: it knows them in ARP alone.
_RARP: Final = {
    "hwtype": _same("@nh,0,16"),
    "protocoltype": _same("@nh,16,16"),
    "opcode": _same("@nh,48,16", _OPCODE),
    "arpsrcmacaddr": Term("@nh,64,48", "@nh,144,48", raw_mac),
    "arpdstmacaddr": Term("@nh,144,48", "@nh,64,48", raw_mac),
    "arpsrcipaddr": Term("@nh,112,32", "@nh,192,32", raw_ip, "arpsrcipmask"),
    "arpdstipaddr": Term("@nh,192,32", "@nh,112,32", raw_ip, "arpdstipmask"),
}
_PROTOCOL: Final = named(IP_PROTOCOLS)
TERMS: Final[dict[str, dict[str, Term]]] = {
    "mac": {**_MACS, "protocolid": _same("ether type", _ETHERTYPE)},
    "vlan": {
        **_MACS, "vlanid": _same("vlan id"),
        "encap-protocol": _same("vlan type", _ETHERTYPE),
    },
    "stp": {"srcmacaddr": _MACS["srcmacaddr"], **_STP},
    "arp": {**_MACS, **_ARP},
    "rarp": {**_MACS, **_RARP},
    "ip": {
        **_MACS,
        "srcipaddr": Term("ip saddr", "ip daddr", with_prefix, "srcipmask"),
        "dstipaddr": Term("ip daddr", "ip saddr", with_prefix, "dstipmask"),
        "protocol": _same("ip protocol", _PROTOCOL), **_PORTS,
        "dscp": _same("ip dscp"),
    },
    "ipv6": {
        **_MACS,
        "srcipaddr": Term("ip6 saddr", "ip6 daddr", with_prefix, "srcipmask"),
        "dstipaddr": Term("ip6 daddr", "ip6 saddr", with_prefix, "dstipmask"),
        "protocol": _same("meta l4proto", _PROTOCOL), **_PORTS,
    },
}  # fmt: skip
#: What a frame of the protocol is.
_HEADS: Final = {
    "mac": "", "vlan": "ether type vlan", "stp": f"ether daddr {STP_GROUP} @nh,0,48 0x424203000000",
    "arp": "ether type arp", "rarp": "ether type 0x8035", "ip": "ether type ip", "ipv6": "ether type ip6",
}  # fmt: skip
_NUMBERS_OF_MESSAGES: Final = ("type", "typeend", "code", "codeend")


def terms(protocol: str, match: Mapping[str, str], unmatch: Mapping[str, str], *, swapped: bool) -> list[str]:
    """What a frame has to have; `swapped` exchanges source and destination.

    Raises `UnsupportedConfigError` for what nftables cannot look at.
    """
    _check(protocol, match, unmatch, swapped=swapped)
    given = {**match, **unmatch}
    found = [_HEADS[protocol]] if _HEADS[protocol] else []
    if protocol == "stp" and "type" not in given and any(name in given for name in _STP):
        found.append("@nh,48,8 0")  # only such a message has the other fields
    known = TERMS[protocol]
    found += [
        known[name].text(name, match, unmatch, swapped=swapped)
        for name in PROTOCOLS[protocol]
        if name in given and name in known
    ]
    if protocol == "ipv6":
        found += _messages(match, unmatch)
    return found


def _check(protocol: str, match: Mapping[str, str], unmatch: Mapping[str, str], *, swapped: bool) -> None:
    given = {**match, **unmatch}
    check_pairs(protocol, given)
    if given.get("gratuitous") == "true":
        raise UnsupportedConfigError(
            f"attribute 'gratuitous' of '{protocol}' is not available with nftables",
            domain=Origin.NWFILTER,
            hint="nftables does not compare two fields of a packet; match arpsrcipaddr and arpdstipaddr with $IP",
        )
    if protocol == "stp" and swapped and "srcmacaddr" in given:
        raise UnsupportedConfigError(
            "STP filtering in inout direction with source MAC address set is not supported",
            domain=Origin.NWFILTER,
            hint="write one rule for each direction",
        )


def _messages(match: Mapping[str, str], unmatch: Mapping[str, str]) -> list[str]:
    """Kinds of ICMPv6 messages, and codes of theirs; both are matched or not matched together."""
    given = {**match, **unmatch}
    if not any(name in given for name in _NUMBERS_OF_MESSAGES):
        return []
    negated = any(name in unmatch for name in _NUMBERS_OF_MESSAGES)
    kind = _span(given, "type", "typeend")
    code = _span(given, "code", "codeend")
    if kind is None or code is None:
        return [compare("icmpv6 type" if code is None else "icmpv6 code", kind or code or "", negated)]
    if negated:
        return [f"icmpv6 type . icmpv6 code != {{ {kind} . {code} }}"]
    return [f"icmpv6 type {kind}", f"icmpv6 code {code}"]


def _span(given: Mapping[str, str], first: str, last: str) -> str | None:
    if first not in given and last not in given:
        return None
    start = given.get(first, "0")
    return span(start, given[last]) if last in given else start
