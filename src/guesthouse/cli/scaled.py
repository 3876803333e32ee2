"""Sizes on the command line: a number with a unit, as virsh reads it (`512`, `2G`, `1MiB`, `1MB`, `100b`)."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.numerals import decimal

_POWERS = "kmgtpe"
_MOST = 2**64 - 1


def scaled(text: str, option: str, scale: int, most: int = _MOST) -> int:
    """The number of bytes; without a unit times `scale`. Raises CommandError."""
    digits = text.lstrip(" \t\n\v\f\r")
    end = len(digits) - len(digits.lstrip("0123456789"))
    number, unit = decimal(digits[:end]), _unit(digits[end:].lower(), scale)
    if number is None or unit is None or number * unit > most:
        raise CommandError(f"Scaled numeric value '{text}' for <{option}> option is malformed or out of range")
    return number * unit


def _unit(suffix: str, scale: int) -> int | None:
    if not suffix:
        return scale
    if suffix in ("b", "byte", "bytes"):
        return 1
    power = _POWERS.find(suffix[0]) + 1
    base = {"": 1024, "ib": 1024, "b": 1000}.get(suffix[1:])
    return base**power if power and base is not None else None
