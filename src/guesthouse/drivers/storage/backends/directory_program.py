"""Make or remove the directory of a pool.

A program of its own, standard library only, so that a directory on storage that hangs hangs a process that can be
killed. Its argument is `make` or `remove`, its input a JSON object: `path`, and for `make` `mode` (null: `default`
where the directory is made, else as it is), `owner` and `group` (-1: as they are), `cow` (null, or whether the file
system is to copy on write). A failure is told on the errors, in libvirt's words.

Source: `FS_IOC_SETFLAGS` of ioctl_iflags(2).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import sys

GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
NO_COPY_ON_WRITE = 0x00800000


def make(order: dict[str, object]) -> None:
    """Make the directory, whole: nobody sees it with other permissions than it will have."""
    path = str(order["path"])
    parent = os.path.dirname(path)
    try:
        os.makedirs(parent, exist_ok=True)
    except OSError as error:
        fail(f"cannot create path '{parent}'", error)
    mode = order["mode"] if isinstance(order["mode"], int) else None
    try:
        os.mkdir(path, 0o700)
        mode = int(str(order["default"])) if mode is None else mode
    except FileExistsError:
        if not os.path.isdir(path):
            fail(f"failed to create directory '{path}'", OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    except OSError as error:
        fail(f"failed to create directory '{path}'", error)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        owner, group = int(str(order["owner"])), int(str(order["group"]))
        if (owner, group) != (-1, -1):
            os.fchown(descriptor, owner, group)
        if mode is not None:
            os.fchmod(descriptor, mode)
    except OSError as error:
        fail(f"cannot set owner and mode of '{path}'", error)
    if order["cow"] is not None:
        copy_on_write(descriptor, path, wanted=bool(order["cow"]))
    os.close(descriptor)


def copy_on_write(descriptor: int, path: str, *, wanted: bool) -> None:
    """Say whether new files in the directory are copied on write."""
    flags = bytearray(8)
    try:
        fcntl.ioctl(descriptor, GET_FLAGS, flags)
        present = struct.unpack_from("=I", flags)[0]
        changed = present & ~NO_COPY_ON_WRITE if wanted else present | NO_COPY_ON_WRITE
        if changed != present:
            fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=Q", changed))
    except OSError as error:
        fail(f"unable to control COW flag on '{path}', not btrfs", error)


def fail(what: str, error: OSError) -> None:
    """End with a reason."""
    sys.exit(f"{what}: {error.strerror or os.strerror(error.errno or 0)}")


def main(action: str) -> None:
    """Do what is asked."""
    order = json.load(sys.stdin)
    if action == "make":
        make(order)
        return
    try:
        os.rmdir(order["path"])
    except OSError as error:
        fail(f"failed to remove pool '{order['path']}'", error)


if __name__ == "__main__":
    main(sys.argv[1])
