"""The agent in a guest: commands, one at a time, each with a deadline. The protocol is `agent_protocol`.

Rules:

1. The agent may be missing, slow, or an attacker. No command waits longer than its deadline, and what the guest sends
   is checked before it is believed.
2. Before the first command, and after every failure to answer, the conversation is synchronised: a late reply is
   never taken for the answer to a later command.
3. A shutdown or suspend that works is not answered: the guest is gone. `guest_ended` tells the one who waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.qemu.agent_protocol import AgentDecoder, AgentProtocolError, encode_agent_command, encode_sync
from guesthouse.qemu.json_value import (
    Json,
    JsonObject,
    Sendable,
    as_int,
    as_object,
    as_text,
    encode,
    parse_command,
    text_of,
)
from guesthouse.qemu.monitor import connect_unix

#: How long an agent may take to answer, in seconds, unless the client asked for something else: libvirt's default.
DEFAULT_DEADLINE = 5.0

#: How long a guest may take to shut down or suspend after its agent was told, in seconds: libvirt's value.
SHUTDOWN_DEADLINE = 60.0

_PARTINGS = ("guest-shutdown", "guest-suspend-")
_READ_SIZE = 65536
_BACKLOG_LIMIT = 1024 * 1024


class AgentUnresponsiveError(LibvirtError):
    """No agent answers in the guest."""

    code = Code.AGENT_UNRESPONSIVE
    domain = Origin.QEMU


class AgentTimeoutError(LibvirtError):
    """The agent lives, but did not answer a command in time. It may still do what was asked."""

    code = Code.AGENT_COMMAND_TIMEOUT
    domain = Origin.QEMU


class AgentCommandError(LibvirtError):
    """The agent refused a command. `class_` is its error class (`CommandNotFound`: it is too old), `desc` its words."""

    code = Code.AGENT_COMMAND_FAILED
    domain = Origin.QEMU

    def __init__(self, command: str, class_: str, desc: str) -> None:
        self.command = command
        self.class_ = class_
        self.desc = desc
        super().__init__(f"unable to execute QEMU agent command '{command}': {desc}")


OnClosed = Callable[[], None]


class Agent:
    """The connection to one guest's agent channel. Made by `connect`; `close` ends it. Belongs to one event loop."""

    def __init__(self, connection: socket.socket, on_closed: OnClosed) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._fileno = connection.fileno()
        self._on_closed = on_closed
        self._decoder = AgentDecoder()
        self._turn = asyncio.Lock()
        self._synchronised = False
        self._waiting: asyncio.Future[JsonObject] | None = None
        self._parting = False
        self._answers: Callable[[JsonObject], bool] = _anything
        self._outgoing = bytearray()
        self._closed = False
        connection.setblocking(False)
        self._loop.add_reader(self._fileno, self._readable)

    @classmethod
    def connect(cls, path: str | Path | socket.socket, on_closed: OnClosed) -> Agent:
        """Connect to the Unix socket of a guest's agent channel, or take over a connected socket.

        Never blocks, and says nothing about whether an agent listens. Raises OSError when QEMU does not.
        """
        if isinstance(path, socket.socket):
            return cls(path, on_closed)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            connect_unix(connection, path)
            return cls(connection, on_closed)
        except Exception:
            connection.close()
            raise

    async def execute(
        self, command: str, arguments: Mapping[str, Sendable] | None = None, *, deadline: float = DEFAULT_DEADLINE
    ) -> Json:
        """Run a command and return its value; the wait for earlier commands counts. `deadline` in seconds.

        Raises `AgentUnresponsiveError`, `AgentTimeoutError`, `AgentCommandError`, `AgentProtocolError`.
        """
        reply = await self._converse(command, encode_agent_command(command, arguments), deadline)
        return reply["return"]

    async def command_line(self, text: str, *, deadline: float = DEFAULT_DEADLINE) -> str:
        """`virsh qemu-agent-command`: a command as JSON text; the agent's whole reply as JSON text.

        Raises `CommandTextError` for text that is no JSON object, and what `execute` raises.
        """
        command = parse_command(text)
        reply = await self._converse(text_of(command, "execute", "<unknown>"), encode(command) + b"\n", deadline)
        return encode(reply).decode()

    async def ping(self, *, deadline: float = DEFAULT_DEADLINE) -> None:
        """Whether an agent answers: returns, or raises what `execute` raises."""
        await self.execute("guest-ping", deadline=deadline)

    async def shutdown(self, mode: str, *, deadline: float = SHUTDOWN_DEADLINE) -> None:
        """Ask the guest to end: `mode` is `powerdown`, `reboot` or `halt`. Returns when `guest_ended` was called.

        Raises `AgentCommandError` when it refuses, `AgentTimeoutError` when it is still there at the deadline.
        """
        await self.execute("guest-shutdown", {"mode": mode}, deadline=deadline)

    async def suspend(self, target: str, *, deadline: float = SHUTDOWN_DEADLINE) -> None:
        """Suspend the guest: `target` is `ram`, `disk` or `hybrid`. As `shutdown`."""
        await self.execute(f"guest-suspend-{target}", deadline=deadline)

    def guest_ended(self) -> None:
        """The guest has shut down, been reset or suspended (an event of QEMU's said so)."""
        self._synchronised = False
        self._lost()

    async def get_time(self, *, deadline: float = DEFAULT_DEADLINE) -> int:
        """The guest's clock in nanoseconds since 1970."""
        return as_int(await self.execute("guest-get-time", deadline=deadline), "the guest's time")

    async def set_time(self, nanoseconds: int | None, *, deadline: float = DEFAULT_DEADLINE) -> None:
        """Set the guest's clock to nanoseconds since 1970, or with None from its hardware clock."""
        arguments = None if nanoseconds is None else {"time": nanoseconds}
        await self.execute("guest-set-time", arguments, deadline=deadline)

    async def hostname(self, *, deadline: float = DEFAULT_DEADLINE) -> str:
        """The name that the guest gives itself."""
        answer = as_object(await self.execute("guest-get-host-name", deadline=deadline), "the reply")
        return as_text(answer.get("host-name"), "the host name")

    def close(self) -> None:
        """End the connection. A command under way fails; `on_closed` is not called."""
        self._on_closed = _ignore
        self._end()

    async def _converse(self, command: str, line: bytes, deadline: float) -> JsonObject:
        async with self._my_turn(deadline) as left:
            await self._synchronise(min(deadline, DEFAULT_DEADLINE), left)
            self._parting = command.startswith(_PARTINGS)
            try:
                reply = await self._ask(line, left(), lambda: _late(deadline), _anything)
            finally:
                self._parting = False
        error = reply.get("error")
        if isinstance(error, dict):
            class_ = text_of(error, "class", "GenericError")
            raise AgentCommandError(command, class_, text_of(error, "desc", class_))
        if "return" not in reply:
            self._synchronised = False
            raise AgentProtocolError(f"QEMU agent command '{command}' returned neither error nor success")
        return reply

    @contextlib.asynccontextmanager
    async def _my_turn(self, deadline: float) -> AsyncIterator[Callable[[], float]]:
        """Wait until no other command is under way; yields what is left of the deadline, as a function."""
        end = self._loop.time() + deadline
        try:
            async with asyncio.timeout(deadline):
                await self._turn.acquire()
        except TimeoutError:
            raise AgentTimeoutError("another guest agent command is still under way") from None
        try:
            yield lambda: max(0.0, end - self._loop.time())
        finally:
            self._turn.release()

    async def _synchronise(self, seconds: float, left: Callable[[], float]) -> None:
        if self._synchronised:
            return
        id_ = int.from_bytes(os.urandom(6), "big")

        def ours(reply: JsonObject) -> bool:
            return reply.get("return") == id_

        await self._ask(encode_sync(id_), min(seconds, left()), lambda: _silent(seconds), ours)
        self._synchronised = True

    async def _ask(
        self, line: bytes, seconds: float, late: Callable[[], LibvirtError], answers: Callable[[JsonObject], bool]
    ) -> JsonObject:
        """Send `line` and wait for the first reply that `answers` it."""
        if self._closed:
            raise AgentUnresponsiveError("QEMU guest agent is not connected")
        self._waiting = self._loop.create_future()
        self._answers = answers
        try:
            self._send(line)
            async with asyncio.timeout(seconds):
                return await self._waiting
        except TimeoutError:
            self._synchronised = False
            raise late() from None
        except BaseException:  # also where nobody waits any more: its answer is still to come
            self._synchronised = False
            raise
        finally:
            self._waiting = None

    def _send(self, line: bytes) -> None:
        if len(self._outgoing) + len(line) > _BACKLOG_LIMIT:
            raise AgentUnresponsiveError("the guest does not read its agent's channel")
        if not line:
            return
        if not self._outgoing:
            self._loop.add_writer(self._fileno, self._writable)
        self._outgoing += line
        self._writable()

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            sent = len(self._outgoing)  # the end is to be read
        del self._outgoing[:sent]
        if not self._outgoing:
            self._loop.remove_writer(self._fileno)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._end()
            return
        try:
            for reply in self._decoder.feed(data):
                if self._waiting is not None and not self._waiting.done() and self._answers(reply):
                    self._waiting.set_result(reply)
        except AgentProtocolError as error:
            if self._synchronised:  # before that, garbage is what we expect
                self._fail(error)
            self._synchronised = False

    def _fail(self, error: LibvirtError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fileno)
        if self._outgoing:
            self._loop.remove_writer(self._fileno)
        self._socket.close()
        self._lost()
        self._on_closed()

    def _lost(self) -> None:
        """Nobody will answer any more. For a command that makes the guest leave, that is the answer."""
        if not self._parting:
            self._fail(AgentUnresponsiveError("Guest agent disappeared while executing command"))
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result({"return": {}})


def _anything(_: JsonObject) -> bool:
    """A command's answer is the first reply: the conversation is synchronised."""
    return True


def _ignore() -> None:
    """For connections that we end ourselves."""


def _silent(seconds: float) -> AgentUnresponsiveError:
    return AgentUnresponsiveError(f"guest agent didn't respond to synchronization within '{seconds:g}' seconds")


def _late(seconds: float) -> AgentTimeoutError:
    return AgentTimeoutError(f"guest agent didn't respond to command within '{seconds:g}' seconds")
