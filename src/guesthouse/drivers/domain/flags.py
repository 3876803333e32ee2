"""Checking the flags of a call."""

from __future__ import annotations

from guesthouse.errors import InvalidArgumentError


def check(flags: int, known: int, function: str) -> None:
    """Refuse flags that the call does not have. `function` is the name that libvirt gives in the text."""
    if flags & ~known:
        raise InvalidArgumentError(f"unsupported flags (0x{flags & ~known:x}) in function {function}")


def exclusive(flags: int, one: int, other: int, function: str, names: tuple[str, str]) -> None:
    """Refuse two flags that contradict each other."""
    if flags & one and flags & other:
        raise InvalidArgumentError(f"Flags '{names[0]}' and '{names[1]}' in function {function} are mutually exclusive")


#: Bits of `virDomainModificationImpact`: which definition a call is about.
LIVE = 1
CONFIG = 2
