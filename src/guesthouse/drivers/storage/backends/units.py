"""The logical units of SCSI adapters, as sysfs lists them: what pools of SCSI and iSCSI have for volumes.

Source: https://libvirt.org/storage.html, "SCSI pool"; Documentation/ABI/testing/sysfs-bus-scsi of the kernel.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.mounts import read_mounts
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.sysfs import HostTree, read_int

HOST: Final = HostTree()
_ADDRESS: Final = re.compile(r"(\d+):(\d+):(\d+):(\d+)")
#: Types of units that are volumes: a disk and a CD-ROM.
_VOLUME_TYPES: Final = (0, 5)
_SCSI_ID: Final = "/lib/udev/scsi_id"


@dataclass(frozen=True, slots=True)
class Unit:
    """One logical unit: its name in a pool, and the device file that the kernel gave it, such as `/dev/sda`."""

    name: str
    node: str


def list_units(adapter: int, tree: HostTree = HOST) -> list[Unit]:
    """The disks and CD-ROMs behind an adapter, by their addresses."""
    found: list[tuple[tuple[int, ...], Unit]] = []
    devices = tree.sys / "bus/scsi/devices"
    for entry in _names(str(devices)):
        match = _ADDRESS.fullmatch(entry)
        if match is None or int(match[1]) != adapter or read_int(devices / entry / "type") not in _VOLUME_TYPES:
            continue
        address = tuple(int(number) for number in match.groups())
        blocks = _names(str(devices / entry / "block"))
        if blocks:
            # The adapter's number is the kernel's choice and another at the next boot; the rest stays.
            name = "unit:{}:{}:{}".format(*address[1:])
            found.append((address, Unit(name, f"/dev/{blocks[0]}")))
    return [unit for _, unit in sorted(found, key=lambda pair: pair[0])]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def rescan(adapter: int, tree: HostTree = HOST) -> None:
    """Have the kernel look for units behind an adapter. Blocks as long as the adapter needs. Raises error 38."""
    path = tree.sys / f"class/scsi_host/host{adapter}/scan"
    try:
        path.write_text("- - -")
    except OSError as error:
        raise LibvirtError(
            f"Could not open '{path}' to trigger host scan: {error.strerror}",
            code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
        ) from error  # fmt: skip


def stable_path(directory: str, node: str) -> str | None:
    """The link in a directory such as `/dev/disk/by-path` that leads to a device file; None where there is none.

    In `/dev` itself it is the device file.
    """
    if directory.rstrip("/") == "/dev":
        return node
    for name in _names(directory):
        path = os.path.join(directory, name)
        if os.path.islink(path) and os.path.realpath(path) == os.path.realpath(node):
            return path
    return None


def need_stable(directory: str) -> None:
    """Refuse a target path outside of `/dev`. Raises error 8."""
    if directory.rstrip("/") != "/dev" and not directory.startswith("/dev/"):
        raise LibvirtError(
            f"unable to use target path '{directory}' for dev '': it is not below /dev",
            code=Code.INVALID_ARG, domain=Origin.STORAGE,
            hint="use /dev/disk/by-path, /dev/disk/by-id or /dev",
        )  # fmt: skip


async def serial(path: str) -> str:
    """What identifies a unit for good: its serial number, or its path where nobody can tell that."""
    if not os.access(_SCSI_ID, os.X_OK):
        return path
    finished = await tools.attempt(_SCSI_ID, "--replace-whitespace", "--whitelisted", "--device", path)
    said = finished.output.decode("utf-8", "replace").strip() if finished.ok else ""
    return said or path


def in_use(node: str, tree: HostTree = HOST) -> bool:
    """Whether somebody has a device: a file system, another device on it, or a process such as a guest's.

    Nothing is opened and no file is looked at that may lie on storage which hangs. Blocks for some milliseconds.
    """
    real = os.path.realpath(node)
    name = os.path.basename(real)
    if _names(str(tree.sys / "class/block" / name / "holders")):
        return True
    if any(os.path.realpath(mount.source) == real for mount in read_mounts() if mount.source.startswith("/dev/")):
        return True
    return any(_has_open(pid, real, tree) for pid in _names(str(tree.proc)) if pid.isdigit())


def _has_open(pid: str, node: str, tree: HostTree) -> bool:
    directory = str(tree.proc / pid / "fd")
    for descriptor in _names(directory):
        try:
            if os.readlink(os.path.join(directory, descriptor)) == node:
                return True
        except OSError:
            continue
    return False
