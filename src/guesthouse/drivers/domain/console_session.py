"""A client's stream joined to the descriptor of a guest's terminal or socket.

Rules:

1. Descriptors never block. When the client reads slowly we stop reading from the guest, and when the guest reads slowly
   its input waits in a buffer of bounded size.
2. Output is gathered for a moment, because guests write single characters.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable

from guesthouse.drivers.api import StreamIn, StreamOut
from guesthouse.errors import InternalError, LibvirtError, OperationFailedError, Origin

_READ_SIZE = 65536
_INPUT_LIMIT = 1024 * 1024
_GATHER_SECONDS = 0.002


class Session(StreamIn):
    """One client at one device. `end` closes it quietly, `steal` with an error for its client.

    `lock` is the path of the terminal's lock file; `closed` is called when the session is over.
    """

    def __init__(self, descriptor: int, lock: str | None, closed: Callable[[Session], None]) -> None:
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._fd = descriptor
        self._lock = lock
        self._out: StreamOut | None = None
        self._input = bytearray()
        self._reading = False
        self._writing = False
        self._pause: asyncio.TimerHandle | None = None

    def begin(self, out: StreamOut) -> None:
        """Start moving characters."""
        self._out = out
        self._read_on()

    def received(self, data: bytes) -> None:
        """Keys from the client."""
        if self._fd < 0:
            return
        if len(self._input) + len(data) > _INPUT_LIMIT:
            self._break(OperationFailedError("the guest does not read its console"))
            return
        self._input += data
        if not self._writing:
            self._write()

    async def finish(self) -> None:
        """The client has left."""
        self._close()

    def abort(self) -> None:
        """The client has gone."""
        self._close()

    def drained(self) -> None:
        """The client has read: go on."""
        self._read_on()

    def end(self) -> None:
        """The guest is gone: the client reads what is left, and the end."""
        if self._fd >= 0 and self._out is not None:
            with contextlib.suppress(OSError):
                while data := os.read(self._fd, _READ_SIZE):
                    self._out.send(data)
            self._out.end()
        self._close()

    def steal(self) -> None:
        """Another client takes the device."""
        self._break(InternalError("console stream EOF", domain=Origin.STREAMS, hint="another client has taken it"))

    def _break(self, error: LibvirtError) -> None:
        out = self._out
        self._close()
        if out is not None:
            out.fail(error)

    def _read_on(self) -> None:
        if self._fd >= 0 and not self._reading:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        out = self._out
        if out is None:
            return
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # EIO is how a terminal says that QEMU has closed its side
                self._break(OperationFailedError(f"cannot read the console: {error.strerror}"))
                return
            data = b""
        if not data:
            self._close()
            out.end()
            return
        out.send(data)
        self._stop_reading()
        if not out.congested:
            self._pause = self._loop.call_later(_GATHER_SECONDS, self._read_on)

    def _write(self) -> None:
        try:
            sent = os.write(self._fd, self._input)
            del self._input[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            self._break(OperationFailedError(f"cannot write to the console: {error.strerror}"))
            return
        if self._input and not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._write)
        elif not self._input and self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _close(self) -> None:
        if self._fd < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._stop_reading()
        if self._writing:
            self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._closed(self)
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._lock)
