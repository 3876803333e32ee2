"""`/proc` and `/sys` as a tree that can be moved, and reading its one-line files.

Every reader of this package takes a `HostTree`, so that it also works on a tree of fixtures. The kernel answers reads
of these files from memory; none of them waits for a device.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Bytes of one read. A file ends where a read finds nothing: `/proc` also hands out less where more follows.
_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class HostTree:
    """Where `/proc`, `/sys` and `/dev` are."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    dev: Path = Path("/dev")

    @classmethod
    def under(cls, root: Path) -> HostTree:
        """The three directories below `root`."""
        return cls(root / "proc", root / "sys", root / "dev")

    @property
    def cpus(self) -> Path:
        """The directory with one entry a processor."""
        return self.sys / "devices/system/cpu"

    @property
    def nodes(self) -> Path:
        """The directory with one entry a NUMA node; absent on kernels without NUMA."""
        return self.sys / "devices/system/node"


def read_text(path: Path) -> str | None:
    """The file's text without the white space around it, or None where it is absent or unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        chunks = []
        while chunk := os.read(descriptor, _CHUNK):
            chunks.append(chunk)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return b"".join(chunks).decode("utf-8", "replace").strip()


def read_int(path: Path, base: int = 10) -> int | None:
    """The number that the file holds, or None where it is absent or no number."""
    text = read_text(path)
    try:
        return int(text, base) if text is not None else None
    except ValueError:
        return None


def parse_list(text: str) -> list[int]:
    """The numbers of a kernel list such as `0-3,8`, in order. Raises ValueError."""
    numbers: list[int] = []
    for part in text.split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            numbers.extend(range(int(first), int(last or first) + 1))
    return sorted(set(numbers))


def format_list(numbers: list[int]) -> str:
    """The opposite of `parse_list`: `0-3,8`."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def read_list(path: Path) -> list[int] | None:
    """The numbers of a kernel list in a file, or None where it is absent or malformed."""
    text = read_text(path)
    try:
        return parse_list(text) if text is not None else None
    except ValueError:
        return None


def numbered(directory: Path, prefix: str) -> list[tuple[int, Path]]:
    """The entries `PREFIX0`, `PREFIX1`… of a directory in numeric order; empty where there is none."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError:
        return []
    found = [
        (int(name[len(prefix) :]), name) for name in names if name.startswith(prefix) and name[len(prefix) :].isdigit()
    ]
    return [(number, directory / name) for number, name in sorted(found)]
