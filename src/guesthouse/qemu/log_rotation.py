"""Keeping logs small that somebody else writes: what is too much goes into `NAME.log.0`, `NAME.log.1`…

A QEMU and its helpers write to their logs themselves and go on doing so while no daemon runs, so nobody can give them
another file. Their descriptors append (`O_APPEND`): when the file is emptied, they write at its new end. So what is in
the log is copied, and then the file is cut to nothing:

    NAME.log.1 -> NAME.log.2, NAME.log.0 -> NAME.log.1     the oldest goes
    a copy of NAME.log -> NAME.log.0                       of its end, where it is very long
    NAME.log is emptied

Killed in between, the next rotation copies a part once more; nothing is lost. What QEMU writes in the microseconds
between the end of the copy and the cut is.

Names and limits are those of libvirt's virtlogd, as its `virtlogd.conf` describes them.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.host.files import temporary_name

_READ: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: Held by whoever rotates, since two would each cut off what the other has not copied.
_LOCK: Final = threading.Lock()

#: How many times `max_size` a former part may be large: nobody cuts a log at the byte that is too much.
_MOST: Final = 2


@dataclass(frozen=True, slots=True)
class LogLimits:
    """A log of more than `max_size` bytes is rotated, 0 for never; `max_backups` former parts of it are kept."""

    max_size: int = 2 * 1024 * 1024
    max_backups: int = 3


def rotate(path: Path, limits: LogLimits) -> bool:
    """Rotate a log that is larger than it may be; tells whether it was. Blocks as long as copying takes.

    What is no regular file, or not there, is left alone. Raises OSError.
    """
    if not limits.max_size:
        return False
    with _LOCK:
        try:
            log = os.open(path, _READ)
        except (FileNotFoundError, IsADirectoryError):
            return False
        try:
            found = os.fstat(log)
            if not stat.S_ISREG(found.st_mode) or found.st_size <= limits.max_size:
                return False
            if limits.max_backups > 0:
                _keep(log, path, limits, max(0, found.st_size - _MOST * limits.max_size))
            os.ftruncate(log, 0)
        finally:
            os.close(log)
    return True


def _keep(log: int, path: Path, limits: LogLimits, start: int) -> None:
    """Make what the log holds from the offset `start` on its newest backup."""
    temporary = path.with_name(temporary_name())
    copy = os.open(temporary, _NEW, 0o600)
    try:
        done = _copy(log, copy, start, _MOST * limits.max_size)
        for number in range(limits.max_backups - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(backup(path, number - 1), backup(path, number))
        os.rename(temporary, backup(path, 0))
        _copy(log, copy, done, limits.max_size)  # what came meanwhile
    finally:
        os.close(copy)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _copy(source: int, target: int, offset: int, most: int) -> int:
    """Append what is in `source` from `offset` on, at most so many bytes; the offset after it."""
    end = offset + most
    while offset < end and (sent := os.sendfile(target, source, offset, end - offset)):
        offset += sent
    return offset


def backup(path: Path, number: int) -> Path:
    """The former part of a log with this number: 0 is the newest."""
    return path.with_name(f"{path.name}.{number}")
