"""The daemon's side of `volume_worker`: requests about the files of one pool, each with a deadline.

One process serves a pool; it is started by the first request and ends when nothing was asked for a while. A request
that is not answered in time means that the storage hangs: the process is killed with all that it started, and the next
request starts another. Long jobs run beside it, report how far they are, and are killed when they are silent too long,
or by whoever waits for them.

On a file system of this host what takes an instant is done in the daemon's threads for local disks instead: it is the
same functions, without the way to another process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.processes import Process, spawn
from guesthouse.host.threads import DISK
from guesthouse.qemu.json_value import Json, JsonObject, as_int, as_list, as_object
from guesthouse.qemu.volume_files import QUICK
from guesthouse.qemu.volume_worker import LENGTH

_PROGRAM: Final = Path(__file__).with_name("volume_worker.py")

#: Seconds for what takes an instant, for listing a big directory on a slow disk, and of a job's silence.
SHORT_DEADLINE: Final = 15.0
SURVEY_DEADLINE: Final = 60.0
SILENCE: Final = 300.0

#: Seconds without a request after which the process ends.
_IDLE: Final = 60.0
_READ: Final = 1 << 18
#: How much of the worker's may be under way, and the option that needs root for that (socket(7)), which `socket` lacks.
_SEND_BUFFER: Final = 4 << 20
_SO_SNDBUFFORCE: Final = 32
_MESSAGE_MAX: Final = 64 << 20

Report = Callable[[int, int], None]


class StorageError(LibvirtError):
    """What the storage refused. `number` is the error of the operating system; 0 where it said none."""

    code = Code.SYSTEM_ERROR
    domain = Origin.STORAGE

    def __init__(self, number: int, reason: str, what: str = "") -> None:
        self.number = number
        self.reason = reason
        super().__init__(f"{what}: {reason}" if what else reason)


class HungError(LibvirtError):
    """The storage did not answer in time."""

    code = Code.OPERATION_TIMEOUT
    domain = Origin.STORAGE


def _nobody(_why: str) -> None:
    """Nobody wants to know that storage hangs."""


class Agent:
    """The worker of one pool. `ask` and `run` start it where it does not run."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._waiting: dict[int, asyncio.Future[JsonObject]] = {}
        self._parts: dict[int, list[JsonObject]] = {}
        self._next = 0
        self._sending = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._jobs = 0
        #: What is short is done in threads of the daemon's, which is quicker: only for file systems of this host.
        self.in_threads = False
        #: Called with what a client is told when the storage does not answer.
        self.on_hung: Callable[[str], None] = _nobody

    def _hung(self, deadline: float) -> HungError:
        error = HungError(f"the storage did not answer within {deadline:g} seconds")
        self.on_hung(error.message)
        return error

    async def ask(self, do: str, fields: JsonObject, *, deadline: float = SHORT_DEADLINE) -> JsonObject:
        """Have something short done. Raises `StorageError`, `HungError`."""
        if self.in_threads:
            return await self._in_thread(do, fields, deadline)
        found, _ = await self.ask_parts(do, fields, deadline=deadline)
        return found

    async def _in_thread(self, do: str, fields: JsonObject, deadline: float) -> JsonObject:
        try:
            async with asyncio.timeout(deadline):
                return cast(JsonObject, await DISK.run(QUICK[do], **fields))
        except TimeoutError:
            self.in_threads = False
            raise self._hung(deadline) from None
        except OSError as error:
            raise StorageError(error.errno or 0, error.strerror or str(error)) from error

    async def ask_parts(
        self, do: str, fields: JsonObject, *, deadline: float = SHORT_DEADLINE
    ) -> tuple[JsonObject, list[JsonObject]]:
        """The same for an answer that comes in parts: the end of it, and all that came before."""
        number = self._number()
        parts = self._parts[number] = []
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(deadline):
                await self._send({"id": number, "do": do, **fields})
                return await answer, parts
        except TimeoutError:
            self.kill()
            raise self._hung(deadline) from None
        finally:
            self._waiting.pop(number, None)
            self._parts.pop(number, None)
            self._rest()

    async def run(
        self,
        do: str,
        fields: JsonObject,
        *,
        report: Report | None = None,
        data_fd: int | None = None,
        silence: float = SILENCE,
    ) -> JsonObject:
        """Have something long done, in a process of its own. `data_fd` is its end of a pipe, which is closed here.

        It is killed when the caller is cancelled, and when nothing is heard of it for `silence` seconds. With a
        `data_fd` it may be silent: then it waits for whoever is at the other end. Raises as `ask` does.
        """
        ours, theirs = socket.socketpair()
        self._jobs += 1
        try:
            try:
                async with asyncio.timeout(SHORT_DEADLINE):
                    descriptors = [theirs.fileno(), *([] if data_fd is None else [data_fd])]
                    await self._send({"id": self._number(), "do": do, **fields}, descriptors)
            except TimeoutError:
                self.kill()
                raise HungError("the storage does not answer") from None
            finally:
                theirs.close()
                if data_fd is not None:
                    os.close(data_fd)
            return await _Job(ours, report, None if data_fd is not None else silence).result()
        finally:
            ours.close()
            self._jobs -= 1
            self._rest()

    def kill(self) -> None:
        """End the process and all that it started. Who waits for it is told."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.watch(Process.close)
        self._hang_up()

    def close(self) -> None:
        """Let the process end by itself."""
        process, self._process = self._process, None
        if process is not None:
            process.watch(Process.close)
        self._hang_up()

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _rest(self) -> None:
        """End the process if nothing is asked for a while."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE, self._rested)

    def _rested(self) -> None:
        self._idle = None
        if not self._waiting and not self._jobs:
            self.close()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            # The worker writes what a big directory holds in one go, and does not wait for us in between.
            with contextlib.suppress(OSError):
                theirs.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
            argv = [sys.executable, "-I", "-S", str(_PROGRAM), str(theirs.fileno())]
            try:
                self._process = spawn(argv, pass_fds=[theirs.fileno()], umask=0o077)
            except OSError as error:
                ours.close()
                raise StorageError(error.errno or 0, error.strerror or str(error), "Cannot run the worker") from error
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)
        return ours

    async def _send(self, message: JsonObject, descriptors: list[int] | None = None) -> None:
        data = json.dumps(message).encode()
        async with self._sending:
            connection = self._socket or self._start()
            head = LENGTH.pack(len(data))
            if descriptors:
                socket.send_fds(connection, [head], descriptors)
            else:
                data = head + data
            try:
                await asyncio.get_running_loop().sock_sendall(connection, data)
            except OSError as error:
                self.kill()
                raise StorageError(error.errno or 0, error.strerror or str(error), "the worker has ended") from error

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            [length] = LENGTH.unpack_from(self._buffer)
            end = LENGTH.size + length
            if length > _MESSAGE_MAX:
                self.kill()
                return
            if len(self._buffer) < end:
                return
            message: Json = json.loads(bytes(self._buffer[LENGTH.size : end]))
            del self._buffer[:end]
            self._take(as_object(message, "the worker's answer"))

    def _take(self, message: JsonObject) -> None:
        number = as_int(message["id"], "the number of an answer")
        if "part" in message:
            if number in self._parts:
                self._parts[number] += [as_object(one, "a part") for one in as_list(message["part"], "the parts")]
            return
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(_error(message))
        else:
            waiting.set_result(as_object(message["result"], "the result"))

    def _hang_up(self) -> None:
        connection, self._socket = self._socket, None
        self._buffer.clear()
        if connection is not None:
            asyncio.get_running_loop().remove_reader(connection)
            connection.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(StorageError(0, "the worker has ended"))


