"""The monitor of one running QEMU: commands with deadlines, events, and descriptors, over a raw socket.

The protocol is `guesthouse.qemu.qmp`; here only bytes are moved. The socket hangs directly in the event loop, without
transports or streams, because the way of a command is the way of every start, stop and statistics call.

Rules:

1. Every command has a deadline. A QEMU that does not answer (stopped, or stuck in its own storage) costs the caller
   `MonitorTimeout` and the daemon nothing; the late answer is dropped when it comes.
2. Any number of commands may be under way. QEMU answers them in order.
3. What cannot be written because QEMU does not read waits in a queue of bounded size.
4. When the connection ends, for whatever reason, every command under way fails with `MonitorClosed`, then
   `on_closed` is called, once.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.files import directory_descriptor
from guesthouse.qemu.json_value import CommandTextError, Json, JsonObject, Sendable, as_text, encode, parse_command
from guesthouse.qemu.qmp import (
    Decoder,
    Event,
    Failure,
    Greeting,
    Message,
    QmpProtocolError,
    Reply,
    encode_command,
)

#: How long a command may take unless the caller says otherwise, in seconds.
DEFAULT_DEADLINE = 10.0

#: How many bytes may wait for a QEMU that does not read.
BACKLOG_LIMIT = 4 * 1024 * 1024

_READ_SIZE = 256 * 1024

_T = TypeVar("_T")

OnEvent = Callable[[Event], None]
OnClosed = Callable[[LibvirtError], None]


class QmpError(LibvirtError):
    """QEMU refused a command. `class_` is QEMU's error class, `desc` its words; what was sent is kept."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU

    def __init__(self, class_: str, desc: str, command: str, arguments: Mapping[str, Sendable] | None = None) -> None:
        self.class_ = class_
        self.desc = desc
        self.command = command
        self.arguments = arguments
        super().__init__(f"unable to execute QEMU command '{command}': {desc}")


class MonitorTimeout(LibvirtError):
    """QEMU did not answer in time. It may still do what was asked."""

    code = Code.OPERATION_TIMEOUT
    domain = Origin.QEMU


class MonitorClosed(LibvirtError):
    """The connection to QEMU has ended, mostly because QEMU has."""

    code = Code.OPERATION_FAILED
    domain = Origin.QEMU


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended: `value` when `error` is None. `raw` is QEMU's whole message, where there was one."""

    value: Json = None
    error: LibvirtError | None = None
    raw: JsonObject = field(default_factory=dict)


OnAnswer = Callable[[Answer], None]


@dataclass(slots=True)
class _Pending:
    command: str
    arguments: Mapping[str, Sendable] | None
    done: OnAnswer


def _ignore_event(_: Event) -> None:
    """For monitors whose events interest nobody."""


def _ignore_closing(_: LibvirtError) -> None:
    """For monitors whose end interests nobody."""


