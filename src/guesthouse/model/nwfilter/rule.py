"""A rule of a network filter: what is to be done with which packets.

Format: https://libvirt.org/formatnwfilter.html#concepts-and-filtering-chains
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from guesthouse.errors import InternalError, Origin, XmlError
from guesthouse.model.binding import Reading
from guesthouse.model.kinds import Kind
from guesthouse.model.nwfilter.protocols import LEADERS, PROTOCOLS
from guesthouse.model.xmltext import Lines, escape

ACTIONS: Final = ("drop", "accept", "reject", "return", "continue")
DIRECTIONS: Final = ("in", "out", "inout")
LOWEST_PRIORITY: Final = -1000
HIGHEST_PRIORITY: Final = 1000
_DEFAULT_PRIORITY: Final = 500
_PORTS: Final = ("srcportstart", "srcportend", "dstportstart", "dstportend")
_WITH_PORTS: Final = ("tcp", "udp", "sctp", "33", "0x21")
#: The attributes that a rule itself has.
_OWN: Final = frozenset(("action", "direction", "priority", "statematch"))


@dataclass(slots=True)
class Rule:
    """A packet of the `protocol` is taken where all of `match` and nothing of `unmatch` is true of it.

    Both map attributes of the protocol to values in libvirt's spelling; `values.variable` tells which of them are
    variables. Without a protocol every packet is taken. Rules of lower priority come first. `stateful` False keeps
    the connections' state out of it.
    """

    action: str
    direction: str
    priority: int = _DEFAULT_PRIORITY
    stateful: bool = True
    protocol: str | None = None
    match: dict[str, str] = field(default_factory=dict)
    unmatch: dict[str, str] = field(default_factory=dict)

    def write(self, lines: Lines) -> None:
        """Append the element."""
        head = f" action='{self.action}' direction='{self.direction}' priority='{self.priority}'"
        if not self.stateful:
            head += " statematch='false'"
        if self.protocol is None:
            lines.leaf("rule", head)
            return
        lines.open("rule", head)
        if self.match or not self.unmatch:
            lines.leaf(self.protocol, self._attributes(self.match))
        if self.unmatch:
            lines.leaf(self.protocol, " match='no'" + self._attributes(self.unmatch))
        lines.close("rule")

    def _attributes(self, given: Mapping[str, str]) -> str:
        order = PROTOCOLS[self.protocol or ""]
        return "".join(f" {name}='{escape(given[name])}'" for name in order if name in given)


def _required(node: etree._Element, name: str, words: tuple[str, ...]) -> str:
    value = node.get(name)
    if value is None:
        raise XmlError(
            f"Missing required attribute '{name}' in element 'rule' (line {node.sourceline})", domain=Origin.XML
        )
    if value not in words:
        raise XmlError(
            f"Invalid value for attribute '{name}' in element 'rule': '{value[:200]}'",
            domain=Origin.XML,
            hint=f"it takes one of {', '.join(words)}; line {node.sourceline}",
        )
    return str(value)


def _priority(node: etree._Element) -> int:
    text = str(node.get("priority", _DEFAULT_PRIORITY)).strip()
    if text.lstrip("+-").isdecimal() and text.isascii() and len(text) < 6:
        priority = int(text)
        if LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
            return priority
    raise XmlError(
        f"Invalid value for attribute 'priority' in element 'rule': '{text[:200]}'",
        domain=Origin.XML,
        hint=f"it takes a number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}; line {node.sourceline}",
    )


def read_rule(node: etree._Element, reading: Reading) -> Rule:
    """The rule that `node` describes.

    Raises `LibvirtError` that names element and line: what no protocol has is refused, a wrong value is error 1.
    """
    for name in node.keys():  # noqa: SIM118 - an element is no mapping: `in node` are its children
        if str(name) not in _OWN:
            raise reading.refuse(node, f"attribute '{name!s}'")
    rule = Rule(_required(node, "action", ACTIONS), _required(node, "direction", DIRECTIONS), _priority(node))
    rule.stateful = str(node.get("statematch", "true")).lower() not in ("0", "false")
    for child in node:
        tag = str(child.tag)
        if tag not in PROTOCOLS or rule.protocol not in (None, tag) or len(child):
            raise reading.refuse(node, f"element '{tag}'", child)
        rule.protocol = tag
        _read_protocol(rule, child, PROTOCOLS[tag], reading)
    _settle(rule)
    _check_ports(rule, node)
    return rule


def _read_protocol(rule: Rule, node: etree._Element, attributes: Mapping[str, Kind[str]], reading: Reading) -> None:
    found = rule.unmatch if node.get("match") == "no" else rule.match
    for name, text in node.items():
        name, text = str(name), str(text)
        if name == "match":
            if text not in ("yes", "no"):
                raise InternalError(f"match has illegal value {text[:200]}", hint=f"line {node.sourceline}")
            continue
        if name not in attributes:
            raise reading.refuse(node, f"attribute '{name}'")
        if name in rule.match or name in rule.unmatch:
            raise XmlError(f"attribute '{name}' is given twice for the rule (line {node.sourceline})")
        try:
            found[name] = attributes[name].parse(text)
        except ValueError:
            raise InternalError(
                f"{name} has illegal value {text[:200]}",
                hint=f"an attribute of '{node.tag!s}' that takes {attributes[name].name}; line {node.sourceline}",
            ) from None


def _settle(rule: Rule) -> None:
    """Give attributes that belong together one sign, and a set of addresses its direction."""
    for name, leader in LEADERS.items():
        if name in rule.match and leader in rule.unmatch:
            rule.unmatch[name] = rule.match.pop(name)
        elif name in rule.unmatch and leader in rule.match:
            rule.match[name] = rule.unmatch.pop(name)
    for found in (rule.match, rule.unmatch):
        if "ipset" in found and "ipsetflags" not in rule.match and "ipsetflags" not in rule.unmatch:
            found["ipsetflags"] = "src"


def _check_ports(rule: Rule, node: etree._Element) -> None:
    if rule.protocol not in ("ip", "ipv6"):
        return
    given = {**rule.match, **rule.unmatch}
    if any(name in given for name in _PORTS) and given.get("protocol") not in _WITH_PORTS:
        raise InternalError(
            f"{'IP' if rule.protocol == 'ip' else 'IPv6'} rule with port specification requires protocol specification "
            "with protocol to be either one of tcp(6), udp(17), dccp(33), or sctp(132)",
            hint=f"line {node.sourceline}",
        )
