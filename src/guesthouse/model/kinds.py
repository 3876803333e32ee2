"""Kinds of values in XML: how a text becomes a value, how a value becomes libvirt's text, and what is refused.

A kind is a pair of functions. `parse` raises `ValueError` for a text that is not of the kind; the binding turns that
into an error which names the element, the attribute and the line.
"""

from __future__ import annotations

import re
import uuid as _uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value: `name` describes it in messages; white space at a text's ends counts if it `keeps_space`.

    A `plain` one never writes a character that XML would have escaped.
    """

    name: str
    parse: Callable[[str], T]
    format: Callable[[T], str]
    keeps_space: bool = False
    plain: bool = False


def one_of(*words: str) -> Kind[str]:
    """One of these words; anything else is refused."""
    known = {word: word for word in words}

    def parse(text: str) -> str:
        try:
            return known[text]  # our own string: a document's would be kept once a guest
        except KeyError:
            raise ValueError from None

    return Kind("one of " + ", ".join(words), parse, str, plain=True)


def _truth(yes: str, no: str) -> Kind[bool]:
    values = {yes: True, no: False}

    def parse(text: str) -> bool:
        try:
            return values[text]
        except KeyError:
            raise ValueError from None

    return Kind(f"{yes} or {no}", parse, lambda value: yes if value else no, plain=True)


def integer(low: int | None = None, high: int | None = None, *, base: int = 10) -> Kind[int]:
    """A whole number from `low` to `high`, both inclusive. Only ASCII digits with a sign, as C's strtol takes them."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text):
            raise ValueError
        value = int(text, base)
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError
        return value

    limits = f" from {low} to {high}" if high is not None else f" from {low}" if low is not None else ""
    return Kind(f"a whole number{limits}", parse, str, plain=True)


def hexadecimal(digits: int, high: int) -> Kind[int]:
    """A number written as `0x…` with at least `digits` digits, as addresses are; read in any of C's bases."""

    def parse(text: str) -> int:
        if not _ANY_BASE.fullmatch(text):
            raise ValueError
        lowered = text.lower()
        value = int(
            lowered, 16 if lowered.startswith("0x") else 8 if lowered.startswith("0") and lowered != "0" else 10
        )
        if value > high:
            raise ValueError
        return value

    return Kind(f"a number up to {high:#x}", parse, f"0x%0{digits}x".__mod__, plain=True)


def matching(pattern: str, name: str) -> Kind[str]:
    """A text that matches the regular expression as a whole."""
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError
        return text

    return Kind(name, parse, str)


def _parse_uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError
    return str(_uuid.UUID(text))


def _parse_mac(text: str) -> str:
    if not _MAC.fullmatch(text):
        raise ValueError
    return text.lower()


#: The highest number of a processor in a set, as libvirt's parser of sets has it.
MAX_CPU: Final = 16383


def parse_cpuset(text: str) -> frozenset[int]:
    """The numbers in a set such as `0-3,^2,7`. Raises `ValueError`."""
    found: set[int] = set()
    for part in text.split(","):
        part = part.strip()
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError
        first = int(match[2])
        last = int(match[3]) if match[3] else first
        if last < first or last > MAX_CPU or (match[1] and match[3]):
            raise ValueError
        if match[1]:
            found.discard(first)
        else:
            found.update(range(first, last + 1))
    if not found:
        raise ValueError
    return frozenset(found)


def format_cpuset(cpus: frozenset[int]) -> str:
    """The set in its shortest form: `0-1,3,7`."""
    parts: list[str] = []
    ordered = sorted(cpus)
    start = 0
    for index, cpu in enumerate(ordered):
        if index + 1 == len(ordered) or ordered[index + 1] != cpu + 1:
            parts.append(str(cpu) if index == start else f"{ordered[start]}-{cpu}")
            start = index + 1
    return ",".join(parts)


_RANGE: Final = re.compile(r"(\^?)([0-9]{1,9})(?:-([0-9]{1,9}))?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_ANY_BASE: Final = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")

TEXT: Final[Kind[str]] = Kind("text", str, str)
PROSE: Final[Kind[str]] = Kind("text", str, str, keeps_space=True)
YES_NO: Final = _truth("yes", "no")
ON_OFF: Final = _truth("on", "off")
INT: Final = integer(-(2**31), 2**31 - 1)
UINT: Final = integer(0, 2**32 - 1)
ULL: Final = integer(0, 2**64 - 1)
PORT: Final = integer(-1, 65535)
UUID: Final[Kind[str]] = Kind("a UUID", _parse_uuid, str, plain=True)
MAC: Final[Kind[str]] = Kind("a MAC address", _parse_mac, str, plain=True)
CPUSET: Final[Kind[str]] = Kind("a set of processors", lambda text: format_cpuset(parse_cpuset(text)), str)
ABSOLUTE_PATH: Final = matching(r"/.*", "an absolute path")
