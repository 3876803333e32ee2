"""What takes its time with the bytes of volumes: filling, growing, copying, wiping.

Part of the program `volume_worker`, standard library only. Each job runs in a process of its own, that reports on a
socket how far it is, and ends when the daemon has gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from collections.abc import Callable

from guesthouse.qemu.volume_bytes import (
    PUNCH_HOLE_KEEP_SIZE,
    UNABLE,
    Control,
    data_ranges,
    fallocate,
    transfer,
    zero,
)
from guesthouse.qemu.volume_files import discard, forbid_cow
from guesthouse.qemu.volume_streams import read_stream, write_stream

_FICLONE = 0x40049409
_BLKDISCARD = 0x1277


def fill(control: Control, path: str, temporary: str, size: int, allocate: int, *, nocow: bool) -> dict[str, object]:
    """Make a file of `size` bytes, whose first `allocate` bytes have their place on disk."""
    place = os.path.join(path, temporary)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if nocow:
            forbid_cow(descriptor)
        os.ftruncate(descriptor, size)
        reserve(control, descriptor, 0, allocate, allocate)
    except BaseException:  # also when the child is told to stop: half a volume must not stay
        discard(path, temporary)
        raise
    finally:
        os.close(descriptor)
    return {}


def reserve(control: Control, descriptor: int, start: int, end: int, total: int) -> None:
    """Have a place on disk for this range, a gigabyte at a time."""
    position = start
    while position < end:
        length = min(1 << 30, end - position)
        os.posix_fallocate(descriptor, position, length)
        position += length
        control.report(position - start, total)


def grow(control: Control, place: str, old: int, size: int) -> dict[str, object]:
    """Make a file longer, with a place on disk for all of it. The length changes at the end."""
    descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        if size > old:
            allocate_beyond(descriptor, size)
            os.ftruncate(descriptor, size)
        reserve(control, descriptor, 0, size, size)
    except BaseException:  # also when the child is told to stop: the volume is as long as it was
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, old)
        raise
    finally:
        os.close(descriptor)
    return {}


def allocate_beyond(descriptor: int, size: int) -> None:
    """Find out whether there is room, without making the file longer. Raises OSError where there is none."""
    try:
        fallocate(descriptor, 1, 0, size)
    except OSError as error:
        if error.errno not in UNABLE:
            raise


def copy(
    control: Control, source: str, path: str, temporary: str, size: int, allocate: int, *, reflink: bool, nocow: bool
) -> dict[str, object]:
    """Copy the bytes of `source` into a new file of at least `size` bytes, sharing them where the file system can.

    With `reflink` it must share. `allocate` is how much must have its place on disk; holes stay holes beyond that.
    """
    place = os.path.join(path, temporary)
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if nocow:
                forbid_cow(writing)
            length = os.lseek(reading, 0, os.SEEK_END)
            shared = share(reading, writing, must=reflink)
            os.ftruncate(writing, max(size, length))
            if not shared:
                if allocate >= length:
                    reserve(control, writing, 0, allocate, 0)
                transfer(control, reading, writing, 0, length, holes=True)
                os.fdatasync(writing)
            elif allocate > length:
                reserve(control, writing, length, allocate, 0)
            return {"shared": shared}
        except BaseException:  # also when the child is told to stop: half a volume must not stay
            discard(path, temporary)
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def copy_into(control: Control, source: str, place: str, capacity: int) -> dict[str, object]:
    """Copy the bytes of `source` over the beginning of a device, at most `capacity` of them."""
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(place, os.O_RDWR | os.O_CLOEXEC)
        try:
            transfer(control, reading, writing, 0, min(os.lseek(reading, 0, os.SEEK_END), capacity), holes=False)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return {}


def share(reading: int, writing: int, *, must: bool) -> bool:
    """Have both files share their blocks. Returns whether they do; raises OSError where they must and cannot."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if must or error.errno not in UNABLE:
            raise
        return False
    return True


def wipe_zero(control: Control, place: str) -> dict[str, object]:
    """Write zeros over all that a file or a device holds. What is a hole stays one."""
    descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        plain = stat.S_ISREG(facts.st_mode)
        sparse = plain and facts.st_blocks < facts.st_size // 512
        for first, last in data_ranges(descriptor, 0, size):
            zero(control, descriptor, first, last, size)
        os.fdatasync(descriptor)
        if sparse:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    return {}


def wipe_trim(control: Control, place: str) -> dict[str, object]:
    """Give all blocks of a file or a device back."""
    descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        control.report(0, size)
        if stat.S_ISBLK(os.fstat(descriptor).st_mode):
            fcntl.ioctl(descriptor, _BLKDISCARD, struct.pack("QQ", 0, size))
        elif size:
            fallocate(descriptor, PUNCH_HOLE_KEEP_SIZE, 0, size)
    finally:
        os.close(descriptor)
    return {}


#: Name of a job to its function; those of streams get the pipe after the control.
JOBS: dict[str, Callable[..., dict[str, object]]] = {  # type: ignore[explicit-any]  # each has its own fields
    "fill": fill,
    "grow": grow,
    "copy": copy,
    "copy_into": copy_into,
    "wipe_zero": wipe_zero,
    "wipe_trim": wipe_trim,
    "write_stream": write_stream,
    "read_stream": read_stream,
}
