"""The bytes of volumes that come up from clients.

Between the loop and the storage stands a pipe with a process at its other end (`guesthouse.qemu.volume_streams`), so
that storage that hangs stops nobody. What comes up for a file is written under a hidden name and takes the file's place
when the client has sent all: an upload that is broken off changes nothing. It is written in place where the volume is a
device, where a running guest has the file open, or where there is no room for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.api import StreamIn, StreamOut
from guesthouse.drivers.storage.backend import Ability, VolumeFacts, Work
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import finding, journal, users
from guesthouse.drivers.storage.volumes.pipes import heard, open_pipe, unable
from guesthouse.drivers.storage.volumes.surroundings import Surroundings
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.qemu.json_value import JsonObject
from guesthouse.qemu.volume_agent import StorageError
from guesthouse.qemu.volume_streams import HEADER

#: Bytes that are kept beside the full pipe before the client has to wait.
_KEPT: Final = 4 << 20
#: Seconds that the storage may take to bring the rest of an upload to disk.
_FINISH_DEADLINE: Final = 3600.0


class Upload(StreamIn):
    """A client's stream into a volume. `open` gives it its `out`."""

    def __init__(self, writing: int, job: asyncio.Task[JsonObject], work: Work) -> None:
        self.out: StreamOut | None = None
        self._loop = asyncio.get_running_loop()
        self._writing = writing
        self._job = job
        self._work = work
        self._pending: list[memoryview] = []
        self._kept = 0
        self._waiting = False
        self._paused = False
        self._flushed: asyncio.Future[None] | None = None
        os.set_blocking(writing, False)
        job.add_done_callback(self._job_ended)

    def received(self, data: bytes) -> None:
        """Data from the client."""
        self._put(HEADER.pack(b"D", len(data)), data)
        self._work.done += len(data)

    def received_hole(self, length: int) -> None:
        """A hole from the client."""
        self._put(HEADER.pack(b"H", length))
        self._work.done += length

    async def finish(self) -> None:
        """Wait until all is in its place. Raises what the storage refused."""
        self._put(HEADER.pack(b"E", 0))
        if self._pending and self._writing >= 0:
            self._flushed = self._loop.create_future()
            self._job.add_done_callback(self._no_longer)
            await self._flushed
        self._close()
        async with asyncio.timeout(_FINISH_DEADLINE):
            await asyncio.shield(self._job)

    def abort(self) -> None:
        """The client gave up: the pipe ends without its last record."""
        self._close()

    def _put(self, *parts: bytes) -> None:
        if self._writing < 0:
            return
        if not self._pending:
            parts = self._write_now(parts)
        if not parts:
            return
        self._pending += [memoryview(part) for part in parts]
        self._kept += sum(map(len, parts))
        if not self._waiting:
            self._waiting = True
            self._loop.add_writer(self._writing, self._writable)
        if self._kept > _KEPT and not self._paused and self.out is not None:
            self._paused = True
            self.out.pause_input()

    def _write_now(self, parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Write without waiting; returns what is left."""
        try:
            written = os.writev(self._writing, parts)
        except BlockingIOError:
            return parts
        except BrokenPipeError:
            self._close()
            return ()
        left = []
        for part in parts:
            if written >= len(part):
                written -= len(part)
            else:
                left.append(part[written:])
                written = 0
        return tuple(left)

    def _writable(self) -> None:
        while self._pending:
            try:
                written = os.writev(self._writing, self._pending[:16])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._close()
                return
            self._kept -= written
            if self._kept < _KEPT // 2:
                self._go_on()
            while written and self._pending:
                first = self._pending[0]
                if written >= len(first):
                    written -= len(first)
                    del self._pending[0]
                else:
                    self._pending[0] = first[written:]
                    written = 0
        self._stop_waiting()
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)
        self._go_on()

    def _go_on(self) -> None:
        """There is room again."""
        if self._paused and self.out is not None:
            self._paused = False
            self.out.resume_input()

    def _no_longer(self, _job: asyncio.Task[JsonObject]) -> None:
        """Nothing is flushed any more: the storage has refused."""
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._writing)

    def _close(self) -> None:
        if self._writing >= 0:
            self._stop_waiting()
            self._pending.clear()
            os.close(self._writing)
            self._writing = -1

    def _job_ended(self, job: asyncio.Task[JsonObject]) -> None:
        """The storage refused before the client had sent all: it is told at once."""
        broken = self._writing >= 0
        self._close()
        if broken and self.out is not None and not job.cancelled() and (error := job.exception()) is not None:
            self.out.fail(error if isinstance(error, Exception) else OperationFailedError(str(error)))


async def upload(
    pool: StoragePool,
    surroundings: Surroundings,
    name: str,
    offset: int,
    length: int,
    open_: Callable[[StreamIn], StreamOut],
) -> None:
    """Take a volume's bytes from a client, from `offset` on, at most `length` of them unless that is 0."""
    finding.volume(pool, name)
    pool.claims.check_free(name)
    backend = finding.able(pool, Ability.UPLOAD)
    work = Work("upload", total=length)
    release = pool.claims.claim(name, work, alone=True)
    try:
        volume = await finding.look_again(pool, name)
    except BaseException:  # also where nobody waits any more: the volume is free again
        release()
        raise
    staging = _staging(pool, surroundings, volume)
    reading, writing = open_pipe()
    fields: JsonObject = {"place": backend.stream_path(volume), "offset": offset, "length": length}

    async def write() -> JsonObject:
        if staging is not None:
            hidden: JsonObject = {"path": staging[0], "temporary": staging[1]}
            try:
                return await backend.agent.run("write_stream", {**fields, **hidden}, data_fd=reading)
            except BaseException:  # a process that was killed has not cleaned up behind itself
                with contextlib.suppress(LibvirtError):
                    await backend.agent.ask("discard", hidden)
                raise
        async with journal.entry(pool, surroundings.journal, name, "upload"):
            return await backend.agent.run("write_stream", fields, data_fd=reading)

    async def run() -> JsonObject:
        try:
            found = await write()
            if not offset:
                await journal.settled(pool, surroundings.journal, name)
            return found
        except StorageError as error:
            raise unable(error, backend.stream_path(volume)) from error
        finally:
            release()
            await _look(pool, name)

    job = asyncio.ensure_future(run())
    job.add_done_callback(heard)
    stream = Upload(writing, job, work)
    work.abort = stream.abort
    stream.out = open_(stream)


def _staging(pool: StoragePool, surroundings: Surroundings, volume: VolumeFacts) -> tuple[str, str] | None:
    """Where the new content can be written first; None where it must be written in place."""
    if users.running(surroundings, pool.name, volume):
        return None
    available = pool.definition.available
    if available is None or available.bytes_ < max(volume.physical or 0, volume.allocation):
        return None
    return pool.volume_backend.staging(volume)


async def _look(pool: StoragePool, name: str) -> None:
    """Know what became of the volume. What cannot be read stays as it was known: the next refresh tells."""
    try:
        finding.take(pool, await pool.volume_backend.look(name), [name])
    except LibvirtError:
        return
