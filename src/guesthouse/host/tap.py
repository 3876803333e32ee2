"""Tap devices: network devices of the host whose other end is a descriptor, which QEMU gets. Linux alone.

A tap that is made here is gone when its last descriptor is closed: it needs nobody who removes it, however its guest
and the daemon end. Those of macvtap stay until somebody removes them.

Source: the kernel's `Documentation/networking/tuntap.rst`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path
from typing import Final

from guesthouse.host import links

TUN: Final = "/dev/net/tun"
VHOST_NET: Final = "/dev/vhost-net"

_SET_INTERFACE: Final = 0x400454CA
_TAP, _NO_INFO, _MULTI_QUEUE, _HEADER, _EXCLUSIVE = 0x2, 0x1000, 0x100, 0x4000, 0x8000
_REQUEST: Final = struct.Struct("16sH22x")


def open_tap(name: str, *, queues: int = 1, header: bool, new: bool, path: str = TUN) -> list[int]:
    """Open a tap device, one descriptor for each queue. It is made if it is not there; with `new` it must not be.

    `header` is what virtio's offloads need. Raises OSError: EBUSY where somebody else has it open, or it is not `new`.
    """
    flags = _TAP | _NO_INFO | (_HEADER if header else 0) | (_MULTI_QUEUE if queues > 1 else 0)
    opened: list[int] = []
    try:
        for number in range(queues):
            opened.append(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
            exclusive = _EXCLUSIVE if new and number == 0 else 0
            fcntl.ioctl(opened[-1], _SET_INTERFACE, _REQUEST.pack(os.fsencode(name), flags | exclusive))
    except OSError as error:
        close_all(opened)
        raise OSError(error.errno, f"Unable to create tap device {name}: {error.strerror}") from error
    return opened


def open_macvtap(name: str, *, queues: int = 1, header: bool) -> list[int]:
    """Open the other end of a macvtap device, one descriptor for each queue. Raises OSError."""
    path = f"/dev/tap{links.index(name)}"
    flags = _TAP | _NO_INFO | (_HEADER if header else 0) | (_MULTI_QUEUE if queues > 1 else 0)
    opened: list[int] = []
    try:
        _check_macvtap(name, path)
        for _ in range(queues):
            opened.append(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW))
            fcntl.ioctl(opened[-1], _SET_INTERFACE, _REQUEST.pack(b"", flags))
    except OSError as error:
        close_all(opened)
        raise OSError(error.errno, f"cannot open macvtap tap device {path}: {error.strerror}") from error
    return opened


def _check_macvtap(name: str, path: str) -> None:
    """The file is made by the kernel, or by udev a moment later; it is a character device, and this one's."""
    found = os.stat(path, follow_symlinks=False)
    if not stat.S_ISCHR(found.st_mode):
        raise OSError(errno.ENODEV, "it is no character device")
    known = Path(f"/sys/class/net/{name}/macvtap/tap{links.index(name)}/dev")
    if known.exists() and known.read_text().strip() != f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}":
        raise OSError(errno.ENODEV, "it belongs to another device")


def open_vhost(count: int, path: str = VHOST_NET) -> list[int]:
    """Open the kernel's own mover of packets, one descriptor for each queue. Raises OSError where it has none."""
    opened: list[int] = []
    try:
        opened.extend(os.open(path, os.O_RDWR | os.O_CLOEXEC) for _ in range(count))
    except OSError:
        close_all(opened)
        raise
    return opened


def close_all(descriptors: list[int]) -> None:
    """Close these, and forget them."""
    while descriptors:
        os.close(descriptors.pop())
