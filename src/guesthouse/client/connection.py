"""The blocking shell: one connection to a daemon, over which calls are made one after the other.

`Connection` moves the bytes and keeps the time; `guesthouse.rpc.client` knows the protocol. While a reply is awaited,
a daemon that says nothing is pinged, and given up when it answers none of the pings: so no call waits for ever, and a
long call may take as long as it needs. Calls, events and streams come over the same socket, and each wait serves them
all: what is not for the one who waits is kept for whom it is for.
"""

from __future__ import annotations

from time import monotonic

from guesthouse.client.destination import destination
from guesthouse.client.transport import ClosedError, UnixTransport
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
from guesthouse.rpc.packet import FramingError
from guesthouse.rpc.programs import GUESTHOUSE, QEMU, REMOTE
from guesthouse.rpc.xdr import XdrError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from guesthouse.client.domain import Domain
    from guesthouse.client.stream import Stream, StreamEvent
    from guesthouse.client.uri import Surroundings
    from guesthouse.rpc.client import Event
    from guesthouse.rpc.procedure import Procedure
    from guesthouse.rpc.types import NonnullDomain
    from guesthouse.rpc.xdr import Struct

    StructT = TypeVar("StructT", bound=Struct)

#: Feature numbers of CONNECT_SUPPORTS_FEATURE.
FEATURE_KEEPALIVE = 10

#: Flag of CONNECT_OPEN.
OPEN_READONLY = 1

#: Seconds of a daemon's silence after which a call is given up where keepalive is off.
SILENCE_MAX = 3600.0

#: Seconds that the daemon may take to say goodbye.
CLOSE_TIMEOUT = 2.0

#: Authentication that AUTH_LIST may ask for (libvirt's `remote_auth_type`).
AUTH_NONE, AUTH_SASL, AUTH_POLKIT = range(3)


