"""What the firmware says about the machine: the SMBIOS tables, as the kernel shows them to root.

A structure is a header (type, length, handle), a formatted area whose fields have fixed offsets, and the strings that
its fields count from 1. Offsets and meanings: DMTF DSP0134, "System Management BIOS Reference Specification". Values
are worded as dmidecode(8) words them, because libvirt passes that on.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.host.smbios_names import FAMILIES, FORM_FACTORS, MEMORY_DETAILS, MEMORY_TYPES, PROCESSOR_TYPES
from guesthouse.host.sysfs import HostTree

BIOS, SYSTEM, BASE_BOARD, CHASSIS, PROCESSOR, OEM_STRINGS, MEMORY_DEVICE = 0, 1, 2, 3, 4, 11, 17

_END: Final = 127
_UNKNOWN: Final = "Unknown"
_OUT_OF_SPEC: Final = "<OUT OF SPEC>"
_STATUS: Final = (
    _UNKNOWN,
    "Enabled",
    "Disabled By User",
    "Disabled By BIOS",
    "Idle",
    _OUT_OF_SPEC,
    _OUT_OF_SPEC,
    "Other",
)


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure: `area` is the formatted area with its header, so that offsets are those of the specification."""

    kind: int
    area: bytes
    strings: tuple[str, ...]

    def has(self, offset: int, size: int = 1) -> bool:
        """Whether the structure is long enough for a field."""
        return offset + size <= len(self.area)

    def number(self, offset: int, size: int = 1) -> int:
        """A field of `size` bytes; 0 where the structure is too short for it."""
        return int.from_bytes(self.area[offset : offset + size], "little") if self.has(offset, size) else 0

    def text(self, offset: int) -> str | None:
        """The string that a field names; None where the structure is too short for the field."""
        if not self.has(offset):
            return None
        index = self.number(offset)
        if index == 0:
            return "Not Specified"
        return self.strings[index - 1].rstrip() if index <= len(self.strings) else "<BAD INDEX>"


def parse_structures(table: bytes) -> Iterator[Structure]:
    """The structures of a table, up to its end or to where it is broken."""
    offset = 0
    while offset + 4 <= len(table):
        kind, length = table[offset], table[offset + 1]
        end = table.find(b"\0\0", offset + length)
        if length < 4 or kind == _END or end < 0:
            return
        strings = table[offset + length : end].split(b"\0") if end > offset + length else []
        yield Structure(
            kind, table[offset : offset + length], tuple(_printable(part.decode("latin-1")) for part in strings)
        )
        offset = end + 2


def _printable(text: str) -> str:
    return "".join(char if 32 <= ord(char) < 127 else "." for char in text)


Entries = dict[str, str]


@dataclass(frozen=True, slots=True)
class Smbios:
    """The machine. Each part leads from libvirt's names of its entries to their values, in libvirt's order."""

    bios: Entries
    system: Entries
    base_boards: tuple[Entries, ...]
    chassis: Entries
    processors: tuple[Entries, ...]
    memory_devices: tuple[Entries, ...]
    oem_strings: tuple[str, ...]


def parse_smbios(table: bytes, version: tuple[int, int]) -> Smbios:
    """Read a table of an SMBIOS of that version."""
    found: dict[int, list[Structure]] = {}
    for structure in parse_structures(table):
        found.setdefault(structure.kind, []).append(structure)

    def first(kind: int) -> Structure | None:
        return next(iter(found.get(kind, ())), None)

    bios, system, chassis = first(BIOS), first(SYSTEM), first(CHASSIS)
    return Smbios(
        bios=_bios(bios) if bios else {},
        system=_system(system, version) if system else {},
        base_boards=tuple(_texts(board, _BASE_BOARD) for board in found.get(BASE_BOARD, ())),
        chassis=_chassis(chassis) if chassis else {},
        processors=tuple(_processor(cpu) for cpu in found.get(PROCESSOR, ())),
        memory_devices=tuple(_memory(device) for device in found.get(MEMORY_DEVICE, ())),
        oem_strings=tuple(
            text for structure in found.get(OEM_STRINGS, ()) for text in structure.strings[: structure.number(4)]
        ),
    )


#: Entries that are strings: libvirt's name and the field's offset.
_BASE_BOARD: Final = (
    ("manufacturer", 0x4),
    ("product", 0x5),
    ("version", 0x6),
    ("serial", 0x7),
    ("asset", 0x8),
    ("location", 0xA),
)


