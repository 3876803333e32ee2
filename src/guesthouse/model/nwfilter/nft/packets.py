"""What a rule about packets matches: tcp, udp, icmp, all and so on, over IPv4 or IPv6.

A rule that accepts describes the packets that begin a connection: `out` those from the guest, `in` those to it. The
answers of such connections are let through by a rule for the opposite direction, which the same rule makes. With
`state` a rule is about packets of these states alone (`NONE`: of any), and about its own direction. `inout` is without
state, and describes packets as they come to the guest.

Source: https://libvirt.org/formatnwfilter.html#advanced-filter-configuration-topics; nft(8), "CONNTRACK EXPRESSIONS".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.nwfilter.nft.terms import Term, check_pairs, compare, plain, ranged, with_prefix
from guesthouse.model.nwfilter.protocols import PROTOCOLS
from guesthouse.model.nwfilter.rule import Rule
from guesthouse.model.nwfilter.values import IP_PROTOCOLS, TCP_FLAGS

#: How far the names over IPv6 differ from those over IPv4.
_OVER_IPV6: Final = "-ipv6"
_NO_STATE: Final = "NONE"
_BEGINS: Final = ("new,established", "original")
_ANSWERS: Final = ("established", "reply")


#: Makes a set for connections that are counted; returns its name.
NewSet = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Matched:
    """The terms of a rule; `tracked` says that they ask for the state of connections."""

    terms: list[str]
    tracked: bool


def matched(
    rule: Rule, match: Mapping[str, str], unmatch: Mapping[str, str], *, incoming: bool, new_set: NewSet
) -> Matched | None:
    """What packets have to have that come to the guest (`incoming`) or from it; None where a rule is not about those.

    Raises `UnsupportedConfigError` for what nftables cannot look at.
    """
    given = {**match, **unmatch}
    opposite = rule.direction == ("out" if incoming else "in")
    swapped = rule.direction == "out" if incoming else rule.direction != "out"
    if opposite and ("type" in given or (rule.stateful and "state" in given)):
        return None
    if swapped and "connlimit-above" in given:
        return None
    _check(rule, given)
    terms = _terms(rule.protocol or "", match, unmatch, swapped=swapped)
    if swapped and "srcmacaddr" in given and not terms:
        return None
    tracking = _tracking(rule, match, unmatch, opposite=opposite) if rule.stateful else []
    terms = [*_head(rule.protocol or ""), *terms, *tracking]
    if "connlimit-above" in given:
        terms.append(_limit(rule.protocol or "", given["connlimit-above"], "connlimit-above" in unmatch, new_set))
    return Matched(terms, bool(tracking) or "connlimit-above" in given)


def _check(rule: Rule, given: Mapping[str, str]) -> None:
    check_pairs(rule.protocol or "", given)
    if "ipset" in given:
        raise UnsupportedConfigError(
            f"attribute 'ipset' of '{rule.protocol}' is not available with nftables",
            domain=Origin.NWFILTER,
            hint="nftables does not read sets of ipset(8); name the addresses with a variable that has a list of them",
        )


def _head(protocol: str) -> list[str]:
    name = protocol.removesuffix(_OVER_IPV6)
    family = "meta protocol ip6" if _is_ipv6(protocol) else "meta protocol ip"
    return [family] if name == "all" else [family, f"meta l4proto {IP_PROTOCOLS[name]}"]


def _is_ipv6(protocol: str) -> bool:
    return protocol.endswith(_OVER_IPV6) or protocol == "icmpv6"


def _tracking(rule: Rule, match: Mapping[str, str], unmatch: Mapping[str, str], *, opposite: bool) -> list[str]:
    given = {**match, **unmatch}
    if given.get("state") == _NO_STATE:
        return []
    if "state" in given:
        words = given["state"].lower()
        return [f"ct state != {{ {words} }}" if "state" in unmatch else f"ct state {words}"]
    if rule.action != "accept" or rule.direction == "inout" or "connlimit-above" in given:
        return []
    states, direction = _ANSWERS if opposite else _BEGINS
    return [f"ct state {states}"] if "type" in given else [f"ct state {states}", f"ct direction {direction}"]


def _limit(protocol: str, most: str, negated: bool, new_set: NewSet) -> str:
    family, kind = ("ip6", "ipv6_addr") if _is_ipv6(protocol) else ("ip", "ipv4_addr")
    return f"add @{new_set(kind)} {{ {family} saddr ct count {'' if negated else 'over '}{int(most, 0)} }}"


def _terms(protocol: str, match: Mapping[str, str], unmatch: Mapping[str, str], *, swapped: bool) -> list[str]:
    given = {**match, **unmatch}
    known = _TERMS[protocol]
    found = [
        known[name].text(name, match, unmatch, swapped=swapped)
        for name in PROTOCOLS[protocol]
        if name in given and name in known and not (name == "srcmacaddr" and swapped)
    ]
    if "code" in given and "type" in given:
        icmp, negated = protocol, "type" in unmatch
        if negated:
            return [*found, f"{icmp} type . {icmp} code != {{ {given['type']} . {given['code']} }}"]
        return [*found, f"{icmp} type {given['type']}", f"{icmp} code {given['code']}"]
    return found + [
        compare(f"{protocol} {name}", given[name], name in unmatch) for name in ("type", "code") if name in given
    ]


def _addresses(family: str) -> dict[str, Term]:
    source, destination = f"{family} saddr", f"{family} daddr"
    return {
        "srcmacaddr": Term("ether saddr", "ether saddr", plain),
        "srcipaddr": Term(source, destination, with_prefix, "srcipmask"),
        "dstipaddr": Term(destination, source, with_prefix, "dstipmask"),
        "srcipfrom": Term(source, destination, ranged, "srcipto"),
        "dstipfrom": Term(destination, source, ranged, "dstipto"),
        "dscp": Term(f"{family} dscp", f"{family} dscp", plain),
    }


def _ports(protocol: str) -> dict[str, Term]:
    source, destination = f"{protocol} sport", f"{protocol} dport"
    return {
        "srcportstart": Term(source, destination, ranged, "srcportend"),
        "dstportstart": Term(destination, source, ranged, "dstportend"),
    }


def _bits(words: str) -> int:
    chosen = TCP_FLAGS if words == "ALL" else words.split(",")
    return sum(1 << TCP_FLAGS.index(word) for word in chosen if word in TCP_FLAGS)


def _flags(expression: str, value: str, _partner: str | None, negated: bool) -> str:
    mask, _, flags = value.partition("/")
    return f"{expression} & {_bits(mask):#04x} {'!=' if negated else '=='} {_bits(flags):#04x}"


def _option(expression: str, value: str, _partner: str | None, negated: bool) -> str:
    return f"{expression} {int(value, 0)} {'missing' if negated else 'exists'}"


_TCP: Final = {
    **_ports("tcp"),
    "flags": Term("tcp flags", "tcp flags", _flags),
    "option": Term("tcp option", "tcp option", _option),
}
_OWN: Final[Mapping[str, Mapping[str, Term]]] = {"tcp": _TCP, "udp": _ports("udp"), "sctp": _ports("sctp")}
_TERMS: Final[Mapping[str, Mapping[str, Term]]] = {
    name: {
        **_addresses("ip6" if _is_ipv6(name) else "ip"),
        **_OWN.get(name.removesuffix(_OVER_IPV6), {}),
    }
    for name, attributes in PROTOCOLS.items()
    if "connlimit-above" in attributes
}
#: The protocols of rules about packets.
PACKETS: Final = frozenset(_TERMS)
