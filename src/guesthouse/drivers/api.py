"""What a driver and the server promise each other: the caller of a procedure, its streams, the handler tables.

A driver is a set of handlers, each for one procedure of the protocol, listed in the `TABLE` of the driver's
`procedures` module. A handler is called in the event loop and gets the driver, the caller and the decoded arguments;
it returns the typed reply, or an awaitable of it where it must wait. What can be answered from memory is a plain
function: the server then replies in the same turn of the loop, without making a task.

The server implements `Caller` and `StreamOut`; a driver implements `StreamIn`. Neither imports the other's modules.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.xdr import Struct

#: The driver that a handler belongs to; only for the reader of a table.
DriverT = TypeVar("DriverT", covariant=True)

Reply = Struct | None
#: `function(driver, caller, args)`: each handler declares its own driver and its own procedure's arguments.
HandlerFunction = Callable[..., Reply | Awaitable[Reply]]  # type: ignore[explicit-any]  # arguments differ by procedure


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is at the other end of a connection. Numbers are -1 and names empty where the transport cannot tell."""

    uid: int = -1
    gid: int = -1
    pid: int = -1
    user: str = ""


class StreamOut(Protocol):
    """The server's half of a stream: what a driver uses to send to the client."""

    def send(self, data: bytes | memoryview) -> None:
        """Send `data`, of any length; the server cuts it into packets. After `end` or `fail` it is dropped."""

    def send_hole(self, length: int) -> None:
        """Send a hole of `length` bytes (only on streams that the client opened as sparse)."""

    def end(self) -> None:
        """Say that no more data follows; the client then finishes the stream."""

    def fail(self, error: Exception) -> None:
        """Break the stream off with an error."""

    @property
    def congested(self) -> bool:
        """Whether the client reads slower than we send; a driver then stops until `StreamIn.drained`.

        Always so once the stream is over.
        """

    def pause_input(self) -> None:
        """Take no more from the client for now: the driver has to write what it has first.

        Some is kept by the server, and then the client has to wait. An abort still comes through.
        """

    def resume_input(self) -> None:
        """Go on after `pause_input`; what was kept comes first, from a later turn of the loop."""


class StreamIn(ABC):
    """A driver's half of a stream: what the server calls when the client sends."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Data from the client."""

    def received_hole(self, length: int) -> None:  # noqa: B027 - most streams take no holes
        """A hole of `length` bytes from the client."""

    async def finish(self) -> None:  # noqa: B027 - most streams have nothing to flush
        """The client has sent all; when this returns, everything is in its place."""

    @abstractmethod
    def abort(self) -> None:
        """The client gave up, or its connection broke. Called at most once, and not after `finish` succeeded."""

    def drained(self) -> None:  # noqa: B027 - small streams never congest
        """The client has read what was pending; sending may go on."""


class Caller(Protocol):
    """One client connection, as a handler sees it. Callers of the same connection are equal and hash alike.

    In a plain function, `open_stream`, `take_fds` and `reply_fds` are valid until it returns; in a coroutine function
    until it ends.
    """

    @property
    def readonly(self) -> bool:
        """Whether the connection was opened read-only."""

    @property
    def identity(self) -> Identity:
        """Who calls."""

    @property
    def local(self) -> bool:
        """Whether the peer is on this host, so that file descriptors can travel."""

    def send_message(self, procedure: Procedure, message: Struct | None) -> None:
        """Send an event message to this client. Never blocks; a client that never reads is disconnected."""

    def when_closed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once when the connection ends. Returns a function that takes the wish back."""

    def open_stream(self, incoming: StreamIn) -> StreamOut:
        """Make the call that is being handled a stream.

        What the driver sends before the handler has returned is kept until after the reply.
        """

    def take_fds(self) -> list[int]:
        """The descriptors that came with the call; the handler owns them from now on."""

    def reply_fds(self, fds: list[int]) -> None:
        """Hand these descriptors over with the reply; the server closes them."""


@dataclass(frozen=True, slots=True)
class Handler(Generic[DriverT]):
    """One row of a driver's table: what runs, and what the caller must be allowed to do.

    `write` says that a read-only connection is refused (code 29).
    """

    function: HandlerFunction
    write: bool


def read(function: HandlerFunction) -> Handler[DriverT]:
    """A handler that read-only clients may call."""
    return Handler(function, write=False)


def write(function: HandlerFunction) -> Handler[DriverT]:
    """A handler that needs a read-write connection."""
    return Handler(function, write=True)


class DaemonSettings(Protocol):
    """What drivers may know of the daemon's settings (`libvirtd.conf`); empty text means that it is not set."""

    @property
    def host_uuid(self) -> str:
        """The host's UUID, if it is configured."""

    @property
    def host_uuid_source(self) -> str:
        """Where it is read otherwise: `smbios` or `machine-id`."""


class Driver(Protocol):
    """What the daemon does with every driver.

    A driver's package offers `create(places, settings, ...) -> Driver`; `server.daemon` calls it.
    """

    @property
    def busy(self) -> bool:
        """Whether guests run or work is under way, so that a daemon with `--timeout` has to stay."""

    @property
    def table(self) -> Mapping[Procedure, Handler[object]]:
        """The procedures that the driver answers."""

    async def start(self) -> None:
        """Load what is on disk, pick up what still runs, start what is marked for it."""

    async def reload(self) -> None:
        """Read configuration again (SIGHUP)."""

    async def stop(self) -> None:
        """The daemon ends: save and let go. Guests keep running."""