class Connection:
    """An open connection. Not for several threads at once."""

    def __init__(
        self,
        transport: UnixTransport,
        *,
        keepalive: tuple[int, int] = (0, 0),
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self._transport = transport
        self._protocol = ClientProtocol({program.number: program for program in (REMOTE, QEMU, GUESTHOUSE)})
        self._replies: dict[int, Reply | Failure] = {}
        self._streams: dict[int, list[StreamEvent]] = {}
        self._messages: list[Message] = []
        self._keepalive = keepalive
        self._unanswered = 0
        self._keepalive_question: int | None = None
        self._trace = trace
        self._uri = ""
        self.alive = True
        self.readonly = False

    @classmethod
    def open(
        cls,
        name: str,
        surroundings: Surroundings,
        *,
        readonly: bool = False,
        keepalive: tuple[int, int] = (0, 0),
        trace: Callable[[str], None] | None = None,
    ) -> Connection:
        """Connect to what the URI `name` means; an empty one means the default. Raises LibvirtError.

        `keepalive` is the seconds of silence before a ping, and how many pings may stay unanswered; 0 seconds turn
        it off. `trace` is told the name of every call.
        """
        uri, where = destination(name, surroundings, readonly=readonly)
        connection = cls(UnixTransport.connect(where, surroundings.daemon), keepalive=keepalive, trace=trace)
        try:
            connection._greet(uri.open_name if uri else "", readonly=readonly)
        except BaseException:  # also for Ctrl+C: the daemon need not wait for us
            connection.drop()
            raise
        connection._uri = uri.text if uri else ""
        return connection

    def _greet(self, name: str, *, readonly: bool) -> None:
        """The opening that stock clients make, but for the question about keepalive: most calls never need it."""
        from guesthouse.rpc.procedures import auth
        from guesthouse.rpc.procedures import connect as rpc

        types = self.ask(auth.AuthListRet, auth.AUTH_LIST).types
        wanted = types[0] if types else AUTH_NONE
        if wanted == AUTH_POLKIT:
            self.call(auth.AUTH_POLKIT)
        elif wanted != AUTH_NONE:
            raise LibvirtError(
                "the daemon asks for SASL, which this client does not speak yet",
                code=Code.AUTH_FAILED,
                domain=Origin.AUTH,
            )
        self.readonly = readonly
        self.call(rpc.CONNECT_OPEN, rpc.ConnectOpenArgs(name, OPEN_READONLY if readonly else 0))

    # Calls

    def call(self, procedure: Procedure, args: Struct | None = None) -> Struct | None:
        """Make a call and wait for its reply. Raises the daemon's error, or ClosedError when the connection broke."""
        return self.wait(self.submit(procedure, args))

    def ask(self, kind: type[StructT], procedure: Procedure, args: Struct | None = None) -> StructT:
        """A call whose reply is of the type `kind`."""
        ret = self.call(procedure, args)
        if not isinstance(ret, kind):
            raise LibvirtError(f"unexpected reply to {procedure.name}", code=Code.RPC, domain=Origin.REMOTE)
        return ret

    def submit(self, procedure: Procedure, args: Struct | None = None, descriptors: Sequence[int] = ()) -> int:
        """Send a call without waiting; `wait` gets the reply by the serial that this returns.

        `descriptors` travel with it; they stay the caller's to close.
        """
        if self._trace:
            self._trace(f"call {procedure.name}")
        if not self.alive:
            raise ClosedError("the connection is closed")
        try:
            serial, packet = self._protocol.call(procedure, args, len(descriptors))
        except XdrError as error:
            raise LibvirtError(f"Unable to encode message payload: {error}", code=Code.RPC, domain=Origin.RPC) from None
        self._send(packet)
        for descriptor in descriptors:
            self._transport.send_descriptor(descriptor, self._patience)
        return serial

    def wait(self, serial: int) -> Struct | None:
        """The reply to a call of `submit`."""
        while serial not in self._replies:
            self._pump(None)
        reply = self._replies.pop(serial)
        if isinstance(reply, Failure):
            raise reply.error
        return reply.ret

    def answered(self, serial: int, timeout: float) -> bool:
        """Whether the reply to a call of `submit` has come, waiting at most `timeout` seconds for it."""
        deadline = monotonic() + timeout
        while serial not in self._replies and (left := deadline - monotonic()) > 0:
            self._pump(left, idle=True)
        return serial in self._replies

    def feature(self, number: int) -> bool:
        """Whether the daemon supports a feature of CONNECT_SUPPORTS_FEATURE."""
        from guesthouse.rpc.procedures import connect as rpc

        ret = self.ask(
            rpc.ConnectSupportsFeatureRet,
            rpc.CONNECT_SUPPORTS_FEATURE,
            rpc.ConnectSupportsFeatureArgs(number),
        )
        return bool(ret.supported)

    # Events

    def next_message(self, timeout: float | None) -> Message | None:
        """The next event, or None when none came in `timeout` seconds (None: as long as the connection lives)."""
        deadline = None if timeout is None else monotonic() + timeout
        while not self._messages:
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return None
            self._pump(left, idle=True)
        return self._messages.pop(0)

    # Streams

    def open_stream(self, procedure: Procedure, args: Struct | None = None) -> tuple[Struct | None, Stream]:
        """Make a call that opens a stream; returns its reply and the stream."""
        from guesthouse.client.stream import Stream

        serial = self.submit(procedure, args)
        waiting = self._streams[serial] = []
        try:
            return self.wait(serial), Stream(self, self._protocol, serial, waiting)
        except LibvirtError:
            self._streams.pop(serial, None)
            raise

    def wait_readable(self, *others: int) -> list[int]:
        """Wait until something comes over the connection, or one of the other descriptors is readable.

        Takes in what came, and returns those of the others that are readable.
        """
        import select

        own = self._transport.fileno()
        interval = float(self._keepalive[0]) or SILENCE_MAX
        ready = select.select([own, *others], [], [], interval)[0]
        if not ready:
            self._silence(idle=True)
        if own in ready:
            self._pump(0.0)
        return [one for one in ready if one != own]

    # The end

    def check(self) -> bool:
        """Take in what has come meanwhile, without waiting; False when the daemon has gone."""
        if self.alive:
            try:  # noqa: SIM105 - contextlib is not worth its import
                self._pump(0.0, idle=True)
            except ClosedError:
                pass
        return self.alive

    def close(self) -> None:
        """Say goodbye and close. Never raises, and waits for a daemon's answer no longer than `CLOSE_TIMEOUT`."""
        if self.alive:
            from guesthouse.rpc.procedures import connect as rpc

            deadline = monotonic() + CLOSE_TIMEOUT
            try:
                serial = self.submit(rpc.CONNECT_CLOSE)
                while serial not in self._replies and (left := deadline - monotonic()) > 0:
                    self._pump(left, idle=True)
            except LibvirtError:
                pass
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self.alive = False
        self._transport.close()

    # Moving bytes

    def send(self, packet: bytes) -> None:
        """Send a whole packet that a stream has made."""
        self._send(packet)

    def pump(self) -> None:
        """Wait for whatever comes next, and hand it out."""
        self._pump(None)

    def forget_stream(self, serial: int) -> None:
        """Take nothing in for this stream any more."""
        self._streams.pop(serial, None)

    def _send(self, packet: bytes) -> None:
        try:
            self._transport.send(packet, self._patience)
        except ClosedError:
            self.drop()
            raise

    @property
    def _patience(self) -> float:
        """Seconds that a daemon may stay silent before it is taken for dead."""
        interval, count = self._keepalive
        return float(interval * (count + 1)) if interval else SILENCE_MAX

    def _pump(self, timeout: float | None, *, idle: bool = False) -> None:
        """Read once, for at most `timeout` seconds or one keepalive interval; hand out what came.

        `idle` says that the daemon owes us nothing: it may be silent for ever, if it only answers pings.
        """
        interval = float(self._keepalive[0]) or SILENCE_MAX
        wait = interval if timeout is None else min(timeout, interval)
        try:
            data = self._transport.receive(wait)
            if data is None:
                if timeout is None or wait == interval:
                    self._silence(idle=idle)
                return
            self._unanswered = 0
            for event in self._protocol.receive(data):
                self._dispatch(event)
        except FramingError as error:
            self.drop()
            raise ClosedError(f"the daemon sent what is no packet: {error}") from None
        except ClosedError:
            self.drop()
            raise

    def _silence(self, *, idle: bool) -> None:
        """Nothing came for one interval: ask for a sign of life, or give up.

        The first sign asked for is whether the daemon knows keepalive at all, since only then may it be pinged.
        """
        from guesthouse.rpc.procedures import connect as rpc

        if not self._keepalive[0]:
            if idle:
                return
            raise ClosedError(f"the daemon has said nothing for {SILENCE_MAX:.0f} s")
        if self._unanswered > self._keepalive[1]:
            raise ClosedError("connection closed due to keepalive timeout")
        self._unanswered += 1
        if self._keepalive_question is None:
            args = rpc.ConnectSupportsFeatureArgs(FEATURE_KEEPALIVE)
            self._keepalive_question = self.submit(rpc.CONNECT_SUPPORTS_FEATURE, args)
            return
        answer = self._replies.get(self._keepalive_question)
        if isinstance(answer, Reply) and isinstance(answer.ret, rpc.ConnectSupportsFeatureRet):
            if answer.ret.supported:
                self._send(PING)
            else:
                self._keepalive = (0, 0)

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Reply | Failure):
            self._replies[event.serial] = event
        elif isinstance(event, Message):
            self._messages.append(event)
        elif isinstance(event, Ping):
            self._send(PONG)
        elif isinstance(event, StreamData | StreamHole | StreamEnd | StreamFailure):
            waiting = self._streams.get(event.serial)
            if waiting is not None:
                waiting.append(event)

    # Objects

    @property
    def known_uri(self) -> str:
        """The connection's URI as far as it is known without asking."""
        return self._uri

    @property
    def uri(self) -> str:
        """The connection's URI, as given or as the daemon picked it."""
        if not self._uri:
            from guesthouse.rpc.procedures import connect as rpc

            self._uri = self.ask(rpc.ConnectGetUriRet, rpc.CONNECT_GET_URI).uri
        return self._uri

    def domains(self, flags: int = 0) -> list[Domain]:
        """The guests that pass a filter (libvirt's `virConnectListAllDomainsFlags`; 0 takes all)."""
        from guesthouse.rpc.procedures import domain as rpc

        args = rpc.ConnectListAllDomainsArgs(1, flags)
        ret = self.ask(rpc.ConnectListAllDomainsRet, rpc.CONNECT_LIST_ALL_DOMAINS, args)
        return [self.domain(handle) for handle in ret.domains]

    def domain(self, handle: NonnullDomain) -> Domain:
        """The object for a guest that a call named."""
        from guesthouse.client.domain import Domain

        return Domain(self, handle)

    def domain_by_id(self, number: int) -> Domain:
        """The running guest with this id. Raises LibvirtError (42) where there is none."""
        from guesthouse.rpc.procedures import domain as rpc

        ret = self.ask(rpc.DomainLookupByIdRet, rpc.DOMAIN_LOOKUP_BY_ID, rpc.DomainLookupByIdArgs(number))
        return self.domain(ret.dom)

    def domain_by_uuid(self, uuid: bytes) -> Domain:
        """The guest with this UUID. Raises LibvirtError (42) where there is none."""
        from guesthouse.rpc.procedures import domain as rpc

        ret = self.ask(rpc.DomainLookupByUuidRet, rpc.DOMAIN_LOOKUP_BY_UUID, rpc.DomainLookupByUuidArgs(uuid))
        return self.domain(ret.dom)

    def domain_by_name(self, name: str) -> Domain:
        """The guest with this name. Raises LibvirtError (42) where there is none."""
        from guesthouse.rpc.procedures import domain as rpc

        ret = self.ask(rpc.DomainLookupByNameRet, rpc.DOMAIN_LOOKUP_BY_NAME, rpc.DomainLookupByNameArgs(name))
        return self.domain(ret.dom)
