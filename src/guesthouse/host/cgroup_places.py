"""Where in the tree of control groups guests belong, what their groups are called, and which one a process is in.

Names: https://libvirt.org/cgroups.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from guesthouse.host.cgroups import IMPLICIT, NESTED, SECOND, CgroupError, Group, Hierarchies

_FIXED_PARTITIONS: Final = ("machine", "system", "user")


def partition_folder(partition: str) -> str:
    """The folder of a resource partition without systemd: `/machine`, `/machine/web.partition`.

    libvirt's rule: each part gets a suffix, except a first one of `machine`, `system` and `user`, or one that has one.
    """
    words = partition.strip("/").split("/")
    return "/" + "/".join(
        word if "." in word or (not at and word in _FIXED_PARTITIONS) else f"{word}.partition"
        for at, word in enumerate(words)
    )


def partition_slice(partition: str) -> str:
    """The slice of a resource partition under systemd: `machine.slice`, `machine-web.slice`."""
    return "-".join(map(unit_escaped, partition.strip("/").split("/"))) + ".slice"


def unit_escaped(text: str) -> str:
    r"""A text as part of the name of a unit of systemd's: what may not stand there as `\xNN`."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in ":_" or (char == "." and at)) else _hex(char)
        for at, char in enumerate(text)
    )


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())


def prepare_partition(hierarchies: Hierarchies, partition: str) -> None:
    """Make `/machine`; every other partition is the administrator's, and must be there. Raises `CgroupError`."""
    group = hierarchies.group(partition_folder(partition))
    if partition == "/machine":
        group.create()
        return
    missing = next((folder for folder in group.folders if not folder.is_dir()), None)
    if missing is not None:
        raise CgroupError(f"Failed to create controller {missing}: No such file or directory")


def of_process(hierarchies: Hierarchies, pid: int, name: str) -> Group | None:
    """The group called `name` that a running process is in, or None. `name` is the last part of its path.

    The process itself is in the part `emulator`: that is taken off.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    first: dict[str, Path] = {}
    second: Path | None = None
    nested = False
    for line in lines:
        _, controllers, path = line.split(":", 2)
        words = [word for word in path.split("/") if word]
        if name not in words:
            continue
        at = words.index(name)
        nested = nested or NESTED in words[at + 1 :]
        relative = "/".join(words[: at + 1])
        if controllers:
            known = [one for one in controllers.split(",") if one in hierarchies.first]
            first |= {one: hierarchies.first[one] / relative for one in known}
        elif hierarchies.second is not None and hierarchies.second_controllers:
            second = hierarchies.second / relative
    if not first and second is None:
        return None
    group = Group(first, second, _passed_on(second, hierarchies))
    group.nested = NESTED if nested else ""
    return group


def _passed_on(folder: Path | None, hierarchies: Hierarchies) -> frozenset[str]:
    """The controllers of version 2 that reach a group."""
    if folder is None:
        return frozenset()
    try:
        words = set((folder / "cgroup.controllers").read_text().split())
    except OSError:
        return frozenset()
    known = hierarchies.second_controllers
    return frozenset(name for name in known if SECOND.get(name, "") in words or name in IMPLICIT)
