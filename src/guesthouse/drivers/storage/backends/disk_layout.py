"""How a disk is parted: what sfdisk(8) and parted(8) print for programs, and where a new partition goes.

New partitions begin at whole mebibytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin

#: What parted prints of the disk: its path, which may have colons, its size, what it is attached by, the lengths of its
#: sectors, its label. And of a part that is free.
_DISK: Final = re.compile(r":(?P<size>\d+)B:[^:\n]*:\d+:\d+:(?P<label>[^:\n]*):")
_FREE: Final = re.compile(r"(?m)^\d+:(\d+)B:(\d+)B:\d+B:free;$")
#: Names of labels that parted spells in another way.
_LABELS: Final = {"msdos": "dos"}
#: Types of the partition of a DOS table that holds the logical ones.
_EXTENDED_TYPES: Final = ("5", "f", "85")
_FIRST_LOGICAL: Final = 5
_ALIGNMENT: Final = 1024 * 1024
_SECTOR: Final = 512
#: What a DOS table takes besides the extended partition.
_MOST_PRIMARY: Final = 4

PRIMARY, EXTENDED, LOGICAL = "primary", "extended", "logical"


class LayoutError(LibvirtError):
    """What a tool printed of a disk cannot be read."""

    code = Code.INTERNAL_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition; `start` and `end` in bytes, the end being the first byte that is not its."""

    node: str
    number: int
    kind: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Free:
    """A part of a disk that no partition has. `logical` says that it lies in the extended one."""

    start: int
    end: int
    logical: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A disk: the name of its label as libvirt has it, its size, its partitions and what is free."""

    label: str
    size: int
    partitions: tuple[Partition, ...]
    free: tuple[Free, ...]

    @property
    def extended(self) -> Partition | None:
        """The partition that holds the logical ones."""
        return next((part for part in self.partitions if part.kind == EXTENDED), None)


def parse_partitions(output: str) -> tuple[str, list[Partition]]:
    """The label and the partitions that `sfdisk --json` printed. Raises `LayoutError`."""
    try:
        table = json.loads(output)["partitiontable"]
        label, sector = str(table["label"]), int(table.get("sectorsize", _SECTOR))
        found = []
        for entry in table.get("partitions", []):
            number = int(str(entry["node"])[len(str(entry["node"]).rstrip("0123456789")) :])
            start = int(entry["start"]) * sector
            kind = _kind(label, number, str(entry["type"]))
            found.append(Partition(str(entry["node"]), number, kind, start, start + int(entry["size"]) * sector))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise LayoutError("sfdisk printed no table of partitions") from error
    return label, found


def _kind(label: str, number: int, type_: str) -> str:
    if label != "dos":
        return PRIMARY
    if type_.lower() in _EXTENDED_TYPES:
        return EXTENDED
    return LOGICAL if number >= _FIRST_LOGICAL else PRIMARY


def parse_free(output: str) -> tuple[int, list[tuple[int, int]]]:
    """The size of a disk and what is free on it, from `parted -m DEVICE unit B print free`. Raises `LayoutError`."""
    disk = _DISK.search(output)
    if disk is None:
        raise LayoutError("parted printed no table of partitions")
    size = int(disk["size"])
    free = [(int(match[1]), int(match[2]) + 1) for match in _FREE.finditer(output)]
    return size, free


def parse_label(output: str) -> str | None:
    """The label in the output of `parted -m DEVICE unit B print`, or None where there is none that it knows."""
    disk = _DISK.search(output)
    label = disk["label"] if disk is not None else ""
    return None if label in ("", "loop", "unknown") else _LABELS.get(label, label)


def combine(partitions: str, free: str) -> Layout:
    """The layout that both tools' output describes."""
    label, parts = parse_partitions(partitions)
    size, holes = parse_free(free)
    extended = next((part for part in parts if part.kind == EXTENDED), None)

    def inside(start: int, end: int) -> bool:
        return extended is not None and start >= extended.start and end <= extended.end

    return Layout(
        label, size, tuple(parts), tuple(Free(max(start, _SECTOR), end, inside(start, end)) for start, end in holes)
    )


def place(layout: Layout, size: int, *, logical: bool) -> tuple[int, int]:
    """Where a new partition goes: start and end in bytes, in the smallest part that has room for it.

    Raises `InternalError` where there is none.
    """
    fitting = []
    for free in layout.free:
        # The sector before a logical partition describes it.
        start = -(-(free.start + (_SECTOR if logical else 0)) // _ALIGNMENT) * _ALIGNMENT
        end = start + -(-size // _ALIGNMENT) * _ALIGNMENT
        if free.logical is logical and end > free.end >= start + size:
            end = start + -(-size // _SECTOR) * _SECTOR
        if free.logical is logical and end <= free.end:
            fitting.append((free.end - free.start, start, end))
    if not fitting:
        raise InternalError("no large enough free extent", domain=Origin.STORAGE)
    _, start, end = min(fitting)
    return start, end


def kind_of_new(layout: Layout, wanted: str) -> str:
    """Which kind of partition is made for a volume of this format. Raises `InternalError` where none can be.

    `wanted` is a format of volumes of libvirt's disk pools.
    """
    if layout.label != "dos":
        return PRIMARY
    if wanted == "extended":
        if layout.extended is not None:
            raise InternalError("extended partition already exists", domain=Origin.STORAGE)
        return EXTENDED
    if sum(part.kind != LOGICAL for part in layout.partitions) < _MOST_PRIMARY:
        return PRIMARY
    if layout.extended is None:
        raise InternalError("no extended partition found and no primary partition available", domain=Origin.STORAGE)
    return LOGICAL
