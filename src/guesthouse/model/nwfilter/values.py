"""Values of attributes in filter rules: each kind checks a text and returns it in libvirt's spelling.

A value may be a variable, which the guest's card or the filter's reference gives: `$IP`, `$IP[2]` for one of several
values, `$IP[@1]` for an iterator that runs over all of them.

Format: https://libvirt.org/formatnwfilter.html#supported-protocols
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from guesthouse.model.kinds import Kind

#: Numbers that have names, by the name.
ETHERTYPES: Final = {"arp": 0x806, "rarp": 0x8035, "ipv4": 0x800, "ipv6": 0x86DD, "vlan": 0x8100}
ARP_OPCODES: Final = {
    "Request": 1, "Reply": 2, "Request_Reverse": 3, "Reply_Reverse": 4, "DRARP_Request": 5, "DRARP_Reply": 6,
    "DRARP_Error": 7, "InARP_Request": 8, "ARP_NAK": 9,
}  # fmt: skip
IP_PROTOCOLS: Final = {
    "tcp": 6, "udp": 17, "udplite": 136, "esp": 50, "ah": 51, "icmp": 1, "igmp": 2, "sctp": 132, "icmpv6": 58,
}  # fmt: skip
STATES: Final = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "NONE")
TCP_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_NO_STATE: Final = "NONE"
_LONGEST_COMMENT: Final = 256

_DECIMAL: Final = re.compile(r"[0-9]+", re.ASCII)
_HEXADECIMAL: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]+")
_VARIABLE: Final = re.compile(r"\$([A-Za-z0-9_]+)(?:\[ *(@?) *([0-9]{1,9}) *\] *)?", re.ASCII)
_MAC: Final = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}")
_SET_NAME: Final = re.compile(r"[A-Za-z0-9_.:\-+ ]{1,31}")
_SET_FLAGS: Final = re.compile(r"(?:src|dst)(?:,(?:src|dst)){0,5}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Variable:
    """The use of a variable: the value at `index`, or those that the iterator of that number runs over."""

    name: str
    index: int
    iterates: bool

    def __str__(self) -> str:
        if self.iterates:
            return f"${self.name}[@{self.index}]" if self.index else f"${self.name}"
        return f"${self.name}[{self.index}]"


def variable(text: str) -> Variable | None:
    """The variable that a value is; None where it is none. Raises `ValueError` for one that is malformed."""
    if not text.startswith("$"):
        return None
    found = _VARIABLE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    iterates = found[3] is None or found[2] == "@"
    return Variable(found[1], int(found[3] or 0), iterates)


def or_variable(kind: Kind[str]) -> Kind[str]:
    """A value of the kind, or a variable."""

    def parse(text: str) -> str:
        found = variable(text)
        return kind.parse(text) if found is None else str(found)

    return Kind(f"{kind.name}, or a variable", parse, str)


def _number(text: str, high: int) -> tuple[int, bool]:
    """The number, and whether it is to be written in hexadecimal digits."""
    if _DECIMAL.fullmatch(text) and int(text) <= high:
        return int(text), False
    if _HEXADECIMAL.fullmatch(text) and int(text, 16) <= high:
        return int(text, 16), True
    raise ValueError(text)


def number(high: int) -> Kind[str]:
    """A number, decimal or hexadecimal; it keeps its form."""

    def parse(text: str) -> str:
        value, hexadecimal = _number(text, high)
        return f"{value:#x}" if hexadecimal else str(value)

    return or_variable(Kind(f"a number up to {high}", parse, str))


def _named(low: int, high: int, names: Mapping[str, int], *, hexadecimal_too: bool = True) -> Kind[str]:
    """A number, or a name of one; it is written as the name where it has one."""
    by_number = {value: name for name, value in names.items()}
    by_name = {name.lower(): name for name in names}

    def parse(text: str) -> str:
        if text.lower() in by_name:
            return by_name[text.lower()]
        value, hexadecimal = _number(text, high)
        if value < low:
            raise ValueError(text)
        return by_number.get(value) or (f"{value:#x}" if hexadecimal and hexadecimal_too else str(value))

    return or_variable(Kind(f"a number from {low} to {high} or one of {', '.join(names)}", parse, str))


def _address(family: Callable[[str], object], name: str) -> Kind[str]:
    return or_variable(Kind(name, lambda text: str(family(text)), str))


def _mask(bits: int, family: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address]) -> Kind[str]:
    """A mask as the number of its bits, also where it was written as an address."""

    def parse(text: str) -> str:
        if _DECIMAL.fullmatch(text):
            if int(text) > bits:
                raise ValueError(text)
            return str(int(text))
        inverse = int(family(text)) ^ ((1 << bits) - 1)
        if inverse & (inverse + 1):
            raise ValueError(text)
        return str(bits - inverse.bit_length())

    return or_variable(Kind(f"a mask, or its bits up to {bits}", parse, str))


def _mac(text: str) -> str:
    """A MAC address; here zeros at the beginning of its numbers may be missing."""
    if not _MAC.fullmatch(text):
        raise ValueError(text)
    return ":".join(f"{int(part, 16):02x}" for part in text.split(":"))


def _mac_mask(text: str) -> str:
    lowered = _mac(text)
    inverse = int(lowered.replace(":", ""), 16) ^ ((1 << 48) - 1)
    if inverse & (inverse + 1):
        raise ValueError(text)
    return lowered


def _truth(text: str) -> str:
    return {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false"}[text]


def _truth_or_error(text: str) -> str:
    try:
        return _truth(text)
    except KeyError:
        raise ValueError(text) from None


def _words(text: str, known: tuple[str, ...]) -> list[str]:
    """The words between commas and blanks, in the order of `known`."""
    given = {word.upper() for word in re.split(r"[,\s]+", text) if word}
    if given - set(known):
        raise ValueError(text)
    return [word for word in known if word in given]


def _states(text: str) -> str:
    found = _words(text, STATES)
    return _NO_STATE if _NO_STATE in found else ",".join(found)


def _tcp_half(text: str) -> str:
    found = _words(text, (*TCP_FLAGS, "ALL", "NONE"))
    flags = TCP_FLAGS if "ALL" in found else tuple(flag for flag in TCP_FLAGS if flag in found)
    return "ALL" if flags == TCP_FLAGS else ",".join(flags) or "NONE"


def _tcp_flags(text: str) -> str:
    mask, slash, flags = text.partition("/")
    if not slash:
        raise ValueError(text)
    return f"{_tcp_half(mask)}/{_tcp_half(flags)}"


def _comment(text: str) -> str:
    if len(text) > _LONGEST_COMMENT:
        raise ValueError(text)
    return text


def _set_name(text: str) -> str:
    if not _SET_NAME.fullmatch(text):
        raise ValueError(text)
    return text


def _set_flags(text: str) -> str:
    if not _SET_FLAGS.fullmatch(text):
        raise ValueError(text)
    return text.lower()


U8: Final = number(0xFF)
U16: Final = number(0xFFFF)
U32: Final = number(0xFFFFFFFF)
COUNT: Final = number(0xFFFF)
DSCP: Final = number(63)
VLAN_ID: Final = number(4095)
MAC_ADDRESS: Final = or_variable(Kind("a MAC address", _mac, str))
MAC_MASK: Final = or_variable(Kind("a mask of a MAC address", _mac_mask, str))
IPV4: Final = _address(ipaddress.IPv4Address, "an IPv4 address")
IPV6: Final = _address(ipaddress.IPv6Address, "an IPv6 address")
IPV4_MASK: Final = _mask(32, ipaddress.IPv4Address)
IPV6_MASK: Final = _mask(128, ipaddress.IPv6Address)
ETHERTYPE: Final = _named(0x600, 0xFFFF, ETHERTYPES)
ENCAPSULATED: Final = _named(0x3C, 0xFFFF, ETHERTYPES)
ARP_OPCODE: Final = _named(0, 0xFFFF, ARP_OPCODES, hexadecimal_too=False)
IP_PROTOCOL: Final = _named(0, 0xFF, IP_PROTOCOLS)
TRUTH: Final = or_variable(Kind("true or false", _truth_or_error, str))
STATE: Final = or_variable(Kind(f"states: {', '.join(STATES)}", _states, str))
FLAGS: Final = or_variable(Kind(f"a mask and flags: {', '.join(TCP_FLAGS)}, ALL or NONE", _tcp_flags, str))
SET_NAME: Final = or_variable(Kind("the name of an ipset", _set_name, str))
SET_FLAGS: Final = or_variable(Kind("src and dst with commas", _set_flags, str))
COMMENT: Final = or_variable(Kind(f"at most {_LONGEST_COMMENT} characters", _comment, str))
