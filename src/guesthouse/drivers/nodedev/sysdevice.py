"""One device as sysfs and udev's database describe it.

The kernel tells the properties of a device in its file `uevent`; udev keeps what its rules added, and the links in
/dev, in a file of its own a device. A host without udev has less to say.

Source: Documentation/ABI/testing/sysfs-uevent, and systemd's description of `/run/udev/data`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guesthouse.host.sysfs import HostTree, read_text

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class SysDevice:
    """A device: its directory, its subsystem, its properties, and the links to its node in /dev."""

    tree: HostTree
    path: Path
    subsystem: str
    properties: dict[str, str]
    links: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in sysfs."""
        return self.path.name

    @property
    def sysfs_path(self) -> str:
        """Its directory as it is called on the host."""
        return f"/sys/{self.path.relative_to(self.tree.sys)}"

    @property
    def node(self) -> str | None:
        """Its file in /dev."""
        name = self.properties.get("DEVNAME")
        return f"/dev/{name.removeprefix('/dev/')}" if name else None

    @property
    def driver(self) -> str | None:
        """The driver that has it."""
        return link_name(self.path / "driver")

    def text(self, attribute: str) -> str | None:
        """An attribute without control characters; None where it is absent or empty."""
        found = read_text(self.path / attribute)
        return _CONTROL.sub("", found) or None if found is not None else None

    def number(self, attribute: str, base: int = 10) -> int | None:
        """An attribute that is a number; None where it is absent or none."""
        return _number(read_text(self.path / attribute), base)

    def property_number(self, name: str, base: int = 10) -> int | None:
        """A property that is a number; None where it is absent or none."""
        return _number(self.properties.get(name), base)


def read_device(path: Path, tree: HostTree) -> SysDevice | None:
    """The device of a directory in sysfs, or None where it has just gone. `path` is free of links."""
    told = read_text(path / "uevent")
    subsystem = link_name(path / "subsystem")
    if told is None or subsystem is None:
        return None
    properties = _pairs(told.splitlines())
    lines = (read_text(_database(path, subsystem, properties, tree)) or "").splitlines()
    properties |= _pairs(line[2:] for line in lines if line.startswith("E:"))
    links = tuple(sorted(f"/dev/{line[2:]}" for line in lines if line.startswith("S:")))
    return SysDevice(tree, path, subsystem, properties, links)


def link_name(path: Path) -> str | None:
    """The last part of what a link points to; None where there is none."""
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return None


def _pairs(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, sign, value = line.partition("=")
        if sign:
            found[name] = value
    return found


def _database(path: Path, subsystem: str, properties: dict[str, str], tree: HostTree) -> Path:
    """The file in which udev keeps what it knows of the device: by number, by index or by name."""
    folder = tree.sys.parent / "run/udev/data"
    major, minor = properties.get("MAJOR"), properties.get("MINOR")
    if major is not None and minor is not None:
        return folder / f"{'b' if subsystem == 'block' else 'c'}{major}:{minor}"
    if "IFINDEX" in properties:
        return folder / f"n{properties['IFINDEX']}"
    return folder / f"+{subsystem}:{path.name}"


def _number(text: str | None, base: int) -> int | None:
    try:
        return int(text, base) if text is not None else None
    except ValueError:
        return None
