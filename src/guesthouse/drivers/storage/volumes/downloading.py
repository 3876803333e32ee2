"""The bytes of volumes that go down to clients. See `uploading` for the pipe."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.api import StreamIn, StreamOut
from guesthouse.drivers.storage.backend import Ability, Work
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import finding
from guesthouse.drivers.storage.volumes.pipes import heard, open_pipe, unable
from guesthouse.errors import OperationFailedError, Origin
from guesthouse.qemu.json_value import JsonObject
from guesthouse.qemu.volume_agent import StorageError
from guesthouse.qemu.volume_streams import HEADER, RECORD_MAX

#: The flag of both calls: holes travel as such.
SPARSE: Final = 1

_READ: Final = 1 << 20
#: One record of a download as long as they can be; in step with the writer, one read brings one of them.
_RECORD: Final = HEADER.size + RECORD_MAX


class Download(StreamIn):
    """A volume's bytes to a client. `open` gives it its `out`, `begin` starts it."""

    def __init__(self, reading: int, job: asyncio.Task[JsonObject]) -> None:
        self.out: StreamOut | None = None
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._job = job
        self._buffer = bytearray()
        self._watching = False
        os.set_blocking(reading, False)

    def begin(self) -> None:
        """Send what comes."""
        if not self._watching and self._reading >= 0:
            self._watching = True
            self._loop.add_reader(self._reading, self._readable)

    def received(self, data: bytes) -> None:
        """A client has nothing to say here. Raises error 9."""
        raise OperationFailedError("this stream only goes to the client", domain=Origin.STREAMS)

    def abort(self) -> None:
        """The client has enough."""
        self._close()
        self._job.cancel()

    def drained(self) -> None:
        """The client has read what was pending."""
        self.begin()

    def _readable(self) -> None:
        out = self.out
        if out is None or self._reading < 0:
            return
        try:
            data = os.read(self._reading, _READ if self._buffer else _RECORD)
        except BlockingIOError:
            return
        if not data:
            self._broken(out)
            return
        if not self._buffer and _is_record(data):
            out.send(memoryview(data)[HEADER.size :])
        else:
            self._buffer += data
            self._hand_over(out)
        if self._reading >= 0 and out.congested:
            self._pause()

    def _hand_over(self, out: StreamOut) -> None:
        buffer, position = self._buffer, 0
        while len(buffer) - position >= HEADER.size:
            mark, length = HEADER.unpack_from(buffer, position)
            start = position + HEADER.size
            if mark == b"E":
                self._close()
                out.end()
                return
            if mark == b"H":
                out.send_hole(length)
                position = start
                continue
            if len(buffer) - start < length:
                break
            out.send(bytes(memoryview(buffer)[start : start + length]))
            position = start + length
        del buffer[:position]

    def _broken(self, out: StreamOut) -> None:
        """The pipe ended without its last record: the job says why."""
        self._close()
        self._job.add_done_callback(lambda job: out.fail(_reason(job)))

    def _pause(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._reading)

    def _close(self) -> None:
        if self._reading >= 0:
            self._pause()
            os.close(self._reading)
            self._reading = -1
        self._buffer = bytearray()


def _is_record(data: bytes) -> bool:
    """Whether this is exactly one record of data."""
    if len(data) < HEADER.size:
        return False
    mark, length = HEADER.unpack_from(data)
    return bool(mark == b"D") and len(data) == HEADER.size + int(length)


def _reason(job: asyncio.Task[JsonObject]) -> Exception:
    error = None if job.cancelled() else job.exception()
    return error if isinstance(error, Exception) else OperationFailedError("the download was cut off")


async def download(
    pool: StoragePool, name: str, offset: int, length: int, flags: int, open_: Callable[[StreamIn], StreamOut]
) -> None:
    """Send a volume's bytes, from `offset` on, `length` of them or all that there are."""
    volume = finding.volume(pool, name)
    pool.claims.check_made(name)
    backend = finding.able(pool, Ability.DOWNLOAD)
    size = volume.physical or volume.allocation
    work = Work("download", total=length or max(size - offset, 0))
    release = pool.claims.claim(name, work, alone=False)
    reading, writing = open_pipe()
    fields: JsonObject = {
        "place": backend.stream_path(volume), "offset": offset, "length": length, "sparse": bool(flags & SPARSE),
    }  # fmt: skip

    async def run() -> JsonObject:
        try:
            return await backend.agent.run("read_stream", fields, report=work.report, data_fd=writing)
        except StorageError as error:
            raise unable(error, backend.stream_path(volume)) from error
        finally:
            release()

    job = asyncio.ensure_future(run())
    stream = Download(reading, job)
    work.abort = stream.abort
    job.add_done_callback(heard)
    stream.out = open_(stream)
    stream.begin()
