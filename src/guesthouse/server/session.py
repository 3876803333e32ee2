"""One client connection: bytes in, calls dispatched, replies out.

Rules:

- The hot path (a plain handler) is: one `recvmsg`, `ServerProtocol.receive`, a lookup, the handler, one `send`. It
  makes no task and no future. Only coroutine handlers get a task, and a `Caller` of their own.
- Replies leave in the order of their completion. Calls that were begun are finished when the client goes away; only
  their replies are dropped.
- Everything is bounded. A client that does not read is read no further from once its replies pile up, and is
  disconnected when messages or streams push its output over a limit. Slow calls beyond their allowance wait for
  their turn, and when as many wait as may be under way, nothing more is read. Before CONNECT_OPEN a connection has
  half a minute and few bytes.
- Descriptors come with the last byte of what `recvmsg` returns, so they are collected in order and the packets that
  announce them take them. What nobody announced is closed.
"""

from __future__ import annotations

import array
import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Identity, Reply, StreamIn, StreamOut
from guesthouse.errors import InternalError, LibvirtError
from guesthouse.rpc.packet import FDS_MAX, REPLY_WITH_FDS, FramingError
from guesthouse.rpc.server import (
    PING,
    PONG,
    Call,
    Ping,
    Pong,
    Refused,
    ServerProtocol,
)
from guesthouse.rpc.xdr import Struct
from guesthouse.server.calls import CallInProgress, Extras, close_fds, told
from guesthouse.server.output import Output
from guesthouse.server.streams import Stream

if TYPE_CHECKING:
    from guesthouse.rpc.procedure import Procedure
    from guesthouse.rpc.server import Event
    from guesthouse.server.dispatch import Route
    from guesthouse.server.service import Service

log = logging.getLogger(__name__)

_READ_SIZE = 65536
#: While a client sends a stream, whose packets are large.
_STREAM_READ_SIZE = 262144
#: Room for the one descriptor that travels with a byte; the kernel closes what does not fit.
_ANCILLARY_SIZE = socket.CMSG_LEN(4)
#: Bytes that a connection may send before it is open.
_EARLY_BYTES = 65536
#: Pending output at which a connection is given up: by events and streams, and by anything at all.
_MESSAGE_LIMIT = 16 << 20
_OUTPUT_LIMIT = 96 << 20
#: What an ended session has left of its protocol: enough to encode replies that go nowhere.
_NO_PROTOCOL = ServerProtocol({})
#: Where a packet's type is; all types fit into its last byte.
_TYPE_BYTE = 19
#: Seconds that the last replies of a closing connection may take.
_FLUSH_SECONDS = 5.0


