"""How one attribute of a rule becomes a term of nftables: an expression, an operator, a value.

Source: nft(8), "PAYLOAD EXPRESSIONS"; the layout of frames from IEEE 802.1D, RFC 826 and RFC 903.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.nwfilter.protocols import LEADERS

#: What has a meaning of its own.
_ALONE: Final = ("code", "typeend", "codeend")

#: Writes a term: expression, value, the value that belongs to it (a mask, the end of a range), whether it is negated.
Writer: TypeAlias = "Callable[[str, str, str | None, bool], str]"


@dataclass(frozen=True, slots=True)
class Term:
    """An attribute: its expression, that for packets of the opposite direction, and the attribute that goes with it."""

    straight: str
    swapped: str
    write: Writer
    partner: str | None = None

    def text(self, name: str, match: Mapping[str, str], unmatch: Mapping[str, str], *, swapped: bool) -> str:
        """The term for the attribute `name`, which one of the two has."""
        given, negated = (match, False) if name in match else (unmatch, True)
        partner = given.get(self.partner) if self.partner is not None else None
        return self.write(self.swapped if swapped else self.straight, given[name], partner, negated)


def check_pairs(protocol: str, given: Mapping[str, str]) -> None:
    """Refuse a mask or an end without what it belongs to: it would say nothing. Raises `UnsupportedConfigError`."""
    for name, leader in LEADERS.items():
        if name in given and leader not in given and name not in _ALONE:
            raise UnsupportedConfigError(
                f"attribute '{name}' of '{protocol}' means nothing without '{leader}'", domain=Origin.NWFILTER
            )


def sign(negated: bool) -> str:
    """The operator between an expression with a mask and its value."""
    return "!=" if negated else "=="


def compare(expression: str, value: str, negated: bool) -> str:
    """A comparison with a value."""
    return f"{expression} {'!= ' if negated else ''}{value}"


def plain(expression: str, value: str, _partner: str | None, negated: bool) -> str:
    """A value as it is."""
    return compare(expression, value, negated)


def ranged(expression: str, value: str, end: str | None, negated: bool) -> str:
    """A value, or a range of them. Raises `UnsupportedConfigError` for one that ends before it begins."""
    return compare(expression, value if end is None else span(value, end), negated)


def span(first: str, last: str) -> str:
    """A range, of numbers or of addresses. Raises `UnsupportedConfigError` for one that ends before it begins."""
    if _number(last) < _number(first):
        raise UnsupportedConfigError(
            f"the range from '{first}' to '{last}' ends before it begins", domain=Origin.NWFILTER
        )
    return f"{first}-{last}"


def _number(text: str) -> int:
    return int(ipaddress.ip_address(text)) if "." in text or ":" in text else int(text, 0)


def named(numbers: Mapping[str, int] | Mapping[str, str]) -> Writer:
    """A number that may have a name."""

    def write(expression: str, value: str, _partner: str | None, negated: bool) -> str:
        return compare(expression, str(numbers.get(value, value)), negated)

    return write


def with_prefix(expression: str, value: str, bits: str | None, negated: bool) -> str:
    """An IP address with the bits of its network."""
    return compare(expression, value if bits is None else f"{value}/{bits}", negated)


def mac_masked(expression: str, value: str, mask: str | None, negated: bool) -> str:
    """A MAC address with a mask."""
    if mask is None:
        return compare(expression, value, negated)
    kept = (int(one, 16) & int(other, 16) for one, other in zip(value.split(":"), mask.split(":"), strict=True))
    return f"{expression} & {mask} {sign(negated)} {':'.join(f'{part:02x}' for part in kept)}"


def ip_masked(expression: str, value: str, bits: str | None, negated: bool) -> str:
    """An IPv4 address where nftables takes no prefix."""
    if bits is None:
        return compare(expression, value, negated)
    network = ipaddress.IPv4Network((value, int(bits)), strict=False)
    return f"{expression} & {network.netmask} {sign(negated)} {network.network_address}"


def raw_mac(expression: str, value: str, mask: str | None, negated: bool) -> str:
    """A MAC address at a place that nftables has no name for."""
    return _raw(expression, int(value.replace(":", ""), 16), mask and int(mask.replace(":", ""), 16), negated)


def raw_ip(expression: str, value: str, bits: str | None, negated: bool) -> str:
    """An IPv4 address at a place that nftables has no name for."""
    mask = None if bits is None else int(ipaddress.IPv4Network((0, int(bits))).netmask)
    return _raw(expression, int(ipaddress.IPv4Address(value)), mask, negated)


def _raw(expression: str, value: int, mask: int | str | None, negated: bool) -> str:
    if isinstance(mask, int):
        return f"{expression} & {mask:#x} {sign(negated)} {value & mask:#x}"
    return compare(expression, f"{value:#x}", negated)
