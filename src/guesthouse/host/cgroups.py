"""Control groups: which hierarchies the host has, and a group for each guest with a part for each kind of thread.

    /machine/qemu-3-web.libvirt-qemu/                 the guest                   cpu, cpuset, memory, blkio, ...
    /machine/qemu-3-web.libvirt-qemu/emulator         QEMU's own threads          cpu, cpuacct, cpuset
    /machine/qemu-3-web.libvirt-qemu/vcpu0            one virtual processor       cpu, cpuacct, cpuset
    /machine/qemu-3-web.libvirt-qemu/iothread1        one I/O thread              cpu, cpuacct, cpuset

Where systemd rules the tree, the guest is a scope of its in `machine.slice`, and its parts lie in `libvirt/` below it.
Version 1 has a tree for each controller, version 2 one for all; a host may have both, each with some controllers.

Everything here blocks for microseconds, except the first attachment of a process in a while, which waits for the
kernel's grace period: some 15 ms. Use a thread.

Layout: https://libvirt.org/cgroups.html. Files: the kernel's `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2.rst`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin

#: Controllers that a guest's group uses, by the names of version 1.
CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio")

#: Those that its parts use.
THREAD_CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset")

#: What a controller is called in version 2. `cpuacct`, `devices` and `freezer` are always there.
SECOND: Final = {"cpu": "cpu", "cpuset": "cpuset", "memory": "memory", "blkio": "io"}
IMPLICIT: Final = ("cpuacct", "devices", "freezer")

#: Where the parts of a scope of systemd's lie.
NESTED: Final = "libvirt"


class CgroupError(LibvirtError):
    """The kernel refused a change of a control group."""

    code = Code.SYSTEM_ERROR
    domain = Origin.CGROUP


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where control groups are mounted: version 1 by controller, and version 2 with the controllers that it has."""

    first: Mapping[str, Path]
    second: Path | None = None
    second_controllers: frozenset[str] = frozenset()

    @property
    def available(self) -> bool:
        """Whether a guest can have a group at all."""
        return bool(self.first) or bool(self.second_controllers)

    @classmethod
    def read(cls, mountinfo: str | Path = "/proc/self/mountinfo") -> Hierarchies:
        """Those of this process's mount namespace."""
        first: dict[str, Path] = {}
        second: Path | None = None
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                kind, _source, options = after.split(" ", 2)
                place = Path(before.split()[4].replace("\\040", " "))
                if kind == "cgroup":
                    names = set(options.strip().split(","))
                    first |= {name: place for name in CONTROLLERS if name in names and name not in first}
                elif kind == "cgroup2" and second is None:
                    second = place
        return cls(first, second, _second_controllers(second, first) if second is not None else frozenset())

    def group(self, path: str) -> Group:
        """The group at `path` (such as `/machine/qemu-3-web.libvirt-qemu`) in every hierarchy. Touches nothing."""
        relative = path.lstrip("/")
        folders = {name: place / relative for name, place in self.first.items()}
        unified = self.second / relative if self.second is not None and self.second_controllers else None
        return Group(folders, unified, self.second_controllers)


def _second_controllers(place: Path, first: Mapping[str, Path]) -> frozenset[str]:
    """What version 2 serves; empty where it is mounted but all is in version 1."""
    try:
        named = set((place / "cgroup.controllers").read_text().split())
    except OSError:
        return frozenset()
    found = {name for name, word in SECOND.items() if word in named and name not in first}
    return frozenset(found | {name for name in IMPLICIT if found and name not in first})