class Session:
    """One connection. It is the `drivers.api.Caller` of its plain handlers."""

    def __init__(self, service: Service, peer: socket.socket, *, readonly: bool, identity: Identity) -> None:
        self.service = service
        self.readonly = readonly
        self.identity = identity
        self.local = True
        self.opened = False
        self.uri = ""
        self.close_callback = False
        self.protocol = ServerProtocol(service.programs)
        self._loop = service.loop
        self._socket = peer
        self._recvmsg = peer.recvmsg
        self._receive = self.protocol.receive
        self._output = Output(service.loop, peer, self._output_drained)
        self._routes = service.dispatch.unopened
        self._pending = 0
        self._waiting: deque[tuple[Call, Route, Extras | None]] = deque()
        #: What was read with the last bytes and is not to be handled yet.
        self._backlog: deque[Event] = deque()
        self._streams: dict[int, Stream] = {}
        self._full_streams: set[int] = set()
        self._fds: list[int] = []
        self._current: Call | None = None
        self._extras: Extras | None = None
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._early = _EARLY_BYTES
        #: Bytes of a packet that is not whole yet.
        self._partial = 0
        self._reading = True
        self._leaving = False
        self._closed = False
        self._mute = False
        self._heard = True
        self._unheard = 0
        #: For opening the connection, later for sending the last replies.
        self._deadline: asyncio.TimerHandle | None = service.loop.call_later(service.open_seconds, self._never_opened)
        self._alive_timer: asyncio.TimerHandle | None = None
        service.loop.add_reader(peer, self._readable)

    def __repr__(self) -> str:
        return f"<Session of uid {self.identity.uid}, process {self.identity.pid}>"

    # -- what handlers may do (drivers.api.Caller) ------------------------------------------------

    def send_message(self, procedure: Procedure, message: Struct | None) -> None:
        """Send an event message. A client that lets too many pile up is disconnected."""
        if self._mute:
            return
        self.send(self.protocol.encode_message(procedure, message))
        if self._output.pending > _MESSAGE_LIMIT:
            self._give_up("it does not read its events")

    def when_closed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once when the connection ends. Returns a function that takes the wish back."""
        if self._closed:
            self._loop.call_soon(callback)
            return lambda: None
        key = object()
        self._callbacks[key] = callback

        def forget() -> None:
            self._callbacks.pop(key, None)

        return forget

    def open_stream(self, incoming: StreamIn) -> StreamOut:
        """Make the call that is being handled a stream."""
        call = self._handled()
        return self.add_stream(call, self._extras_of(), incoming)

    def take_fds(self) -> list[int]:
        """The descriptors that came with the call that is being handled."""
        self._handled()
        extras = self._extras_of()
        taken, extras.received = extras.received, []
        return taken

    def reply_fds(self, fds: list[int]) -> None:
        """Hand these descriptors over with the reply; they are closed when they are sent."""
        self._handled()
        self._extras_of().reply += fds

    def _handled(self) -> Call:
        if self._current is None:
            raise RuntimeError("only valid while a call is being handled")
        return self._current

    def _extras_of(self) -> Extras:
        if self._extras is None:
            self._extras = Extras([])
        return self._extras

    # -- what the server's own handlers may do ----------------------------------------------------

    def open(self, uri: str, *, readonly: bool) -> None:
        """CONNECT_OPEN succeeded: from now on everything may be called that the connection may."""
        self.opened = True
        self.uri = uri
        self.readonly = self.readonly or readonly
        dispatch = self.service.dispatch
        self._routes = dispatch.readonly if self.readonly else dispatch.readwrite
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def leave(self) -> None:
        """Close once everything has been sent; nothing more is read."""
        if self._leaving or self._closed:
            return
        self._leaving = True
        self._read_if_possible()
        self._loop.call_soon(self._leave_when_sent)
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(_FLUSH_SECONDS, self.close, "it does not read its last replies")

    def _leave_when_sent(self) -> None:
        if self._output.empty and not self._closed:
            self.close("")

    def keep_alive(self) -> None:
        """Ping the client when it is silent, from now on, as the settings say."""
        interval = self.service.keepalive_interval
        if interval > 0 and self._alive_timer is None:
            self._alive_timer = self._loop.call_later(interval, self._check_alive)

    def _check_alive(self) -> None:
        self._alive_timer = self._loop.call_later(self.service.keepalive_interval, self._check_alive)
        if self._heard or self._waiting or self._full_streams:  # we may be the ones who do not read
            self._heard = False
            self._unheard = 0
        elif self._unheard >= self.service.keepalive_count:
            self.close("it does not answer keepalive messages")
        else:
            self._unheard += 1
            self.send(PING)

    def _never_opened(self) -> None:
        self.close("it did not open the connection in time")

    @property
    def partial(self) -> int:
        """Bytes that are held for a packet that is not whole yet."""
        return self._partial

    # -- in ---------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            size = _STREAM_READ_SIZE if self._streams else _READ_SIZE
            data, ancillary, _, _ = self._recvmsg(size, _ANCILLARY_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close("")
            return
        if ancillary:
            self._collect(ancillary)
        if not data:
            self.close("")
            return
        self._heard = True
        try:
            events = self._receive(data)
        except FramingError as error:
            self.close(str(error))
            return
        for event in events:
            if not self._reading:
                self._backlog.append(event)
            elif isinstance(event, Call):
                self._call(event)
            else:
                self._other(event)
        if not events:
            self._partial += len(data)
            self.service.note_partial(len(data))
        elif self._partial:
            self._forget_partial()
        if not self.opened:
            self._early -= len(data)
            if self._early < 0:
                self.close("it sends too much before it opens the connection")

    def _forget_partial(self) -> None:
        """What had come of a packet is whole now, or gone."""
        self.service.note_partial(-self._partial)
        self._partial = 0

    def _collect(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(data[: len(data) - len(data) % received.itemsize])
                self._fds += received
        if len(self._fds) > FDS_MAX:
            close_fds(self._fds)

    def _call(self, call: Call) -> None:
        route = self._routes.get(call.procedure)
        if route is None:
            close_fds(self._take_fds(call.nfds))
            self.send(self.protocol.encode_error(call, self.service.dispatch.missing(call.procedure, self.opened)))
            return
        extras = Extras(self._take_fds(call.nfds)) if call.nfds else None
        if self._pending >= route.allowance:
            self._waiting.append((call, route, extras))
            self._read_if_possible()
        elif route.waits:
            self._begin(call, route, extras)
        else:
            self._answer(call, route, extras)

    def _answer(self, call: Call, route: Route, extras: Extras | None) -> None:
        """The hot path: a plain function, whose reply goes out at once unless it is awaitable."""
        self._current = call
        self._extras = extras
        try:
            ret = route.run(self, call.args)
        except Exception as error:
            self._current = None
            self._fail(call, error, self._extras)
            return
        self._current = None
        extras = self._extras
        if ret is not None and not isinstance(ret, Struct):
            self.run(self._await(call, ret, extras), counted=True)
        elif extras is None:
            self.send(self.protocol.encode_reply(call, ret))
        else:
            self._reply(call, ret, extras)

    def _begin(self, call: Call, route: Route, extras: Extras | None) -> None:
        """A coroutine function: a task, and a caller that knows which call it is."""
        if extras is None:
            extras = Extras([])
        result = route.run(CallInProgress(self, call, extras), call.args)
        if isinstance(result, Awaitable):
            self.run(self._await(call, result, extras), counted=True)

    async def _await(self, call: Call, result: Awaitable[Reply], extras: Extras | None) -> None:
        try:
            ret = await result
        except Exception as error:
            self._fail(call, error, extras)
        except asyncio.CancelledError:
            self._fail(call, InternalError("the daemon is ending", hint="try again"), extras)
            raise
        else:
            if extras is None:
                self.send(self.protocol.encode_reply(call, ret))
            else:
                self._reply(call, ret, extras)

    def run(self, work: Coroutine[object, object, None], *, counted: bool = False) -> None:
        """Run something in a task that the service knows of; `counted` for a call that is to be answered."""
        if counted:
            self._pending += 1
        task = self._loop.create_task(self._counted(work) if counted else work)
        self.service.tasks.add(task)
        task.add_done_callback(self.service.tasks.discard)

    async def _counted(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        finally:
            self._pending -= 1
            self._next()

    def _next(self) -> None:
        """A call was answered: begin those whose turn has come."""
        while self._waiting and not self._closed and self._pending < self._waiting[0][1].allowance:
            call, route, extras = self._waiting.popleft()
            if route.waits:
                self._begin(call, route, extras)
            else:
                self._answer(call, route, extras)
        self._read_if_possible()

    # -- out --------------------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """Whether the client reads slower than we send, or not at all any more."""
        return self._output.congested or self._mute

    def send(self, packet: bytes) -> None:
        """Send a packet, or keep it until the client reads. Never blocks; does nothing on a closed connection."""
        if self._mute:
            return
        output = self._output
        try:
            output.write(packet)
        except OSError:
            self._give_up("")
            return
        if output.congested:
            self._read_if_possible()
            if output.pending > _OUTPUT_LIMIT:
                self._give_up("it does not read its replies")

    def _give_up(self, reason: str) -> None:
        """Send nothing more, and close in the next turn of the loop: the caller may be in the midst of something."""
        self._mute = True
        self._loop.call_soon(self.close, reason)

    def _reply(self, call: Call, ret: Reply, extras: Extras) -> None:
        """A reply with descriptors or a stream behind it."""
        packet = self.protocol.encode_reply(call, ret, len(extras.reply))
        self.send(packet)
        if extras.reply and packet[_TYPE_BYTE] == REPLY_WITH_FDS and not self._mute:
            self._output.write_fds(extras.reply)
            extras.reply = []
        if extras.stream is not None:
            extras.stream.release()
        extras.close()

    def _fail(self, call: Call, error: BaseException, extras: Extras | None) -> None:
        if extras is not None:
            if extras.stream is not None:
                extras.stream.drop()
            extras.close()
        if not isinstance(error, LibvirtError):
            log.error("%s failed", call.procedure.name, exc_info=error)
            error = told(error)
        self.send(self.protocol.encode_error(call, error))

    def _output_drained(self) -> None:
        for stream in list(self._streams.values()):
            stream.output_drained()
        if self._leaving:
            self._leave_when_sent()
        else:
            self._read_if_possible()

    def _read_if_possible(self) -> None:
        """Read from the client or not, as what is pending allows."""
        full = len(self._waiting) >= self.service.dispatch.limit or self._full_streams
        wanted = not (full or self._leaving or self._output.congested)
        if self._closed or wanted == self._reading:
            return
        self._reading = wanted
        if wanted:
            self._loop.call_soon(self._resume)
        else:
            self._loop.remove_reader(self._socket)

    def _resume(self) -> None:
        """Handle what had been read when reading stopped, then read on."""
        while self._backlog and self._reading:
            event = self._backlog.popleft()
            if isinstance(event, Call):
                self._call(event)
            else:
                self._other(event)
        if self._reading:
            self._loop.add_reader(self._socket, self._readable)

    # -- streams, descriptors, the rest -----------------------------------------------------------

    def add_stream(self, call: Call, extras: Extras, incoming: StreamIn) -> Stream:
        """Open a stream on a call."""
        if call.procedure.stream == "none":
            raise RuntimeError(f"{call.procedure.name} opens no stream")
        if extras.stream is not None or call.serial in self._streams:
            raise InternalError(f"serial {call.serial} has a stream already")
        stream = Stream(self, self._loop, call, incoming)
        extras.stream = stream
        if self._closed:
            self._loop.call_soon(stream.drop)
        else:
            self._streams[call.serial] = stream
        return stream

    def forget_stream(self, serial: int) -> None:
        """The stream is over."""
        self._streams.pop(serial, None)
        self.stream_full(serial, False)

    def stream_full(self, serial: int, full: bool) -> None:
        """A stream holds as much input as it may, or has room again."""
        if full:
            self._full_streams.add(serial)
        else:
            self._full_streams.discard(serial)
        self._read_if_possible()

    def _other(self, event: Event) -> None:
        """What is no call. Packets for a stream that is gone are dropped; a `Pong` was heard, and that is all."""
        if isinstance(event, Refused):
            close_fds(self._take_fds(event.nfds))
            self.send(event.packet)
        elif isinstance(event, Ping):
            self.send(PONG)
        elif not isinstance(event, Pong | Call):
            stream = self._streams.get(event.serial)
            if stream is not None:
                stream.receive(event)

    def _take_fds(self, count: int) -> list[int]:
        taken, self._fds = self._fds[:count], self._fds[count:]
        return taken

    def close(self, reason: str) -> None:
        """End the connection at once. `reason`, if any, is logged."""
        if self._closed:
            return
        self._closed = self._mute = True
        self._reading = False
        self._backlog.clear()
        self._forget_partial()
        self.protocol = _NO_PROTOCOL  # its buffers may be large, and handlers may hold on to the session
        self._receive = _NO_PROTOCOL.receive
        if reason:
            log.warning("%r is disconnected: %s", self, reason)
        else:
            log.debug("%r has ended", self)
        for timer in (self._deadline, self._alive_timer):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._socket)
        self._output.close()
        self._socket.close()
        close_fds(self._fds)
        for _, _, extras in self._waiting:
            if extras is not None:
                extras.close()
        self._waiting.clear()
        for stream in list(self._streams.values()):
            stream.drop()
        for callback in list(self._callbacks.values()):
            try:
                callback()
            except Exception:
                log.exception("%r: what should follow its end failed", self)
        self._callbacks.clear()
        self.service.closed(self)