def _texts(structure: Structure, fields: tuple[tuple[str, int], ...]) -> Entries:
    found = ((name, structure.text(offset)) for name, offset in fields)
    return {name: text for name, text in found if text is not None}


def _bios(structure: Structure) -> Entries:
    entries = _texts(structure, (("vendor", 0x4), ("version", 0x5), ("date", 0x8)))
    if structure.has(0x15) and structure.number(0x14) != 0xFF and structure.number(0x15) != 0xFF:
        entries["release"] = f"{structure.number(0x14)}.{structure.number(0x15)}"
    return entries


def _system(structure: Structure, version: tuple[int, int]) -> Entries:
    entries = _texts(structure, (("manufacturer", 0x4), ("product", 0x5), ("version", 0x6), ("serial", 0x7)))
    if structure.has(0x8, 16):
        entries["uuid"] = _uuid(structure.area[0x8:0x18], version)
    return entries | _texts(structure, (("sku", 0x19), ("family", 0x1A)))


def _uuid(data: bytes, version: tuple[int, int]) -> str:
    if data == bytes(16):
        return "Not Settable"
    if data == b"\xff" * 16:
        return "Not Present"
    return str(uuid.UUID(bytes_le=data) if version >= (2, 6) else uuid.UUID(bytes=data))


def _chassis(structure: Structure) -> Entries:
    sku = 0x15 + structure.number(0x13) * structure.number(0x14)
    return _texts(structure, (("manufacturer", 0x4), ("version", 0x6), ("serial", 0x7), ("asset", 0x8), ("sku", sku)))


def _processor(structure: Structure) -> Entries:
    family = structure.number(0x6)
    if family == 0xFE and structure.has(0x28, 2):
        family = structure.number(0x28, 2)
    status = structure.number(0x18)
    entries = {
        "socket_destination": structure.text(0x4),
        "type": _named(PROCESSOR_TYPES, structure.number(0x5)),
        "family": FAMILIES.get(family, _OUT_OF_SPEC),
        "manufacturer": structure.text(0x7),
        "signature": _processor_signature(family, structure.number(0x8, 4)),
        "version": structure.text(0x10),
        "external_clock": _megahertz(structure.number(0x12, 2)),
        "max_speed": _megahertz(structure.number(0x14, 2)),
        "status": f"Populated, {_STATUS[status & 7]}" if status & 0x40 else "Unpopulated",
        "serial_number": structure.text(0x20),
        "part_number": structure.text(0x22),
    }
    return {name: value for name, value in entries.items() if value is not None}


#: Families whose identification is CPUID's, by maker; other makers, and what came before the
#: Pentium, have no signature.
_INTEL: Final = (
    (0xB, 0x15),
    (0x28, 0x2F),
    (0xA1, 0xB3),
    (0xB5, 0xB5),
    (0xB9, 0xC7),
    (0xCD, 0xCF),
    (0xD2, 0xDB),
    (0xDD, 0xE0),
)
_AMD: Final = (
    (0x18, 0x1D),
    (0x1F, 0x1F),
    (0x38, 0x3F),
    (0x46, 0x4F),
    (0x66, 0x6B),
    (0x83, 0x8F),
    (0xB6, 0xB7),
    (0xE4, 0xEF),
)


_ARM: Final = frozenset((0x100, 0x101, 0x118, 0x119))


def _processor_signature(family: int, eax: int) -> str | None:
    extended_family, extended_model = eax >> 20 & 0xFF, eax >> 16 & 0xF
    base_family, model, stepping = eax >> 8 & 0xF, eax >> 4 & 0xF, eax & 0xF
    if any(low <= family <= high for low, high in _INTEL):
        whole_family, whole_model = base_family + extended_family, model + (extended_model << 4)
        return f"Type {eax >> 12 & 0x3}, Family {whole_family}, Model {whole_model}, Stepping {stepping}"
    if any(low <= family <= high for low, high in _AMD):
        whole_family = base_family + (extended_family if base_family == 0xF else 0)
        whole_model = model | (extended_model << 4 if base_family == 0xF else 0)
        return f"Family {whole_family}, Model {whole_model}, Stepping {stepping}"
    if family in _ARM:
        return (
            f"Implementor 0x{eax >> 24:02x}, Variant 0x{eax >> 20 & 0xF:x}, Architecture {extended_model}, "
            f"Part 0x{eax >> 4 & 0xFFF:03x}, Revision {stepping}"
        )
    return None


