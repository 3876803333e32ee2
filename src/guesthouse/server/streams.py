"""Streams: a call that stays open as a pipe in both directions, over the packets of its connection.

Rules (seen on libvirtd 11.3):

- The reply of the call goes first, then data; what the driver sends before its handler has returned is kept until then.
- The server says that no more follows with an empty data packet; the client then finishes, the server answers.
- The client aborts; the server answers as to a finish. Late packets for a stream that is gone are dropped silently.
- An error of the server ends the stream at once; nothing more is exchanged on it.

A guest's console comes a byte at a time, so small writes are gathered for a moment. What the client does not read piles
up in the connection's output; from its high-water mark on the stream says `congested`, and later `drained`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

from guesthouse.drivers.api import StreamIn
from guesthouse.errors import InternalError, LibvirtError
from guesthouse.rpc.packet import STREAM_CHUNK
from guesthouse.rpc.server import Call, ServerProtocol, StreamAbort, StreamData, StreamFinish, StreamHole

log = logging.getLogger(__name__)

#: How long small writes are gathered, in seconds.
_GATHER = 0.002
#: Bytes that may be kept before the reply is out, and that may come in before the driver wants them.
_HOLD = 1 << 20
_HOLD_PACKETS = 1024


class Connection(Protocol):
    """What a stream needs of its session."""

    protocol: ServerProtocol

    @property
    def congested(self) -> bool:
        """Whether the client reads slower than we send."""

    def send(self, packet: bytes) -> None:
        """Send a packet; never blocks."""

    def forget_stream(self, serial: int) -> None:
        """The stream is over."""

    def stream_full(self, serial: int, full: bool) -> None:
        """The stream holds as much input as it may, or has room again."""

    def run(self, work: Coroutine[object, object, None]) -> None:
        """Run something in a task of the session's own."""


