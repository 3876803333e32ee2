"""The client's side of one connection, without I/O: calls to bytes; bytes to replies, failures, messages, stream data.

Serials count from 0 on each connection, over all programs. A reply belongs to the call of its serial and must carry
the same program, version and procedure. A stream lives from the call that opens it until the server's OK or error.

The server says that it does not know a procedure with code 39, domain 7 and a text that begins with `unknown
procedure`; that becomes code 3 here, on which callers fall back to an older procedure.

Source: libvirt's remote driver 11.3 on the wire.
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.rpc.packet import (
    CALL,
    CONTINUE,
    ERROR,
    HOLE,
    MESSAGE,
    OK,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
    Framer,
    Header,
    encode_packet,
    keepalive_event,
)
from guesthouse.rpc.packet import PING as PING
from guesthouse.rpc.packet import PONG as PONG
from guesthouse.rpc.packet import Ping as Ping
from guesthouse.rpc.packet import Pong as Pong
from guesthouse.rpc.packet import StreamHole as StreamHole
from guesthouse.rpc.procedure import KEEPALIVE_PROGRAM
from guesthouse.rpc.types import RemoteError, ReportedError
from guesthouse.rpc.xdr import XdrError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.rpc.procedure import Procedure, Program
    from guesthouse.rpc.xdr import Struct

#: Serials wrap at 32 bits.
_SERIALS = 1 << 32


class Reply:
    """A call succeeded. `ret` is None where the reply is void; `nfds` descriptors came with it."""

    __slots__ = ("nfds", "ret", "serial")

    def __init__(self, serial: int, ret: Struct | None, nfds: int = 0) -> None:
        self.serial = serial
        self.ret = ret
        self.nfds = nfds


class Failure:
    """A call failed; `error` is ready to be raised."""

    __slots__ = ("error", "serial")

    def __init__(self, serial: int, error: LibvirtError) -> None:
        self.serial = serial
        self.error = error


class Message:
    """An event from the server."""

    __slots__ = ("message", "procedure")

    def __init__(self, procedure: Procedure, message: Struct | None) -> None:
        self.procedure = procedure
        self.message = message


class StreamData:
    """Data on the stream of call `serial`; empty data says that no more follows, and the client finishes."""

    __slots__ = ("data", "serial")

    def __init__(self, serial: int, data: bytes) -> None:
        self.serial = serial
        self.data = data


class StreamEnd:
    """The server confirmed the client's finish or abort: the stream is over."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


class StreamFailure:
    """The server broke the stream off; it is over."""

    __slots__ = ("error", "serial")

    def __init__(self, serial: int, error: LibvirtError) -> None:
        self.serial = serial
        self.error = error


if TYPE_CHECKING:
    Event = Reply | Failure | Message | StreamData | StreamHole | StreamEnd | StreamFailure | Ping | Pong


