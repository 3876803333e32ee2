"""The asyncio shell: one connection to a daemon in an event loop, over which many calls are under way at once.

The twin of `guesthouse.client.connection`, over the same `guesthouse.rpc.client`. Calls may be made by several tasks;
events come out of an asynchronous iterator. A daemon that says nothing is pinged, and given up when it answers none of
the pings; a call whose task is cancelled is forgotten, and its reply dropped when it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from guesthouse.client.connection import (
    AUTH_NONE,
    AUTH_POLKIT,
    FEATURE_KEEPALIVE,
    OPEN_READONLY,
)
from guesthouse.client.destination import destination
from guesthouse.client.transport import CONNECT_TIMEOUT, ClosedError, UnixTransport
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.rpc.client import (
    PING,
    PONG,
    ClientProtocol,
    Failure,
    Message,
    Ping,
    Reply,
    StreamData,
    StreamEnd,
    StreamFailure,
    StreamHole,
)
from guesthouse.rpc.packet import STREAM_CHUNK, FramingError
from guesthouse.rpc.procedures import auth
from guesthouse.rpc.procedures import connect as rpc
from guesthouse.rpc.programs import GUESTHOUSE, QEMU, REMOTE
from guesthouse.rpc.xdr import Struct, XdrError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from guesthouse.client.uri import Surroundings
    from guesthouse.rpc.client import Event
    from guesthouse.rpc.procedure import Procedure

    StreamEvent = StreamData | StreamHole | StreamEnd | StreamFailure

StructT = TypeVar("StructT", bound=Struct)

#: Seconds that a daemon may take to answer the opening calls.
OPEN_TIMEOUT = 30.0
#: Events that may wait to be read; when there are more, the oldest are dropped.
EVENTS_MAX = 10_000


class AsyncConnection(asyncio.Protocol):
    """An open connection in the running event loop."""

    def __init__(self, *, keepalive: tuple[int, int] = (5, 6)) -> None:
        self._protocol = ClientProtocol({program.number: program for program in (REMOTE, QEMU, GUESTHOUSE)})
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, asyncio.Future[Struct | None]] = {}
        self._streams: dict[int, asyncio.Queue[StreamEvent]] = {}
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._keepalive = keepalive
        self._unanswered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._failure: LibvirtError | None = None
        self.closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        name: str,
        surroundings: Surroundings,
        *,
        readonly: bool = False,
        keepalive: tuple[int, int] = (5, 6),
    ) -> AsyncConnection:
        """Connect to what the URI `name` means, as `Connection.open`. Raises LibvirtError."""
        uri, where = destination(name, surroundings, readonly=readonly)
        # A session daemon may have to be started: in a thread, because that takes its time.
        ready = await asyncio.to_thread(UnixTransport.connect, where, surroundings.daemon)
        connection = cls(keepalive=keepalive)
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ready.detach())
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await connection._greet(uri.open_name if uri else "", readonly=readonly)
        except TimeoutError:
            connection.drop()
            raise ClosedError(f"the daemon did not answer in {OPEN_TIMEOUT:.0f} s") from None
        except BaseException:  # also where nobody waits any more: the connection is ours to close
            connection.drop()
            raise
        return connection

    async def _greet(self, name: str, *, readonly: bool) -> None:
        types = (await self.ask(auth.AuthListRet, auth.AUTH_LIST)).types
        wanted = types[0] if types else AUTH_NONE
        if wanted == AUTH_POLKIT:
            await self.call(auth.AUTH_POLKIT)
        elif wanted != AUTH_NONE:
            raise LibvirtError("the daemon asks for SASL", code=Code.AUTH_FAILED, domain=Origin.AUTH)
        feature = rpc.ConnectSupportsFeatureArgs(FEATURE_KEEPALIVE)
        alive = await self.ask(rpc.ConnectSupportsFeatureRet, rpc.CONNECT_SUPPORTS_FEATURE, feature)
        await self.call(rpc.CONNECT_OPEN, rpc.ConnectOpenArgs(name, OPEN_READONLY if readonly else 0))
        if self._keepalive[0] and alive.supported:
            self._rearm()

    # Calls

    async def call(self, procedure: Procedure, args: Struct | None = None) -> Struct | None:
        """Make a call and wait for its reply. Raises the daemon's error, or ClosedError when the connection broke."""
        serial, future = self._submit(procedure, args)
        await self._writable.wait()
        try:
            return await future
        finally:
            self._calls.pop(serial, None)

    async def ask(self, kind: type[StructT], procedure: Procedure, args: Struct | None = None) -> StructT:
        """A call whose reply is of the type `kind`."""
        ret = await self.call(procedure, args)
        if not isinstance(ret, kind):
            raise LibvirtError(f"unexpected reply to {procedure.name}", code=Code.RPC, domain=Origin.REMOTE)
        return ret

    def _submit(self, procedure: Procedure, args: Struct | None) -> tuple[int, asyncio.Future[Struct | None]]:
        try:
            serial, packet = self._protocol.call(procedure, args)
        except XdrError as error:
            raise LibvirtError(f"Unable to encode message payload: {error}", code=Code.RPC, domain=Origin.RPC) from None
        future: asyncio.Future[Struct | None] = asyncio.get_running_loop().create_future()
        self._write(packet)
        self._calls[serial] = future
        return serial, future

    # Events

    async def messages(self) -> AsyncIterator[Message]:
        """The events as they come, until the connection ends. `guesthouse.client.events` reads them."""
        while (message := await self._messages.get()) is not None:
            yield message

    # Streams

    async def open_stream(self, procedure: Procedure, args: Struct | None = None) -> tuple[Struct | None, AsyncStream]:
        """Make a call that opens a stream; returns its reply and the stream."""
        serial, future = self._submit(procedure, args)
        self._streams[serial] = asyncio.Queue()
        try:
            return await future, AsyncStream(self, serial)
        except BaseException:  # also where nobody waits any more: nobody reads the stream
            self._streams.pop(serial, None)
            raise
        finally:
            self._calls.pop(serial, None)

    # The end

    async def close(self) -> None:
        """Say goodbye and close. A connection that is closed may break, so nothing is raised for that."""
        if self._failure is None and self._transport is not None:
            with contextlib.suppress(LibvirtError, TimeoutError):
                async with asyncio.timeout(OPEN_TIMEOUT):
                    await self.call(rpc.CONNECT_CLOSE)
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()
        self._end(ClosedError("the connection is closed"))

    def _end(self, error: LibvirtError) -> None:
        if self._failure is not None:
            return
        self._failure = error
        if self._timer is not None:
            self._timer.cancel()
        for future in self._calls.values():
            if not future.done():
                future.set_exception(error)
        for serial, queue in self._streams.items():
            queue.put_nowait(StreamFailure(serial, error))
        self._messages.put_nowait(None)
        self._writable.set()
        self.closed.set()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The daemon ended, or broke the connection off."""
        self._end(ClosedError(f"Cannot recv data: {exc}" if exc else "End of file while reading data"))

    def pause_writing(self) -> None:
        """The daemon reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Bytes from the daemon: every one of them is a sign of life."""
        self._unanswered = 0
        try:
            for event in self._protocol.receive(data):
                self._dispatch(event)
        except FramingError as error:
            self._end(ClosedError(f"the daemon sent what is no packet: {error}"))
            self.drop()

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Reply | Failure):
            future = self._calls.get(event.serial)
            if future is None or future.done():
                return
            if isinstance(event, Failure):
                future.set_exception(event.error)
            else:
                future.set_result(event.ret)
        elif isinstance(event, Message):
            if self._messages.qsize() >= EVENTS_MAX:
                self._messages.get_nowait()
            self._messages.put_nowait(event)
        elif isinstance(event, Ping):
            self._write(PONG)
        elif isinstance(event, StreamData | StreamHole | StreamEnd | StreamFailure):
            queue = self._streams.get(event.serial)
            if queue is not None:
                queue.put_nowait(event)

    def _write(self, packet: bytes) -> None:
        if self._failure is not None:
            raise self._failure
        if self._transport is None:
            raise ClosedError("the connection is not open")
        self._transport.write(packet)

    def _rearm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._keepalive[0], self._tick)

    def _tick(self) -> None:
        """One interval has passed: ask for a sign of life, or give up."""
        if self._unanswered > self._keepalive[1]:
            self._end(ClosedError("connection closed due to keepalive timeout"))
            self.drop()
            return
        self._unanswered += 1
        self._write(PING)
        self._rearm()


class AsyncStream:
    """An open stream: data both ways, then `finish`, or `abort`."""

    def __init__(self, connection: AsyncConnection, serial: int) -> None:
        self._connection = connection
        self._serial = serial
        self.ended = False

    async def send(self, data: bytes) -> None:
        """Send data, of any length; waits while the daemon does not keep up."""
        for start in range(0, len(data), STREAM_CHUNK):
            await self._connection._writable.wait()
            chunk = data[start : start + STREAM_CHUNK]
            self._connection._write(self._connection._protocol.encode_stream_data(self._serial, chunk))

    async def receive(self) -> bytes:
        """The next data, a hole as zeros; empty at the end. Raises the stream's failure."""
        queue = self._connection._streams.get(self._serial)
        if queue is None or self.ended:
            return b""
        event = await queue.get()
        if isinstance(event, StreamFailure):
            self._forget()
            raise event.error
        if isinstance(event, StreamHole):
            return bytes(event.length)
        if isinstance(event, StreamData) and event.data:
            return event.data
        self.ended = True
        return b""

    async def finish(self) -> None:
        """Close in order: everything was sent and read."""
        await self._close(abort=False)

    async def abort(self) -> None:
        """Break off."""
        await self._close(abort=True)

    async def _close(self, *, abort: bool) -> None:
        connection, serial = self._connection, self._serial
        queue = connection._streams.get(serial)
        if queue is None:
            return
        protocol = connection._protocol
        encode = protocol.encode_stream_abort if abort else protocol.encode_stream_finish
        try:
            with contextlib.suppress(KeyError):
                connection._write(encode(serial))
                async with asyncio.timeout(OPEN_TIMEOUT):
                    while not isinstance(event := await queue.get(), StreamEnd):
                        if isinstance(event, StreamFailure):
                            raise event.error
        finally:
            self._forget()

    def _forget(self) -> None:
        self.ended = True
        self._connection._streams.pop(self._serial, None)
