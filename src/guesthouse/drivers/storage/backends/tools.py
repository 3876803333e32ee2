"""The programs that work on storage, each run as a child with a deadline.

A program is looked up in fixed places and gets a fixed environment, so that what it prints is what we know how to
read. One that is not installed is refused by name, with Debian's package that has it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.host import child
from guesthouse.host.child import ChildError, Finished

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UDEV: Final = Path("/run/udev")
_ENVIRONMENT: Final = {"PATH": PATH, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1", "HOME": "/"}

#: Seconds for what only asks, for what attaches or lets go of storage, and for what writes on it.
ASK: Final = 30.0
ATTACH: Final = 60.0
BUILD: Final = 600.0

#: Program to Debian's package.
PACKAGES: Final = {
    "blkid": "util-linux",
    "blockdev": "util-linux",
    "chmod": "coreutils",
    "chown": "coreutils",
    "dd": "coreutils",
    "dmsetup": "dmsetup",
    "gluster": "glusterfs-cli",
    "iscsi-ls": "libiscsi-bin",
    "iscsi-readcapacity16": "libiscsi-bin",
    "iscsiadm": "open-iscsi",
    "lvchange": "lvm2",
    "lvcreate": "lvm2",
    "lvremove": "lvm2",
    "lvresize": "lvm2",
    "lvs": "lvm2",
    "mkdir": "coreutils",
    "mkfs": "util-linux",
    "mount": "mount",
    "mount.cifs": "cifs-utils",
    "mount.glusterfs": "glusterfs-client",
    "mount.nfs": "nfs-common",
    "parted": "parted",
    "pvcreate": "lvm2",
    "pvremove": "lvm2",
    "pvs": "lvm2",
    "ceph": "ceph-common",
    "rbd": "ceph-common",
    "sfdisk": "fdisk",
    "showmount": "nfs-common",
    "test": "coreutils",
    "umount": "mount",
    "vgchange": "lvm2",
    "vgcreate": "lvm2",
    "vgremove": "lvm2",
    "vgs": "lvm2",
    "vstorage-mount": "vstorage-client",
    "zfs": "zfsutils-linux",
    "zpool": "zfsutils-linux",
}


class MissingToolError(UnsupportedConfigError):
    """A program that is needed is not installed."""

    domain = Origin.STORAGE


class ToolError(ChildError):
    """A program said no. The text has its last words."""

    domain = Origin.STORAGE


def installed(program: str) -> bool:
    """Whether a program is there."""
    return shutil.which(program, path=PATH) is not None


def locate(program: str) -> str:
    """The path of a program. Raises `MissingToolError`."""
    found = shutil.which(program, path=PATH)
    if found is None:
        raise MissingToolError(
            f"the program '{program}' is not installed", hint=f"install the package {PACKAGES.get(program, program)}"
        )
    return found


async def attempt(
    program: str,
    *arguments: str,
    deadline: float = ASK,
    data: bytes = b"",
    pass_fds: tuple[int, ...] = (),
    extra: dict[str, str] | None = None,
) -> Finished:
    """Run a program to its end, however that is. `extra` adds to its environment.

    Raises `MissingToolError`, and `guesthouse.host.child.ChildTimeoutError` when it did not end in time.
    """
    return await child.run(
        [locate(program), *arguments],
        deadline=deadline, data=data, env=_ENVIRONMENT | (extra or {}), cwd="/", pass_fds=pass_fds, umask=0o022,
    )  # fmt: skip


async def run(program: str, *arguments: str, deadline: float = ASK, extra: dict[str, str] | None = None) -> str:
    """Run a program that must end well; returns what it printed. Raises as `attempt`, and `ToolError`."""
    finished = await attempt(program, *arguments, deadline=deadline, extra=extra)
    return expect(finished, program, *arguments)


def expect(finished: Finished, program: str, *arguments: str) -> str:
    """The output of a program that ended well. Raises `ToolError`, in libvirt's words, for another."""
    if not finished.ok:
        words = finished.error_text or finished.output.decode("utf-8", "replace").strip()
        said = f": {words[-1024:]}" if words else ""
        line = " ".join([locate(program), *arguments])
        raise ToolError(f"Child process ({line}) unexpected {finished.exit}{said}")
    return finished.output.decode("utf-8", "replace")


async def settle() -> None:
    """Wait until the device files of new devices are there; without udev there is nothing to wait for."""
    if installed("udevadm") and _UDEV.is_dir():
        await attempt("udevadm", "settle", "--timeout=10", deadline=ASK)


async def exists(path: str) -> bool:
    """Whether something is at a path; asked in a child, for the path may lead to a server that hangs."""
    return (await attempt("test", "-e", path)).ok