class ClientProtocol:
    """One connection to a server. `programs` serve to decode event messages; a client without events needs none."""

    def __init__(self, programs: dict[int, Program] | None = None) -> None:
        self._programs = programs or {}
        self._framer = Framer()
        self._serial = -1
        self._calls: dict[int, Procedure] = {}
        self._streams: dict[int, Procedure] = {}

    def call(self, procedure: Procedure, args: Struct | None = None, nfds: int = 0) -> tuple[int, bytes]:
        """The next serial, and the packet of a call. Raises XdrError when the arguments cannot be encoded."""
        if type(args) is not (procedure.args or type(None)):
            raise XdrError(f"{procedure.name} cannot be called with {type(args).__name__}")
        payload = b"" if args is None else args.encode()
        serial = self._serial = (self._serial + 1) % _SERIALS
        packet = encode_packet(procedure.program, procedure.version, procedure.number, CALL, serial, OK, payload, nfds)
        self._calls[serial] = procedure
        if procedure.stream != "none":
            self._streams[serial] = procedure
        return serial, packet

    @property
    def outstanding(self) -> int:
        """Calls that have no reply yet."""
        return len(self._calls)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they came; return what they mean. Raises FramingError: then close the connection."""
        events: list[Event] = []
        for header, payload in self._framer.feed(data):
            event = self._event(header, payload)
            if event is not None:
                events.append(event)
        return events

    def _event(self, header: Header, payload: bytes) -> Event | None:
        if header.type in (REPLY, REPLY_WITH_FDS):
            return self._reply(header, payload)
        if header.type in (STREAM, STREAM_HOLE):
            return self._stream(header, payload)
        return self._message(header, payload) if header.type == MESSAGE else None

    def _reply(self, header: Header, payload: bytes) -> Event | None:
        serial = header.serial
        procedure = self._calls.pop(serial, None)
        if procedure is None:
            if header.status == ERROR and self._streams.pop(serial, None) is not None:
                return StreamFailure(serial, _error(payload))
            return None
        if header.status == OK and _same(header, procedure):
            try:
                ret = None if procedure.ret is None else procedure.ret.decode(payload)
                return Reply(serial, ret, header.nfds)
            except XdrError as error:
                failure = _broken(f"Unable to decode message payload: {error}")
        elif header.status == ERROR:
            failure = _error(payload)
        else:
            failure = _broken(f"Unexpected reply to {procedure.name}: {header!r}")
        self._streams.pop(serial, None)
        return Failure(serial, failure)

    def _stream(self, header: Header, payload: bytes) -> Event | None:
        serial = header.serial
        procedure = self._streams.get(serial)
        if procedure is None or not _same(header, procedure):
            return None
        if header.type == STREAM_HOLE:
            return StreamHole(serial, HOLE.unpack_from(payload)[0]) if len(payload) >= HOLE.size else None
        if header.status == CONTINUE:
            return StreamData(serial, payload)
        del self._streams[serial]
        return StreamEnd(serial) if header.status == OK else StreamFailure(serial, _error(payload))

    def _message(self, header: Header, payload: bytes) -> Event | None:
        if header.program == KEEPALIVE_PROGRAM:
            return keepalive_event(header)
        program = self._programs.get(header.program)
        procedure = program.lookup(header.procedure) if program else None
        if procedure is None or procedure.kind != "event":
            return None
        try:
            return Message(procedure, None if procedure.ret is None else procedure.ret.decode(payload))
        except XdrError:
            return None

    def encode_stream_data(self, serial: int, data: bytes | memoryview) -> bytes:
        """Data on an open stream: from 1 to STREAM_CHUNK bytes. Raises KeyError when the stream is over."""
        return self._packet(serial, STREAM, CONTINUE, data)

    def encode_stream_hole(self, serial: int, length: int) -> bytes:
        """A hole of `length` bytes, on a stream that was opened as sparse."""
        return self._packet(serial, STREAM_HOLE, CONTINUE, HOLE.pack(length, 0))

    def encode_stream_finish(self, serial: int) -> bytes:
        """All is sent, or all is read: the server answers with `StreamEnd`, or with `StreamFailure`."""
        return self._packet(serial, STREAM, OK, b"")

    def encode_stream_abort(self, serial: int) -> bytes:
        """Give the stream up; the server answers with `StreamEnd`."""
        return self._packet(serial, STREAM, ERROR, b"")

    def _packet(self, serial: int, type: int, status: int, payload: bytes | memoryview) -> bytes:
        procedure = self._streams[serial]
        return encode_packet(procedure.program, procedure.version, procedure.number, type, serial, status, payload)


def _same(header: Header, procedure: Procedure) -> bool:
    """Whether a packet belongs to the procedure that was called."""
    return (
        header.procedure == procedure.number
        and header.program == procedure.program
        and header.version == procedure.version
    )


def _error(payload: bytes) -> LibvirtError:
    """The error in the payload of a packet with status ERROR."""
    try:
        error = RemoteError.decode(payload)
    except XdrError as failure:
        return _broken(f"Unable to decode error: {failure}")
    text = error.message or ""
    if error.code == Code.RPC and error.domain == Origin.RPC and text.startswith("unknown procedure"):
        return ReportedError(text, Code.NO_SUPPORT, error.domain)
    return error.to_exception()


def _broken(detail: str) -> LibvirtError:
    return LibvirtError(detail, code=Code.RPC, domain=Origin.RPC)
