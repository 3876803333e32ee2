"""The server's side of one connection, without I/O: bytes in, events out; replies, messages and stream data to bytes.

What is wrong with one call is answered, and the connection goes on: an unknown program or procedure, arguments that
cannot be decoded, a reply that cannot be encoded. Only bytes that cannot be cut into packets end the connection
(`FramingError`). Late stream packets and stray replies are dropped, as libvirtd does; stream data for a call that is
no stream is the caller's to drop.

Source: behaviour of libvirtd 11.3 on the wire.
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.rpc.packet import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    ERROR,
    HOLE,
    MESSAGE,
    OK,
    REPLY,
    STREAM,
    STREAM_HOLE,
    Framer,
    FramingError,
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
from guesthouse.rpc.types import Encoded, RemoteError
from guesthouse.rpc.xdr import XdrError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.rpc.procedure import Procedure, Program
    from guesthouse.rpc.xdr import Struct

#: Serial of every message that the server sends by itself.
MESSAGE_SERIAL = 1


class Call:
    """A call with decoded arguments (None where it has none). `nfds` descriptors came with it."""

    __slots__ = ("args", "nfds", "procedure", "serial")

    def __init__(self, procedure: Procedure, serial: int, args: Struct | None, nfds: int = 0) -> None:
        self.procedure = procedure
        self.serial = serial
        self.args = args
        self.nfds = nfds

    def __repr__(self) -> str:
        return f"Call({self.procedure.name}, serial={self.serial}, args={self.args!r}, nfds={self.nfds})"


class Refused:
    """A call that cannot be served; `packet` is the answer to send. Descriptors that came with it are to be closed."""

    __slots__ = ("nfds", "packet")

    def __init__(self, packet: bytes, nfds: int = 0) -> None:
        self.packet = packet
        self.nfds = nfds


class StreamData:
    """Data from the client on the stream that call `serial` opened."""

    __slots__ = ("data", "procedure_number", "serial")

    def __init__(self, serial: int, procedure_number: int, data: bytes) -> None:
        self.serial = serial
        self.procedure_number = procedure_number
        self.data = data


class StreamFinish:
    """The client has sent all; answer with `encode_stream_finish` when it is in its place."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


class StreamAbort:
    """The client gave the stream up; answer with `encode_stream_finish`."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


if TYPE_CHECKING:
    Event = Call | Refused | StreamData | StreamHole | StreamFinish | StreamAbort | Ping | Pong


class ServerProtocol:
    """One client's connection. `programs` maps program numbers to what this server serves."""

    def __init__(self, programs: dict[int, Program]) -> None:
        self._programs = programs
        self._framer = Framer()

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they came; return what they mean. Raises FramingError: then close without a reply."""
        events: list[Event] = []
        for header, payload in self._framer.feed(data):
            type_ = header.type
            if type_ in (CALL, CALL_WITH_FDS):
                events.append(self._call(header, payload))
            else:
                event = self._other(header, payload)
                if event is not None:
                    events.append(event)
        return events

    def _call(self, header: Header, payload: bytes) -> Call | Refused:
        program = self._programs.get(header.program)
        if program is None or program.version != header.version:
            return _refuse(header, f"Cannot find program {header.program} version {header.version}")
        if header.status != OK:
            return _refuse(header, f"Unexpected message status {header.status}")
        procedure = program.lookup(header.procedure)
        if procedure is None or procedure.kind == "event":
            return _refuse(header, f"unknown procedure: {header.procedure}")
        if procedure.args is None:
            return Call(procedure, header.serial, None, header.nfds)
        try:
            return Call(procedure, header.serial, procedure.args.decode(payload), header.nfds)
        except XdrError as error:
            return _refuse(header, f"Unable to decode message payload: {error}")

    def _other(self, header: Header, payload: bytes) -> Event | None:
        if header.type == STREAM:
            if header.status == CONTINUE:
                return StreamData(header.serial, header.procedure, payload)
            if header.status == OK:
                return StreamFinish(header.serial)
            return StreamAbort(header.serial) if header.status == ERROR else None
        if header.type == STREAM_HOLE:
            return _hole(header, payload)
        if header.type == MESSAGE and header.program == KEEPALIVE_PROGRAM:
            return keepalive_event(header)
        return None

    def encode_reply(self, call: Call, ret: Struct | None, nfds: int = 0) -> bytes:
        """The reply of a call. What cannot be encoded becomes an error reply, whose cause is the server's own."""
        procedure = call.procedure
        if type(ret) is not (procedure.ret or type(None)) and not isinstance(ret, Encoded):
            return self.encode_error(
                call, _own_fault(f"{procedure.name} may not be answered with {type(ret).__name__}")
            )
        try:
            payload = b"" if ret is None else ret.encode()
            return encode_packet(
                procedure.program, procedure.version, procedure.number, REPLY, call.serial, OK, payload, nfds
            )
        except (XdrError, FramingError) as error:
            return self.encode_error(call, _own_fault(f"Unable to encode message payload: {error}"))

    def encode_error(self, call: Call, exc: LibvirtError) -> bytes:
        """The reply of a call that failed."""
        return self._packet(call, REPLY, ERROR, RemoteError.from_exception(exc).encode())

    def encode_message(self, procedure: Procedure, message: Struct | None) -> bytes:
        """An event message. Raises XdrError or FramingError when it cannot be encoded."""
        payload = b"" if message is None else message.encode()
        return encode_packet(
            procedure.program, procedure.version, procedure.number, MESSAGE, MESSAGE_SERIAL, OK, payload
        )

    def encode_stream_data(self, call: Call, data: bytes | memoryview) -> bytes:
        """Data on the stream of a call: from 1 to STREAM_CHUNK bytes."""
        return self._packet(call, STREAM, CONTINUE, data)

    def encode_stream_hole(self, call: Call, length: int) -> bytes:
        """A hole of `length` bytes, on a stream that the client opened as sparse."""
        return self._packet(call, STREAM_HOLE, CONTINUE, HOLE.pack(length, 0))

    def encode_stream_end(self, call: Call) -> bytes:
        """No more data follows; the client then finishes the stream."""
        return self._packet(call, STREAM, CONTINUE, b"")

    def encode_stream_finish(self, call: Call) -> bytes:
        """The answer to the client's finish or abort."""
        return self._packet(call, STREAM, OK, b"")

    def encode_stream_error(self, call: Call, exc: LibvirtError) -> bytes:
        """Break the stream off; nothing follows on it, in either direction."""
        return self._packet(call, STREAM, ERROR, RemoteError.from_exception(exc).encode())

    def _packet(self, call: Call, type: int, status: int, payload: bytes | memoryview) -> bytes:
        procedure = call.procedure
        return encode_packet(procedure.program, procedure.version, procedure.number, type, call.serial, status, payload)


def _hole(header: Header, payload: bytes) -> Event:
    if len(payload) >= HOLE.size:
        length, flags = HOLE.unpack_from(payload)
        if length >= 0 and flags == 0:
            return StreamHole(header.serial, length)
    return _refuse(header, "a hole in a stream needs a length that is not negative, and flags 0")


def _own_fault(detail: str) -> LibvirtError:
    return LibvirtError(detail, code=Code.RPC, domain=Origin.RPC)


def _refuse(header: Header, text: str) -> Refused:
    """The error reply that echoes the caller's header."""
    error = RemoteError(Code.RPC, Origin.RPC, text, str1="%s", str2=text)
    packet = encode_packet(
        header.program, header.version, header.procedure, REPLY, header.serial, ERROR, error.encode()
    )
    return Refused(packet, header.nfds)