class Monitor:
    """A connection to QEMU's QMP socket. Made by `connect`; `close` ends it. Belongs to one event loop.

    `greeting` is what QEMU said of itself. `on_closed` may be exchanged as long as the connection stands.
    """

    def __init__(self, connection: socket.socket, on_event: OnEvent, on_closed: OnClosed) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._fileno = connection.fileno()
        self._on_event = on_event
        self.on_closed = on_closed
        self._decoder = Decoder()
        self._pending: dict[str, _Pending] = {}
        self._serial = 0
        self._outgoing: deque[tuple[bytes, int | None]] = deque()
        self._waiting_bytes = 0
        self._closed: LibvirtError | None = None
        self.greeting: Greeting | None = None
        connection.setblocking(False)
        self._loop.add_reader(self._fileno, self._readable)

    @classmethod
    async def connect(
        cls,
        path: str | Path | socket.socket,
        deadline: float = DEFAULT_DEADLINE,
        on_event: OnEvent = _ignore_event,
        on_closed: OnClosed = _ignore_closing,
    ) -> Monitor:
        """Connect to a monitor socket (or take over a connected one), greet, and be ready for commands.

        Raises OSError when nobody listens, `MonitorTimeout`, `MonitorClosed`, `QmpProtocolError`, `QmpError`.
        """
        monitor = cls.attach(path, on_event, on_closed)
        try:
            await monitor.negotiate(deadline)
        except BaseException:  # also where nobody waits any more: the connection is ours to close
            monitor.close()
            raise
        return monitor

    @classmethod
    def attach(
        cls, path: str | Path | socket.socket, on_event: OnEvent = _ignore_event, on_closed: OnClosed = _ignore_closing
    ) -> Monitor:
        """Connect without a word. The first command must be `qmp_capabilities`; `negotiate` and `pipeline` see to it.

        Never blocks: a Unix socket connects at once or not at all. Raises OSError.
        """
        if isinstance(path, socket.socket):
            return cls(path, on_event, on_closed)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            connect_unix(connection, path)
            return cls(connection, on_event, on_closed)
        except Exception:
            connection.close()
            raise

    async def negotiate(self, deadline: float = DEFAULT_DEADLINE) -> None:
        """Leave QMP's negotiation mode. Sent at once: QEMU reads it when it is ready."""
        await self.execute("qmp_capabilities", deadline=deadline)
        if self.greeting is None:
            raise QmpProtocolError("QEMU answered a command before its greeting")

    @property
    def closed(self) -> LibvirtError | None:
        """Why the connection has ended, None while it stands."""
        return self._closed

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, Sendable] | None = None,
        *,
        deadline: float = DEFAULT_DEADLINE,
        fd: int | None = None,
    ) -> Json:
        """Run a command and return its value. `deadline` in seconds; `fd` travels with it (for `getfd`, `add-fd`).

        The descriptor is duplicated by the kernel when it is sent; it stays the caller's to close, after this returns.
        Raises `QmpError`, `MonitorTimeout`, `MonitorClosed`.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        self.submit(command, arguments, _fulfil(future), fd=fd)
        answer = await self._within(future, deadline, command)
        if answer.error is not None:
            raise answer.error
        return answer.value

    def submit(
        self, command: str, arguments: Mapping[str, Sendable] | None, done: OnAnswer, *, fd: int | None = None
    ) -> None:
        """Send a command; `done` is called once with how it ended, from the event loop, never from within `submit`.

        There is no deadline here: the caller has one, or does not care. `fd` may be closed when this returns.
        """
        if self._closed is not None:
            self._loop.call_soon(done, Answer(error=self._closed))
            return
        id_ = self._next_id()
        self._pending[id_] = _Pending(command, arguments, done)
        self._send(encode_command(command, arguments, id_), fd)

    async def pipeline(
        self, commands: Sequence[tuple[str, Mapping[str, Sendable] | None]], *, deadline: float = DEFAULT_DEADLINE
    ) -> list[Json]:
        """Run several commands, written at once, and return their values. Raises the first error among them.

        QEMU runs them in order and does not stop at one that fails: send together only what may go on after a failure.
        """
        if self._closed is not None:
            raise self._closed
        futures: list[asyncio.Future[Answer]] = []
        lines = []
        for command, arguments in commands:
            future: asyncio.Future[Answer] = self._loop.create_future()
            id_ = self._next_id()
            self._pending[id_] = _Pending(command, arguments, _fulfil(future))
            lines.append(encode_command(command, arguments, id_))
            futures.append(future)
        self._send(b"".join(lines), None)
        every = asyncio.gather(*futures)
        answers = await self._within(every, deadline, commands[-1][0] if commands else "")
        for answer in answers:
            if answer.error is not None:
                raise answer.error
        return [answer.value for answer in answers]

    async def command_line(self, text: str, *, deadline: float = DEFAULT_DEADLINE, fd: int | None = None) -> str:
        """`virsh qemu-monitor-command`: a QMP command as JSON text; QEMU's whole reply, error or not, as JSON text.

        Raises `CommandTextError` for text that is not a JSON object, `MonitorTimeout`, `MonitorClosed`.
        """
        command = parse_command(text)
        if "id" in command:
            raise CommandTextError("Unable to append command 'id' string", hint="leave the member 'id' out")
        if self._closed is not None:
            raise self._closed
        id_ = self._next_id()
        future: asyncio.Future[Answer] = self._loop.create_future()
        name = command.get("execute")
        self._pending[id_] = _Pending(name if isinstance(name, str) else "<unknown>", None, _fulfil(future))
        self._send(encode({**command, "id": id_}) + b"\r\n", fd)
        answer = await self._within(future, deadline, self._pending[id_].command)
        if answer.error is not None and not answer.raw:
            raise answer.error
        return encode(answer.raw).decode()

    async def human(self, text: str, *, deadline: float = DEFAULT_DEADLINE) -> str:
        """`virsh qemu-monitor-command --hmp`: a line for QEMU's human monitor, and what it prints."""
        reply = await self.execute("human-monitor-command", {"command-line": text}, deadline=deadline)
        return as_text(reply, "the reply of human-monitor-command")

    def close(self) -> None:
        """End the connection. Commands under way fail with `MonitorClosed`; `on_closed` is not called."""
        self.on_closed = _ignore_closing
        self._end(MonitorClosed("QEMU monitor was closed"))

    def _next_id(self) -> str:
        self._serial += 1
        return f"libvirt-{self._serial}"

    async def _within(self, future: asyncio.Future[_T], deadline: float, command: str) -> _T:
        timer = self._loop.call_later(deadline, _expire, future, command, deadline)
        try:
            return await future
        finally:
            timer.cancel()

    def _send(self, data: bytes, fd: int | None) -> None:
        if self._outgoing:
            self._enqueue(data, fd)
            return
        try:
            sent = self._write(data, fd)
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            return  # what QEMU said before it went is still to be read, and the end after it
        if sent < len(data):
            self._enqueue(data[sent:], fd if sent == 0 else None)

    def _enqueue(self, data: bytes, fd: int | None) -> None:
        if self._waiting_bytes + len(data) > BACKLOG_LIMIT:
            error = MonitorClosed(f"QEMU has not read its monitor: over {BACKLOG_LIMIT} bytes wait for it")
            self._loop.call_soon(self._end, error)
            return
        if not self._outgoing:
            self._loop.add_writer(self._fileno, self._writable)
        # A copy, since whoever sends it may give up before it is gone, and close it.
        self._outgoing.append((data, None if fd is None else os.dup(fd)))
        self._waiting_bytes += len(data)

    def _write(self, data: bytes, fd: int | None) -> int:
        if fd is None:
            return self._socket.send(data)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        return self._socket.sendmsg([data], [rights])

    def _writable(self) -> None:
        while self._outgoing:
            data, fd = self._outgoing[0]
            try:
                sent = self._write(data, fd)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                sent = len(data)
            if fd is not None:
                os.close(fd)
            self._waiting_bytes -= sent
            if sent < len(data):
                self._outgoing[0] = (data[sent:], None)
                return
            self._outgoing.popleft()
        self._loop.remove_writer(self._fileno)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionResetError:  # QEMU ended before it had read all that we wrote
            data = b""
        if not data:
            self._end(MonitorClosed("End of file from qemu monitor"))
            return
        try:
            messages = self._decoder.feed(data)
        except QmpProtocolError as error:
            self._end(error)
            return
        for message in messages:
            try:
                self._handle(message)
            except Exception as error:  # a listener's mistake must not cost the messages after it
                self._loop.call_exception_handler({"message": "monitor callback failed", "exception": error})

    def _handle(self, message: Message) -> None:
        if isinstance(message, Event):
            self._on_event(message)
        elif isinstance(message, Greeting):
            self.greeting = message
        elif (pending := self._pending.pop(message.id, None)) is not None:
            if isinstance(message, Reply):
                pending.done(Answer(message.value, raw=message.raw))
            else:
                pending.done(Answer(error=_refusal(message, pending), raw=message.raw))

    def _end(self, error: LibvirtError) -> None:
        if self._closed is not None:
            return
        self._closed = error
        self._loop.remove_reader(self._fileno)
        if self._outgoing:
            self._loop.remove_writer(self._fileno)
            for _, fd in self._outgoing:
                if fd is not None:
                    os.close(fd)
            self._outgoing.clear()
        self._socket.close()
        pending, self._pending = list(self._pending.values()), {}
        for entry in pending:
            entry.done(Answer(error=error))
        self.on_closed(error)


def connect_unix(connection: socket.socket, path: str | Path) -> None:
    """Connect to a Unix socket, also where its path is longer than the 107 bytes that an address holds."""
    text = str(path)
    if len(text.encode()) < 108:
        connection.connect(text)
        return
    target = Path(path)
    with directory_descriptor(target.parent) as directory:
        connection.connect(f"/proc/self/fd/{directory}/{target.name}")


def _fulfil(future: asyncio.Future[Answer]) -> OnAnswer:
    def done(answer: Answer) -> None:
        if not future.done():
            future.set_result(answer)

    return done


def _expire(future: asyncio.Future[_T], command: str, deadline: float) -> None:
    if not future.done():
        future.set_exception(
            MonitorTimeout(
                f"QEMU did not answer the monitor command '{command}' within {deadline:g} seconds",
                hint="the guest's QEMU is stopped or waits for its storage",
            )
        )


def _refusal(message: Failure, pending: _Pending) -> QmpError:
    return QmpError(message.class_, message.desc, pending.command, pending.arguments)
