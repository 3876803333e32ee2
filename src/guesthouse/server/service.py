"""What all connections share: the tables, the limits, the accepting of clients, and when nobody is left.

Limits are libvirtd's: at `max_clients` nothing more is accepted, so that new clients wait in the kernel's queue. A
connection that has not been opened yet makes room for a new one, so that idle connections cannot lock others out.
`max_anonymous_clients` counts connections that are still authenticating; with authentication `none` there are none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from guesthouse.drivers.api import Identity
from guesthouse.rpc.procedure import Program
from guesthouse.server.dispatch import Dispatch
from guesthouse.server.listeners import Listener
from guesthouse.server.lock import peer_credentials
from guesthouse.server.session import Session
from guesthouse.server.settings import Settings

log = logging.getLogger(__name__)

#: Seconds within which a client has to open its connection.
OPEN_SECONDS = 30.0
#: Connections that are accepted in one turn of the loop.
_ACCEPT_BATCH = 64
#: Bytes of unfinished packets that are held for all clients together; one packet may have 32 MB.
_PARTIAL_BYTES = 256 << 20
#: Seconds to wait when the process has no descriptors left.
_EXHAUSTED_SECONDS = 0.2
#: Seconds that the last replies may take when the daemon ends.
_DISCONNECT_SECONDS = 1.0


class Service:
    """The clients of a daemon. `on_empty` is called when the last one has gone, `on_client` when one comes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        programs: dict[int, Program],
        dispatch: Dispatch,
        settings: Settings,
        *,
        on_empty: Callable[[], None],
        on_client: Callable[[], None],
    ) -> None:
        self.loop = loop
        self.programs = programs
        self.dispatch = dispatch
        self.open_seconds = OPEN_SECONDS
        self.keepalive_interval = settings.keepalive_interval
        self.keepalive_count = settings.keepalive_count
        #: What is under way for clients, including those that have gone meanwhile.
        self.tasks: set[asyncio.Task[None]] = set()
        self.sessions: dict[Session, None] = {}
        self._max_clients = settings.max_clients
        self._on_empty = on_empty
        self._on_client = on_client
        self._listeners: list[Listener] = []
        self._accepting = False
        self._partial = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def serve(self, listeners: list[Listener]) -> None:
        """Begin to accept clients."""
        self._listeners = listeners
        self._accept_if_possible()

    def stop_accepting(self) -> None:
        """Accept no more clients; those that are there stay."""
        self._pause()
        self._listeners = []

    async def disconnect_all(self) -> None:
        """End all connections, once what they wait for has been sent or after a moment."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(list(self.tasks), timeout=_DISCONNECT_SECONDS)
        for session in list(self.sessions):
            session.leave()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), _DISCONNECT_SECONDS)
        for session in list(self.sessions):
            session.close("the daemon is ending")

    def note_partial(self, size: int) -> None:
        """Count the bytes of packets that are not whole; over the budget, the connection that holds most of it ends.

        Read-only connections, which anybody may have, go first.
        """
        self._partial += size
        if self._partial > _PARTIAL_BYTES:
            greedy = max(self.sessions, key=lambda session: (session.readonly, session.partial))
            greedy.close("too many bytes of unfinished packets are being held")

    def apply(self, settings: Settings) -> None:
        """Take over settings that may change while clients are there."""
        self.keepalive_interval = settings.keepalive_interval
        self.keepalive_count = settings.keepalive_count
        self._max_clients = settings.max_clients
        self._accept_if_possible()

    def closed(self, session: Session) -> None:
        """A connection has ended."""
        self.sessions.pop(session, None)
        self._accept_if_possible()
        if not self.sessions:
            self._empty.set()
            self._on_empty()

    def _accept_if_possible(self) -> None:
        if self._accepting or len(self.sessions) >= self._max_clients:
            return
        self._accepting = True
        for listener in self._listeners:
            self.loop.add_reader(listener.socket, self._accept, listener)

    def _pause(self) -> None:
        self._accepting = False
        for listener in self._listeners:
            self.loop.remove_reader(listener.socket)

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPT_BATCH):
            idle = self._oldest_unopened() if len(self.sessions) >= self._max_clients else None
            if idle is None and len(self.sessions) >= self._max_clients:
                log.warning("there are %d clients (max_clients): more have to wait", self._max_clients)
                self._pause()
                return
            try:
                peer, _address = listener.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("cannot accept a client: %s", error.strerror)
                self._pause()
                self.loop.call_later(_EXHAUSTED_SECONDS, self._accept_if_possible)
                return
            if idle is not None:
                idle.close("it has not opened the connection, and another client needs the room")
            self._welcome(peer, listener.readonly)

    def _oldest_unopened(self) -> Session | None:
        """Whose place may be given to another client."""
        return next((session for session in self.sessions if not session.opened), None)

    def _welcome(self, peer: socket.socket, readonly: bool) -> None:
        peer.setblocking(False)
        try:
            pid, uid, gid = peer_credentials(peer)
        except OSError:
            peer.close()
            return
        identity = Identity(uid=uid, gid=gid, pid=pid)  # a user's name may be slow to find out
        self.sessions[Session(self, peer, readonly=readonly, identity=identity)] = None
        log.debug("process %d of uid %d has connected%s", pid, uid, " read-only" if readonly else "")
        self._empty.clear()
        self._on_client()
