"""A call beside its arguments and its reply: descriptors, a stream, and the caller that a coroutine handler gets."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Identity, StreamIn, StreamOut
from guesthouse.errors import Code, InternalError, LibvirtError

if TYPE_CHECKING:
    from guesthouse.rpc.procedure import Procedure
    from guesthouse.rpc.server import Call
    from guesthouse.rpc.xdr import Struct
    from guesthouse.server.session import Session
    from guesthouse.server.streams import Stream


def close_fds(descriptors: list[int]) -> None:
    """Close descriptors and empty the list."""
    while descriptors:
        os.close(descriptors.pop())


class Extras:
    """What a call has beside arguments and reply: descriptors in both directions, a stream."""

    __slots__ = ("received", "reply", "stream")

    def __init__(self, received: list[int]) -> None:
        self.received = received
        self.reply: list[int] = []
        self.stream: Stream | None = None

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        close_fds(self.received)
        close_fds(self.reply)


class CallInProgress:
    """The `drivers.api.Caller` of one coroutine handler: its session, and which call it is.

    It equals its session, so that drivers may tell connections apart by their callers.
    """

    __slots__ = ("_call", "_extras", "_session")

    def __init__(self, session: Session, call: Call, extras: Extras) -> None:
        self._session = session
        self._call = call
        self._extras = extras

    def __eq__(self, other: object) -> bool:
        return other is self._session or (isinstance(other, CallInProgress) and other._session is self._session)

    def __hash__(self) -> int:
        return hash(self._session)

    @property
    def readonly(self) -> bool:
        """Whether the connection was opened read-only."""
        return self._session.readonly

    @property
    def identity(self) -> Identity:
        """Who calls."""
        return self._session.identity

    @property
    def local(self) -> bool:
        """Whether descriptors can travel."""
        return self._session.local

    def send_message(self, procedure: Procedure, message: Struct | None) -> None:
        """Send an event message."""
        self._session.send_message(procedure, message)

    def when_closed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once when the connection ends."""
        return self._session.when_closed(callback)

    def open_stream(self, incoming: StreamIn) -> StreamOut:
        """Make this call a stream."""
        return self._session.add_stream(self._call, self._extras, incoming)

    def take_fds(self) -> list[int]:
        """The descriptors that came with this call."""
        taken, self._extras.received = self._extras.received, []
        return taken

    def reply_fds(self, fds: list[int]) -> None:
        """Hand these descriptors over with the reply."""
        self._extras.reply += fds


def told(error: BaseException) -> LibvirtError:
    """What the client is told of a failure that nobody foresaw: the host's refusal with its file, else its kind."""
    hint = "the daemon's log has more"
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename is not None else ""
        return LibvirtError(f"{error.strerror}{where}", code=Code.SYSTEM_ERROR, hint=hint)
    return InternalError(f"{type(error).__name__}: {error}", hint=hint)
