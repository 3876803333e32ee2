"""Which of a client's USB devices may be redirected to the guest.

Source: https://libvirt.org/formatdomain.html#redirected-devices.
"""

from __future__ import annotations

import re
from typing import Final

from guesthouse.model.binding import attr, element, many, opt, unbound
from guesthouse.model.domain.devices.base import Alias, Device
from guesthouse.model.kinds import YES_NO, Kind

#: What stands for every value.
_ANY: Final = "-1"
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)
_VERSION: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})", re.ASCII)


def _code(digits: int) -> Kind[int | None]:
    """A number of so many hexadecimal digits; None for every number."""
    limit = 16**digits - 1

    def parse(text: str) -> int | None:
        if text == _ANY:
            return None
        if not _NUMBER.fullmatch(text):
            raise ValueError
        value = int(text, 16 if text[:2].lower() == "0x" else 8 if text.startswith("0") and text != "0" else 10)
        if value > limit:
            raise ValueError
        return value

    return Kind(
        f"a number up to {limit:#x}", parse, lambda value: "" if value is None else f"0x{value:0{digits}X}", plain=True
    )


def _parse_version(text: str) -> int | None:
    """A version such as 1.10 as the decimal digits of two bytes: 0x0110. What follows the point is a fraction."""
    if text == _ANY:
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError
    return int(f"{int(match[1]):02}{match[2].ljust(2, '0')}", 16)


def _format_version(version: int | None) -> str:
    if version is None:
        return ""
    digits = f"{version:04x}"
    return f"{int(digits[:2])}.{digits[2:]}"


_VERSIONS: Final[Kind[int | None]] = Kind("a version such as 1.10", _parse_version, _format_version, plain=True)


@element("usbdev")
class FilterRule:
    """What to do with devices of a class, a maker, a product and a version; what is left out is any."""

    class_: int | None = opt(_code(2), "class")
    vendor: int | None = opt(_code(4))
    product: int | None = opt(_code(4))
    version: int | None = opt(_VERSIONS)
    allow: bool = attr(YES_NO)

    @property
    def words(self) -> str:
        """The rule as QEMU's usb-redir has it."""
        numbers = ((self.class_, 2), (self.vendor, 4), (self.product, 4), (self.version, 4))
        parts = [_ANY if number is None else f"0x{number:0{digits}X}" for number, digits in numbers]
        return ":".join([*parts, str(int(self.allow))])


@element("redirfilter", omit_empty=True)
class RedirFilter(Device):
    """The rules, of which the first that fits counts. They are no device: every redirected one carries them."""

    rules: list[FilterRule] = many(FilterRule)
    alias: Alias | None = unbound(None)

    @property
    def words(self) -> str:
        """All rules as QEMU's usb-redir has them."""
        return "|".join(rule.words for rule in self.rules)