class Stream:
    """The server's half of one stream: a `drivers.api.StreamOut` for the driver, a target for the client's packets."""

    __slots__ = (
        "_call",
        "_connection",
        "_data",
        "_ended",
        "_held",
        "_held_bytes",
        "_inbox",
        "_inbox_bytes",
        "_incoming",
        "_loop",
        "_over",
        "_paused",
        "_timer",
        "_was_congested",
    )

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop, call: Call, incoming: StreamIn) -> None:
        self._connection = connection
        self._loop = loop
        self._call = call
        self._incoming = incoming
        self._data = bytearray()
        #: Packets made before the reply went out; None afterwards.
        self._held: list[bytes] | None = []
        self._held_bytes = 0
        #: What the client sent while the driver did not want it.
        self._inbox: deque[StreamData | StreamHole | StreamFinish | StreamAbort] = deque()
        self._inbox_bytes = 0
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        #: The driver has said that no more data follows.
        self._ended = False
        #: The stream is gone, or the client's finish is being carried out: its packets are dropped.
        self._over = False
        self._was_congested = False

    # -- for the driver ---------------------------------------------------------------------------

    def send(self, data: bytes | memoryview) -> None:
        """Send `data`, of any length. After `end` or `fail` it is dropped. A whole packet's worth is not copied."""
        if self._ended or self._over:
            return
        if len(data) == STREAM_CHUNK and not self._data:
            self._put(self._connection.protocol.encode_stream_data(self._call, data))
            return
        self._data += data
        if len(self._data) >= STREAM_CHUNK:
            self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_GATHER, self._flush)

    def send_hole(self, length: int) -> None:
        """Send a hole of `length` bytes."""
        if self._ended or self._over:
            return
        self._flush()
        self._put(self._connection.protocol.encode_stream_hole(self._call, length))

    def end(self) -> None:
        """Say that no more data follows."""
        if self._ended or self._over:
            return
        self._flush()
        self._ended = True
        self._put(self._connection.protocol.encode_stream_end(self._call))

    def fail(self, error: Exception) -> None:
        """Break the stream off with an error, which the client gets to see."""
        if self._over:
            return
        self._flush()
        self._fail(error)

    @property
    def congested(self) -> bool:
        """Whether the client reads slower than we send; `StreamIn.drained` follows. Always so once the stream is over,

        so that a driver that sends until it is told to stop does stop.
        """
        if self._over:
            return True
        self._was_congested = self._connection.congested or self._held_bytes > _HOLD
        return self._was_congested

    def pause_input(self) -> None:
        """Keep what the client sends, as far as there is room; then the client has to wait."""
        self._paused = True

    def resume_input(self) -> None:
        """Hand over what was kept, and what comes."""
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._hand_over)

    # -- for the session --------------------------------------------------------------------------

    def release(self) -> None:
        """The reply of the call has gone out: what was kept may follow."""
        held, self._held = self._held, None
        self._held_bytes = 0
        for packet in held or ():
            self._connection.send(packet)
        if self._was_congested and not self._connection.congested:
            self._loop.call_soon(self.output_drained)

    def drop(self) -> None:
        """The call failed, or the connection is gone: the driver lets go."""
        if self._over:
            return
        self._close()
        self._guard(self._incoming.abort)

    def receive(self, event: StreamData | StreamHole | StreamFinish | StreamAbort) -> None:
        """A packet of the client's."""
        if self._over:
            return
        if not (self._paused or self._inbox) or isinstance(event, StreamAbort):
            self._handle(event)
            return
        self._inbox.append(event)
        if isinstance(event, StreamData):
            self._inbox_bytes += len(event.data)
        if self._inbox_bytes > _HOLD or len(self._inbox) > _HOLD_PACKETS:
            self._connection.stream_full(self._call.serial, True)

    def _hand_over(self) -> None:
        """Handle what was kept, unless the driver pauses again."""
        while self._inbox and not self._paused and not self._over:
            event = self._inbox.popleft()
            if isinstance(event, StreamData):
                self._inbox_bytes -= len(event.data)
            self._handle(event)
        if not self._inbox and not self._over:
            self._connection.stream_full(self._call.serial, False)

    def _handle(self, event: StreamData | StreamHole | StreamFinish | StreamAbort) -> None:
        if isinstance(event, StreamFinish):
            self._close(keep_serial=True)
            self._connection.run(self._finish())
        elif isinstance(event, StreamAbort):
            self.drop()
            self._connection.send(self._connection.protocol.encode_stream_finish(self._call))
        else:
            self._take(event)

    def _take(self, event: StreamData | StreamHole) -> None:
        try:
            if isinstance(event, StreamData):
                self._incoming.received(event.data)
            else:
                self._incoming.received_hole(event.length)
        except Exception as error:  # the driver could not take it
            self._fail(error)
            self._guard(self._incoming.abort)

    def output_drained(self) -> None:
        """The client has read what was pending."""
        if self._was_congested and not self._over:
            self._was_congested = False
            self._guard(self._incoming.drained)

    # -- inside -----------------------------------------------------------------------------------

    async def _finish(self) -> None:
        try:
            await self._incoming.finish()
        except Exception as error:
            self._connection.forget_stream(self._call.serial)
            self._send_error(error)
            self._guard(self._incoming.abort)
        else:
            self._connection.forget_stream(self._call.serial)
            self._connection.send(self._connection.protocol.encode_stream_finish(self._call))

    def _fail(self, error: Exception) -> None:
        self._close()
        self._send_error(error)

    def _send_error(self, error: Exception) -> None:
        if not isinstance(error, LibvirtError):
            log.error("a stream of %s failed", self._call.procedure.name, exc_info=error)
            error = InternalError(f"{type(error).__name__}: {error}")
        self._put(self._connection.protocol.encode_stream_error(self._call, error))

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        data, self._data = self._data, bytearray()
        encode = self._connection.protocol.encode_stream_data
        for start in range(0, len(data), STREAM_CHUNK):
            self._put(encode(self._call, bytes(data[start : start + STREAM_CHUNK])))

    def _put(self, packet: bytes) -> None:
        if self._held is None:
            self._connection.send(packet)
        else:
            self._held.append(packet)
            self._held_bytes += len(packet)

    def _close(self, *, keep_serial: bool = False) -> None:
        self._over = True
        self._inbox.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not keep_serial:
            self._connection.forget_stream(self._call.serial)

    def _guard(self, notify: Callable[[], None]) -> None:
        """Tell the driver something; its failure is its own."""
        try:
            notify()
        except Exception:
            log.exception("a stream of %s failed to let go", self._call.procedure.name)
