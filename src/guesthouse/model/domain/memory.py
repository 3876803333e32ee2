"""A guest's memory: `<memory>` and `<currentMemory>`.

Format: https://libvirt.org/formatdomain.html#memory-allocation
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError
from guesthouse.model.binding import content, default, element, opt
from guesthouse.model.kinds import ON_OFF, TEXT, ULL

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


@element("memory")
class Memory:
    """The memory that the guest has at boot, in KiB; `dump_core` says whether it goes into a core dump of QEMU."""

    dump_core: bool | None = opt(ON_OFF, "dumpCore")
    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        if self.unit != "KiB":
            self.kib = in_kib(self.kib, self.unit)
            self.unit = "KiB"


@element("currentMemory")
class CurrentMemory:
    """The memory that the balloon leaves to the guest, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        if self.unit != "KiB":
            self.kib = in_kib(self.kib, self.unit)
            self.unit = "KiB"
