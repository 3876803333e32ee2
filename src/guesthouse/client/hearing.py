"""Hearing of events: the messages that come over a connection, one after the other."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol, TypeVar

    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import Message

    Event = TypeVar("Event")
    EventRead = TypeVar("EventRead", covariant=True)
    SubjectAsked = TypeVar("SubjectAsked", contravariant=True)

    class Source(Protocol[SubjectAsked, EventRead]):
        """A module of this package about one kind of object's events."""

        def register(self, connection: Connection, number: int, subject: SubjectAsked | None, /) -> int:
            """Ask for an event by its number, of one object or of all; the number of the registration."""

        def deregister(self, connection: Connection, registration: int, /) -> None:
            """Ask for it no longer."""

        def read(self, connection: Connection, message: Message, /) -> EventRead | None:
            """What a message tells; None where it is about something else."""


def heard(
    connection: Connection, read: Callable[[Connection, Message], Event | None], timeout: float | None
) -> Iterator[Event]:
    """The events as they come, for `timeout` seconds (None: as long as the connection lives).

    `read` says what a message tells, and None for one that is about something else.
    """
    deadline = None if timeout is None else monotonic() + timeout
    while True:
        left = None if deadline is None else max(deadline - monotonic(), 0.0)
        message = connection.next_message(left)
        if message is None:
            return
        event = read(connection, message)
        if event is not None:
            yield event
