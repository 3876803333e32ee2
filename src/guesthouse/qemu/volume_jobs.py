"""What takes its time with the bytes of volumes: filling, copying, wiping, and the streams of clients.

Part of the program `volume_worker`, standard library only. Each job runs in a process of its own, that reports on a
socket how far it is, and ends when the daemon has gone. A stream goes over a pipe in records: a mark (`D` data, `H`
hole, `E` end), the length in eight bytes, and the data. Without an `E` the stream was broken off.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import stat
import struct
import time
from collections.abc import Callable

from guesthouse.qemu.volume_files import discard, forbid_cow

STEP = 4 << 20
BLOCK = 1 << 20
#: Records of a download are no longer than what one packet of the protocol carries.
RECORD_MAX = 262120
HEADER = struct.Struct("!cQ")
#: Seconds between two reports.
INTERVAL = 0.1

_FICLONE = 0x40049409
_BLKDISCARD, _BLKZEROOUT = 0x1277, 0x127F
_PUNCH_HOLE_KEEP_SIZE = 3

#: Errors of what this file system or these two files cannot do.
_UNABLE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS, errno.ETXTBSY)


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
        if error.errno not in _UNABLE:
            raise


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """`fallocate(2)`, which Python has only without modes."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if call(descriptor, mode, offset, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


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
        if must or error.errno not in _UNABLE:
            raise
        return False
    return True


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
        if error.errno not in _UNABLE:
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
            fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, 0, size)
    finally:
        os.close(descriptor)
    return {}


def read_exactly(descriptor: int, length: int) -> bytes:
    """That many bytes of a pipe; fewer at its end."""
    parts = []
    while length and (data := os.read(descriptor, min(length, BLOCK))):
        parts.append(data)
        length -= len(data)
    return b"".join(parts)


def write_stream(
    control: Control,
    data_fd: int,
    place: str,
    offset: int,
    length: int,
    *,
    path: str = "",
    temporary: str = "",
) -> dict[str, object]:
    """Write a client's stream at `offset`; not more than `length` bytes unless that is 0.

    With a `temporary` name the new content is written there, joined with what the stream leaves as it was, and takes
    the place of the old at the end; else it is written in place. A stream that is broken off changes nothing then.
    """
    if not temporary:
        descriptor = os.open(place, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            receive(control, data_fd, descriptor, offset, length)
        finally:
            os.close(descriptor)
        return {}
    old = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        new = os.open(
            os.path.join(path, temporary), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            facts = os.fstat(old)
            if facts.st_size and facts.st_blocks * 512 >= facts.st_size:  # what had its place on disk keeps one
                os.posix_fallocate(new, 0, facts.st_size)
            end = receive(control, data_fd, new, offset, length, fresh=True)
            resemble(old, new, control, offset, end)
            os.rename(os.path.join(path, temporary), place)
        except BaseException:  # also when the child is told to stop: half a volume must not stay
            discard(path, temporary)
            raise
        finally:
            os.close(new)
    finally:
        os.close(old)
    return {}


def resemble(old: int, new: int, control: Control, start: int, end: int) -> None:
    """Give a new file what the stream did not bring (before `start`, after `end`), and owner, bits and labels."""
    facts = os.fstat(old)
    os.ftruncate(new, max(end, facts.st_size))
    transfer(control, old, new, 0, min(start, facts.st_size), holes=True)
    transfer(control, old, new, end, facts.st_size, holes=True)
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(new, facts.st_uid, facts.st_gid)
    os.fchmod(new, stat.S_IMODE(facts.st_mode))
    with contextlib.suppress(OSError):
        for name in os.listxattr(old):
            with contextlib.suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))


def receive(control: Control, data_fd: int, descriptor: int, offset: int, length: int, *, fresh: bool = False) -> int:
    """Write the records of a stream. Returns where it ended. Raises OSError where it was broken off.

    A `fresh` file holds nothing, so that its holes need not be made.
    """
    plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
    position = offset
    while True:
        header = read_exactly(data_fd, HEADER.size)
        if len(header) < HEADER.size:
            raise BrokenPipeError(errno.EPIPE, "the stream was broken off")
        mark, count = HEADER.unpack(header)
        if mark == b"E":
            return position
        if length and position - offset + count > length:
            raise OSError(errno.ENOSPC, "cannot write to stream")
        if mark == b"H":
            skip(control, descriptor, position, count, plain=plain, fresh=fresh)
        else:
            move(data_fd, descriptor, position, count)
        position += count
        control.report(position - offset, length)


def skip(control: Control, descriptor: int, position: int, count: int, *, plain: bool, fresh: bool) -> None:
    """A hole of a stream: in a file a hole too, on a device zeros."""
    if not plain:
        zero(control, descriptor, position, position + count, 0)
        return
    size = os.fstat(descriptor).st_size
    if position < size and not fresh:
        with contextlib.suppress(OSError):
            fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, position, min(count, size - position))
    if position + count > size:
        os.ftruncate(descriptor, position + count)


def move(data_fd: int, descriptor: int, position: int, count: int) -> None:
    """Bytes of the pipe into the file, without coming by here where the kernel can."""
    while count:
        try:
            moved = os.splice(data_fd, descriptor, count, offset_dst=position)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            data = os.read(data_fd, min(count, BLOCK))
            write_at(descriptor, data, position)
            moved = len(data)
        if not moved:
            raise BrokenPipeError(errno.EPIPE, "the stream was broken off")
        position += moved
        count -= moved


def read_stream(
    control: Control, data_fd: int, place: str, offset: int, length: int, *, sparse: bool
) -> dict[str, object]:
    """Send a file from `offset` on, `length` bytes or all; with `sparse` its holes as such."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        end = min(size, offset + length) if length else size
        position = min(offset, end)
        ranges = data_ranges(descriptor, position, end) if sparse else [(position, end)]
        for first, last in ranges:
            if first > position:
                put(data_fd, HEADER.pack(b"H", first - position))
            send_range(control, descriptor, data_fd, first, last, offset, end)
            position = last
        if end > position and sparse:
            put(data_fd, HEADER.pack(b"H", end - position))
        put(data_fd, HEADER.pack(b"E", 0))
    finally:
        os.close(descriptor)
    return {}


def send_range(control: Control, descriptor: int, data_fd: int, position: int, last: int, start: int, end: int) -> None:
    """A part of a file as records."""
    while position < last:
        data = os.pread(descriptor, min(RECORD_MAX, last - position), position)
        if not data:
            raise OSError(errno.EIO, "the file became shorter meanwhile")
        put(data_fd, HEADER.pack(b"D", len(data)), data)
        position += len(data)
        control.report(position - start, end - start)


def put(descriptor: int, *parts: bytes) -> None:
    """Write all of it into the pipe."""
    left = [memoryview(part) for part in parts]
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]


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
