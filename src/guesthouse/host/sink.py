"""A file that a stream is written to by a child, so that storage that hangs stops nobody, and that is there whole or
not at all.

    ours            a pipe, whose one end whoever produces the stream gets
    the child       `dd`, from the other end into a temporary file beside the target
    at the end      the file is on disk and takes its name
    broken off      the child is killed, whoever writes is told so by the pipe, and the temporary file goes

A target that is no regular file (a pipe, a block device) is written in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, LibvirtError, OperationFailedError, Origin
from guesthouse.host.files import temporary_name
from guesthouse.host.processes import Exit, Process, adopt, spawn

_BLOCK: Final = "1M"
_WORDS: Final = 4096
_LOOK_DEADLINE: Final = 30.0
_DEATH_DEADLINE: Final = 5.0


class Sink:
    """One file that is being written. Made by `open`; ended by `finish` or `discard`."""

    def __init__(self, target: Path, temporary: Path | None, process: Process, words: int) -> None:
        self.target = target
        #: What is written to until the end; None where the target itself is.
        self.temporary = temporary
        self._process = process
        self._words = words

    @classmethod
    async def open(cls, target: Path, *, direct: bool = False) -> tuple[Sink, int]:
        """Begin to write. Returns the sink, and the descriptor to write to, which is the caller's to close.

        `direct` goes past the host's cache. Raises error 38 where the target cannot be written.
        """
        try:
            async with asyncio.timeout(_LOOK_DEADLINE):
                plain = await asyncio.to_thread(_is_plain, target)
        except TimeoutError:
            raise OperationFailedError(f"failed to create '{target}': its storage does not answer") from None
        except OSError as error:
            raise _refused(target, error.strerror or str(error)) from error
        temporary = target.parent / temporary_name() if plain else None
        command = ["dd", f"of={temporary or target}", f"bs={_BLOCK}", "iflag=fullblock", "status=none"]
        command += [f"conv={'excl' if plain else 'notrunc'},fsync"] if plain else ["conv=notrunc"]
        command += ["oflag=direct"] if direct else []
        reading, writing = os.pipe2(os.O_CLOEXEC)
        words = os.memfd_create("sink")
        try:
            process = spawn(command, stdin_fd=reading, log_fd=words, umask=0o077)
        except OSError as error:
            os.close(writing)
            os.close(words)
            raise OperationFailedError(f"Cannot run 'dd': {error.strerror}") from error
        finally:
            os.close(reading)
        return cls(target, temporary, process, words), writing

    @property
    def note(self) -> bytes:
        """What `clean_up` needs after the daemon's death: who writes, and which file is not whole."""
        head = f"{self._process.pid} {self._process.start_time}\n".encode()
        return head + (os.fsencode(self.temporary) if self.temporary is not None else b"")

    @property
    def failed(self) -> bool:
        """Whether the child has ended already, and not well: then the stream's producer is stopped by the pipe."""
        found = self._process.poll()
        return found is not None and not found.ok

    async def finish(self, deadline: float) -> None:
        """Wait until all is on disk, and give the file its name. The producer must have closed its end.

        Raises error 38 with what the child said. Where it raises, nothing is left.
        """
        ended = await self._process.wait(deadline)
        if ended is None or not ended.ok:
            said = self.error(ended)
            await self.discard()
            raise said
        try:
            if self.temporary is not None:
                await asyncio.to_thread(os.rename, self.temporary, self.target)
        except OSError as error:
            await self.discard()
            raise _refused(self.target, error.strerror or str(error)) from error
        self._close()

    def error(self, ended: Exit | None = None) -> LibvirtError:
        """Why the child gave up."""
        said = os.pread(self._words, _WORDS, 0).decode("utf-8", "replace").strip()
        words = said.rpartition(": ")[2] or (str(ended) if ended is not None else "its storage does not answer")
        return _refused(self.target, words)

    async def discard(self) -> None:
        """Break off: the child ends, and the temporary file goes."""
        with contextlib.suppress(ProcessLookupError):
            self._process.signal(signal.SIGKILL)
        await self._process.wait(_DEATH_DEADLINE)
        if self.temporary is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(os.unlink, self.temporary)
        self._close()

    def _close(self) -> None:
        if self._words >= 0:
            os.close(self._words)
            self._words = -1
        self._process.close()


def clean_up(note: bytes) -> None:
    """End what a former daemon left behind: the child that writes, and its file. Blocks."""
    head, _, name = note.partition(b"\n")
    pid, _, started = head.decode("ascii", "replace").partition(" ")
    if pid.isdecimal() and started.isdecimal() and (process := adopt(int(pid), int(started))) is not None:
        process.signal(signal.SIGKILL)
        process.close()
    if name:
        with contextlib.suppress(OSError):
            os.unlink(os.fsdecode(name))


def _is_plain(target: Path) -> bool:
    """Whether the target is, or will be, a regular file. Raises OSError for a folder, or where there is none for it."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        os.stat(target.parent)
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "Is a directory", str(target))
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _refused(target: Path, reason: str) -> LibvirtError:
    return LibvirtError(f"Failed to create file '{target}': {reason}", code=Code.SYSTEM_ERROR, domain=Origin.QEMU)
