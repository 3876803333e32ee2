"""Files: atomic writes, and reading no more than one is ready to take.

Everything here blocks. On the daemon's own local directories that is a matter of microseconds (milliseconds with
`durable`); for anything that may lie on a network file system use a child process (`guesthouse.host.child`).

Rules of a write:

1. The new content goes to a temporary file in the same directory, whose name no reader takes for a file of ours.
2. It is renamed over the old name only when it is whole. A reader sees the old content or the new, never a part.
3. A killed writer leaves nothing but its temporary file, and `sweep_temporaries` knows a dead writer's by its name.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
from typing import TYPE_CHECKING

from guesthouse.errors import Code, LibvirtError
from guesthouse.host.procfs import start_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TEMPORARY = re.compile(r"\.guesthouse-(?P<pid>[0-9]{1,10})-(?P<ticks>[0-9]{1,20})-[0-9a-f]{16}\.tmp", re.ASCII)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class FileTooLargeError(LibvirtError):
    """A file holds more than its reader is ready to take."""

    code = Code.SYSTEM_ERROR


def write_atomic(path: str | Path, data: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Put `data` at `path`, whole or not at all, with exactly the permission bits `mode`.

    A symbolic link at `path` is replaced, not followed. With `durable` the content and the name are on disk when this
    returns; without it they survive the daemon's death, but perhaps not the host's. Raises OSError.
    """
    parent, name = _split(path)
    directory = os.open(parent, _DIRECTORY)
    try:
        temporary = temporary_name()
        descriptor = os.open(temporary, _NEW_FILE, mode, dir_fd=directory)
        try:
            try:
                _write_all(descriptor, data)
                os.fchmod(descriptor, mode)
                _publish(descriptor, temporary, name, directory, durable=durable)
            finally:
                os.close(descriptor)
        except BaseException:  # also for Ctrl+C: the temporary file must not stay
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
    finally:
        os.close(directory)


def _publish(descriptor: int, temporary: str, name: str, directory: int, *, durable: bool) -> None:
    """Give a whole file its name.

    What replaces a file is on disk before it takes the name, and the name afterwards: two waits for the disk. A new
    file has nothing to lose: it is named first, and one sync then brings content and name to the disk together, since
    the rename changed the file itself. If the host dies in between, an empty file of which nobody was told may stand.
    """
    replaces = durable and _exists(name, directory)
    if replaces:
        os.fsync(descriptor)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    if replaces:
        os.fsync(directory)
    elif durable:
        os.fsync(descriptor)


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def remove(path: str | Path, *, durable: bool = False) -> bool:
    """Remove the file or link at `path`. Returns whether there was one. Raises OSError for any other trouble."""
    parent, name = _split(path)
    try:
        directory = os.open(parent, _DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        os.unlink(name, dir_fd=directory)
        if durable:
            os.fsync(directory)
    except FileNotFoundError:
        return False
    finally:
        os.close(directory)
    return True


def temporary_name() -> str:
    """A fresh name for a temporary file that `sweep_temporaries` knows, to lie beside the file that it will replace."""
    return f"{_temporary_prefix(os.getpid())}{os.urandom(8).hex()}.tmp"


@functools.lru_cache(maxsize=1)
def _temporary_prefix(pid: int) -> str:
    """By our own pid, which a fork changes; the start time never does."""
    return f".guesthouse-{pid}-{start_time(pid)}-"


def sweep_temporaries(directory: str | Path) -> list[str]:
    """Remove the temporary files that dead writers left in `directory` (not below it). Returns their names.

    A writer is dead when no process with its pid and its start time exists, so a sweep never harms a running one.
    A missing directory has nothing to sweep.
    """
    removed = []
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and start_time(int(match["pid"])) != int(match["ticks"]):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)
                    removed.append(entry.name)
    return removed


def read_limited(path: str | Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises OSError or `FileTooLargeError`.

    Never blocks on a pipe or a device that stands where a file should be.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        chunks = []
        left = limit + 1
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            chunks.append(chunk)
            left -= len(chunk)
    if left <= 0:
        raise FileTooLargeError(f"file '{path}' is larger than the limit of {limit} bytes")
    return b"".join(chunks)


@contextlib.contextmanager
def directory_descriptor(path: str | Path) -> Iterator[int]:
    """An open descriptor of a directory, as a short way to what lies in it."""
    descriptor = os.open(path, _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _split(path: str | Path) -> tuple[str, str]:
    parent, name = os.path.split(os.fspath(path))
    if not name or name in (".", ".."):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    return parent or ".", name


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