class Group:
    """One control group: a folder for each controller of version 1, and one of version 2.

    Nothing is cached: what the files say is what holds.
    """

    def __init__(self, first: Mapping[str, Path], second: Path | None, second_controllers: Iterable[str]) -> None:
        self.first = dict(first)
        self.second = second
        self.second_controllers = frozenset(second_controllers) if second is not None else frozenset()
        #: Below which the parts for threads lie: empty, or `libvirt` in a scope of systemd's.
        self.nested = ""

    def has(self, controller: str) -> bool:
        """Whether a controller can be used here."""
        return controller in self.first or controller in self.second_controllers

    def version(self, controller: str) -> int:
        """Which version serves a controller."""
        return 1 if controller in self.first else 2

    def file(self, controller: str, name: str) -> Path:
        """A file of a controller. Raises `CgroupError` where the controller is missing."""
        folder = self.first.get(controller) or (self.second if controller in self.second_controllers else None)
        if folder is None:
            raise CgroupError(f"Controller '{controller}' is not mounted", code=Code.INTERNAL_ERROR)
        return folder / name

    def read(self, controller: str, name: str) -> str:
        """What a file says. Raises `CgroupError`."""
        path = self.file(controller, name)
        try:
            return path.read_text().strip()
        except OSError as error:
            raise CgroupError(f"Unable to read from '{path}': {error.strerror}") from error

    def write(self, controller: str, name: str, value: str | int) -> None:
        """Change a file. Raises `CgroupError`."""
        _write(self.file(controller, name), str(value))

    @property
    def folders(self) -> list[Path]:
        """All folders of the group."""
        return [*dict.fromkeys(self.first.values()), *([self.second] if self.second is not None else [])]

    def create(self) -> None:
        """Make the folders, where they are not there, with what a new group needs of its parent. Raises `CgroupError`.

        Controllers of version 2 that the parent cannot pass on are left out.
        """
        for controller, folder in self.first.items():
            if _make(folder) and controller == "cpuset":
                for name in ("cpuset.cpus", "cpuset.mems", "cpuset.memory_migrate"):
                    _write(folder / name, (folder.parent / name).read_text().strip())
        if self.second is not None:
            _make(self.second)
            passed = {name for name in self.second_controllers if name in IMPLICIT or _enable(self.second, name)}
            self.second_controllers = frozenset(passed)

    def add(self, pid: int) -> None:
        """Move a process with all its threads here. Raises `CgroupError`."""
        for folder in self.folders:
            _write(folder / "cgroup.procs", str(pid))

    def part(self, name: str) -> Group:
        """The part for one kind of thread: `emulator`, `vcpu0`, `iothread1`. Touches nothing."""
        below = Path(self.nested, name)
        first = {word: folder / below for word, folder in self.first.items() if word in THREAD_CONTROLLERS}
        second = self.second / below if self.second is not None else None
        return Group(first, second, self.second_controllers & set(THREAD_CONTROLLERS))

    def nest(self) -> None:
        """In a scope of systemd's: let the parts lie in `libvirt/`, and move what is in the scope there."""
        folders = {name: folder / NESTED for name, folder in self.first.items() if name in THREAD_CONTROLLERS}
        below = Group(folders, None, ())
        below.create()
        if self.second is not None:
            below.second = self.second / NESTED
            _make(below.second)
        members = {line for folder in self.folders for line in (folder / "cgroup.procs").read_text().split()}
        for member in members:
            below.add(int(member))
        if below.second is not None:
            for controller in self.second_controllers & set(THREAD_CONTROLLERS) - set(IMPLICIT):
                _enable(below.second, controller)
        self.nested = NESTED

    def create_part(self, name: str) -> Group:
        """Make a part, ready for threads. Raises `CgroupError`."""
        part = self.part(name)
        second, part.second = part.second, None
        part.create()
        part.second = second
        if second is not None and part.second_controllers:
            _make(second)
            _write(second / "cgroup.type", "threaded")
            for controller in part.second_controllers:
                if controller not in IMPLICIT:
                    _enable(second, controller)
        return part

    def add_thread(self, tid: int) -> None:
        """Move one thread here, into a part. Raises `CgroupError`; ESRCH where the thread has ended."""
        for folder in dict.fromkeys(self.first.values()):
            _write(folder / "tasks", str(tid))
        if self.second is not None and self.second_controllers:
            _write(self.second / "cgroup.threads", str(tid))

    def exists(self) -> bool:
        """Whether any of its folders is there."""
        return any(folder.is_dir() for folder in self.folders)

    def remove(self) -> bool:
        """Remove the group with everything below it. Returns False while processes are in it."""
        left = False
        for folder in self.folders:
            for place, _, _ in os.walk(folder, topdown=False):
                try:
                    os.rmdir(place)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise CgroupError(f"Unable to remove '{place}': {error.strerror}") from error
                    left = True
        return not left


def _make(folder: Path) -> bool:
    """Make a folder. Returns whether it is new."""
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        return False
    except OSError as error:
        raise CgroupError(f"Failed to create controller {folder}: {error.strerror}") from error
    return True


def _enable(folder: Path, controller: str) -> bool:
    """Have the parent of a folder of version 2 pass a controller on."""
    with contextlib.suppress(CgroupError):
        _write(folder.parent / "cgroup.subtree_control", f"+{SECOND[controller]}")
        return True
    return False


def _write(path: Path, value: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise CgroupError(f"Invalid value '{value}' for '{path.name}': {error.strerror}") from error
        raise CgroupError(f"Unable to write to '{path}': {error.strerror}") from error