class _Job:
    """One long job: what it says on its socket."""

    def __init__(self, connection: socket.socket, report: Report | None, silence: float | None) -> None:
        self._socket = connection
        self._report = report
        self._silence = silence
        self._pidfd = -1

    async def result(self) -> JsonObject:
        """Wait for its last word. Killed where that does not come."""
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()
        buffer = b""
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    data = await loop.sock_recv(self._socket, _READ)
                if not data:
                    raise StorageError(0, "the process that did it has ended")
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    if (found := self._heard(line)) is not None:
                        return found
        except TimeoutError:
            self._kill()
            raise HungError(f"nothing was heard of it for {self._silence:g} seconds, and it was ended") from None
        except asyncio.CancelledError:
            self._kill()
            raise
        finally:
            if self._pidfd >= 0:
                os.close(self._pidfd)

    def _heard(self, line: bytes) -> JsonObject | None:
        parsed: Json = json.loads(line)
        message = as_object(parsed, "a report")
        if "pid" in message:
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(as_int(message["pid"], "a pid"))
        elif "done" in message:
            if self._report is not None:
                self._report(as_int(message["done"], "done"), as_int(message["total"], "total"))
        elif "error" in message:
            raise _error(message)
        else:
            return as_object(message["result"], "the result")
        return None

    def _kill(self) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


def _error(message: JsonObject) -> StorageError:
    number, reason = as_list(message["error"], "the error")
    return StorageError(as_int(number, "an error number"), str(reason))