def _memory(structure: Structure) -> Entries:
    entries = {
        "size": _memory_size(structure),
        "form_factor": _named(FORM_FACTORS, structure.number(0xE)),
        "locator": structure.text(0x10),
        "bank_locator": structure.text(0x11),
        "type": _named(MEMORY_TYPES, structure.number(0x12)),
        "type_detail": _memory_detail(structure.number(0x13, 2)),
        "speed": _transfers(structure.number(0x15, 2)) if structure.has(0x15, 2) else None,
        "manufacturer": structure.text(0x17),
        "serial_number": structure.text(0x18),
        "part_number": structure.text(0x1A),
    }
    return {name: value for name, value in entries.items() if value is not None}


def _memory_size(structure: Structure) -> str:
    """Sizes are in MiB, or with the highest bit set in KiB; the largest value points to a wider field."""
    size = structure.number(0xC, 2)
    if size == 0:
        return "No Module Installed"
    if size == 0xFFFF:
        return _UNKNOWN
    if size & 0x8000:
        return f"{size & 0x7FFF} kB"
    if size == 0x7FFF and structure.has(0x1C, 4):
        size = structure.number(0x1C, 4) & 0x7FFFFFFF
    for unit in ("MB", "GB", "TB"):
        if size % 1024 or unit == "TB":
            return f"{size} {unit}"
        size //= 1024
    return _UNKNOWN


def _memory_detail(bits: int) -> str:
    names = [name for bit, name in enumerate(MEMORY_DETAILS) if bit and bits >> bit & 1]
    return " ".join(names) or "None"


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number - 1] if 1 <= number <= len(names) else _OUT_OF_SPEC


def _megahertz(number: int) -> str:
    return f"{number} MHz" if number else _UNKNOWN


def _transfers(number: int) -> str:
    return f"{number} MT/s" if number else _UNKNOWN


def read_smbios(tree: HostTree) -> Smbios | None:
    """The host's; None where there is none, or it is not ours to read."""
    directory = tree.sys / "firmware/dmi/tables"
    try:
        entry = (directory / "smbios_entry_point").read_bytes()
        table = (directory / "DMI").read_bytes()
    except OSError:
        return None
    version = _entry_version(entry)
    return parse_smbios(table, version) if version is not None else None


#: Parts of the machine, and libvirt's names of their entries to the kernel's files.
_FILES: Final[dict[str, dict[str, str]]] = {
    "bios": {"vendor": "bios_vendor", "version": "bios_version", "date": "bios_date", "release": "bios_release"},
    "system": {
        "manufacturer": "sys_vendor",
        "product": "product_name",
        "version": "product_version",
        "serial": "product_serial",
        "uuid": "product_uuid",
        "sku": "product_sku",
        "family": "product_family",
    },
    "board": {
        "manufacturer": "board_vendor",
        "product": "board_name",
        "version": "board_version",
        "serial": "board_serial",
        "asset": "board_asset_tag",
    },
    "chassis": {
        "manufacturer": "chassis_vendor",
        "version": "chassis_version",
        "serial": "chassis_serial",
        "asset": "chassis_asset_tag",
    },
}


def read_identity(tree: HostTree) -> Smbios | None:
    """What can be read of bios, system, board and chassis: from the tables, or where they are not ours to read from
    what the kernel shows of them to everybody. None where there is none.
    """
    found = read_smbios(tree)
    if found is not None:
        return found
    directory = tree.sys / "class/dmi/id"
    parts = {part: _read_entries(directory, names) for part, names in _FILES.items()}
    if not any(parts.values()):
        return None
    boards = (parts["board"],) if parts["board"] else ()
    return Smbios(parts["bios"], parts["system"], boards, parts["chassis"], (), (), ())


def _read_entries(directory: Path, names: dict[str, str]) -> Entries:
    entries = {}
    for name, file in names.items():
        with contextlib.suppress(OSError):
            text = _printable((directory / file).read_bytes().decode("latin-1").rstrip("\n"))
            if text.strip():
                entries[name] = text.rstrip()
    return entries


def _entry_version(entry: bytes) -> tuple[int, int] | None:
    if entry.startswith(b"_SM3_") and len(entry) >= 9:
        return entry[7], entry[8]
    if entry.startswith(b"_SM_") and len(entry) >= 8:
        return entry[6], entry[7]
    return None
