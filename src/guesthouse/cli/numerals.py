"""Numbers as people type them, and how large those of the protocol can be."""

from __future__ import annotations

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1


def decimal(text: str) -> int | None:
    """The number that `text` is in base ten, or None; as C's strtol, with leading spaces and a sign allowed."""
    digits = text.lstrip(" \t\n\v\f\r")
    if digits[:1] in ("+", "-"):
        digits = digits[1:]
    return int(text) if digits.isascii() and digits.isdigit() else None
