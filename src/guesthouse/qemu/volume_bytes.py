"""Moving the bytes of volumes about: copying ranges, holes and zeros, and telling how far it is.

Part of the program `volume_worker`, standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import select
import time
from typing import Final

STEP: Final = 4 << 20
BLOCK: Final = 1 << 20
#: Seconds between two reports.
INTERVAL: Final = 0.1
#: A mode of `fallocate`: give the blocks back, and keep the length.
PUNCH_HOLE_KEEP_SIZE: Final = 3

#: Errors of what this file system or these two files cannot do.
UNABLE: Final = (
    errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS, errno.ETXTBSY,
)  # fmt: skip


class Control:
    """The socket to the daemon: reports go out; that it is closed means that nobody waits any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._last = 0.0

    def tell(self, message: dict[str, object]) -> None:
        """Send one message, as a line."""
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]

    def report(self, done: int, total: int) -> None:
        """Say how far it is, if some time has passed; end where nobody listens."""
        now = time.monotonic()
        if now - self._last < INTERVAL:
            return
        self._last = now
        if select.select([self._descriptor], [], [], 0)[0]:
            raise BrokenPipeError(errno.EPIPE, "nobody waits for this any more")
        self.tell({"done": done, "total": total})


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """`fallocate(2)`, which Python has only without modes."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if call(descriptor, mode, offset, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def data_ranges(descriptor: int, start: int, end: int) -> list[tuple[int, int]]:
    """The parts of a file that are no holes. Devices and some file systems cannot tell: then it is all data."""
    found = []
    position = start
    while position < end:
        try:
            first = os.lseek(descriptor, position, os.SEEK_DATA)
            last = os.lseek(descriptor, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            return [(start, end)]
        if first >= end:
            break
        found.append((first, min(last, end)))
        position = last
    return found


def transfer(control: Control, reading: int, writing: int, start: int, end: int, *, holes: bool) -> None:
    """Copy a range to the same place in another file. With `holes` what is a hole is skipped, else written as zeros."""
    position = start
    for first, last in data_ranges(reading, start, end):
        if not holes:
            zero(control, writing, position, first, end - start)
        position = first
        while position < last:
            count = copy_step(reading, writing, position, min(STEP, last - position))
            if not count:
                return
            position += count
            control.report(position - start, end - start)
    if not holes:
        zero(control, writing, position, end, end - start)


def copy_step(reading: int, writing: int, position: int, length: int) -> int:
    """Copy some bytes inside the kernel where it can."""
    try:
        return os.copy_file_range(reading, writing, length, position, position)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
    data = os.pread(reading, length, position)
    write_at(writing, data, position)
    return len(data)


def write_at(descriptor: int, data: bytes, position: int) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, position)
        view = view[count:]
        position += count


def zero(control: Control, descriptor: int, start: int, end: int, total: int) -> None:
    """Write zeros over a range, really: that blocks are marked as unwritten would leave what they hold."""
    nothing = bytes(BLOCK)
    position = start
    while position < end:
        write_at(descriptor, nothing[: min(BLOCK, end - position)], position)
        position += min(BLOCK, end - position)
        control.report(position, total)
