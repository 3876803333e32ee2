"""A guest's memory: units, and `<maxMemory>`, `<memory>` and `<currentMemory>`.

Format: https://libvirt.org/formatdomain.html#memory-allocation
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError
from guesthouse.model.binding import content, default, element, opt
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, ULL

_LETTERS: Final = "kmgtpe"
#: Unit, in lower case, to its size in bytes.
UNITS: Final[dict[str, int]] = {"b": 1, "bytes": 1}
for _power, _letter in enumerate(_LETTERS, 1):
    UNITS[_letter] = UNITS[f"{_letter}ib"] = 1024**_power
    UNITS[f"{_letter}b"] = 1000**_power

_LIMIT: Final = 2**64 - 1


def in_bytes(value: int, unit: str) -> int:
    """`value` of `unit` as bytes. Raises a `LibvirtError` for an unknown unit (8) or a size beyond 64 bits (82)."""
    scale = UNITS.get(unit.lower())
    if scale is None:
        raise InvalidArgumentError(f"unknown suffix '{unit}'", hint="use bytes, KiB, MiB, GiB or TiB")
    if value * scale > _LIMIT:
        raise LibvirtError(f"value too large: {value}{unit}", code=Code.OVERFLOW)
    return value * scale


def in_kib(value: int, unit: str) -> int:
    """`value` of `unit` as KiB, rounded up."""
    return -(-in_bytes(value, unit) // 1024)


class Amount:
    """An element whose text is an amount of memory: in KiB, whatever `unit` the document has it in."""

    __slots__ = ()

    unit: str
    kib: int

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        if self.unit != "KiB":
            self.kib = in_kib(self.kib, self.unit)  # type: ignore[misc] # the slot is the subclass's
            self.unit = "KiB"  # type: ignore[misc] # the slot is the subclass's


@element("maxMemory")
class MaxMemory(Amount):
    """How far the memory can grow by memory devices, in KiB, and in how many `slots` they are plugged (all ACPI)."""

    slots: int | None = opt(UINT)
    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("memory")
class Memory(Amount):
    """All of the guest's memory, that of its memory devices included, in KiB.

    `dump_core` says whether it goes into a core dump of QEMU.
    """

    dump_core: bool | None = opt(ON_OFF, "dumpCore")
    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("currentMemory")
class CurrentMemory(Amount):
    """The memory that the balloon leaves to the guest, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)
