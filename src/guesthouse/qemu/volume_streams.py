"""The streams of clients, into volumes and out of them.

Part of the program `volume_worker`, standard library only. A stream goes over a pipe in records: a mark (`D` data, `H`
hole, `E` end), the length in eight bytes, and the data. Without an `E` the stream was broken off.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from typing import Final

from guesthouse.qemu.volume_bytes import (
    BLOCK,
    PUNCH_HOLE_KEEP_SIZE,
    UNABLE,
    Control,
    data_ranges,
    fallocate,
    transfer,
    write_at,
    zero,
)
from guesthouse.qemu.volume_files import discard

#: Records of a download are no longer than what one packet of the protocol carries.
RECORD_MAX: Final = 262120
HEADER: Final = struct.Struct("!cQ")


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
            fallocate(descriptor, PUNCH_HOLE_KEEP_SIZE, position, min(count, size - position))
    if position + count > size:
        os.ftruncate(descriptor, position + count)


def move(data_fd: int, descriptor: int, position: int, count: int) -> None:
    """Bytes of the pipe into the file, without coming by here where the kernel can."""
    while count:
        try:
            moved = os.splice(data_fd, descriptor, count, offset_dst=position)
        except OSError as error:
            if error.errno not in UNABLE:
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
