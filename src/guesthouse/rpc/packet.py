"""Packets: the length, the header, the payload, and how a stream of bytes is cut into them.

A packet is a length word that counts itself, six header words (program, version, procedure, type, serial, status), and
the payload; all numbers are big-endian. A packet of type CALL_WITH_FDS or REPLY_WITH_FDS starts its payload with the
number of file descriptors; behind the packet each of them travels with one byte that no length counts.

Source: libvirt's `virnetprotocol.x`, and the behaviour of libvirtd 11.3.
"""

from __future__ import annotations

import struct

from guesthouse.rpc.procedure import KEEPALIVE_PROGRAM

#: Types of packets.
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)

#: Status of a packet.
OK, ERROR, CONTINUE = range(3)

#: Bytes of the length word.
LENGTH_SIZE = 4

#: Bytes before the payload: the length word and the header.
HEADER_SIZE = 28

#: Longest packet, without its length word.
MESSAGE_MAX = 33554432

#: Longest payload.
PAYLOAD_MAX = 33554408

#: How much data a stream packet carries at most; older peers accept no larger payload.
STREAM_CHUNK = 262120

#: File descriptors that one packet may bring.
FDS_MAX = 32

#: Unanswered calls of one client before a server stops reading from it (`max_client_requests` of libvirtd.conf).
OUTSTANDING_CALLS = 5

_HEADER = struct.Struct(">IIIiiIi")
_UINT = struct.Struct(">I")
_unpack = _HEADER.unpack_from
_pack = _HEADER.pack

#: A hole in a stream: its length, and flags (always 0).
HOLE = struct.Struct(">qI")


class FramingError(Exception):
    """Bytes that cannot be cut into packets. Nothing after them makes sense: close the connection without a reply."""


class Ping:
    """The peer asks for a sign of life; answer with `PONG`."""

    __slots__ = ()


class Pong:
    """The peer answered a ping."""

    __slots__ = ()


class StreamHole:
    """A hole of `length` bytes on the stream that call `serial` opened."""

    __slots__ = ("length", "serial")

    def __init__(self, serial: int, length: int) -> None:
        self.serial = serial
        self.length = length


class Header:
    """The words before a payload. `nfds` is the number of file descriptors that came with the packet."""

    __slots__ = ("nfds", "procedure", "program", "serial", "status", "type", "version")

    def __init__(
        self, program: int, version: int, procedure: int, type: int, serial: int, status: int, nfds: int = 0
    ) -> None:
        self.program = program
        self.version = version
        self.procedure = procedure
        self.type = type
        self.serial = serial
        self.status = status
        self.nfds = nfds

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Header):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Header({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def encode_packet(
    program: int,
    version: int,
    procedure: int,
    type: int,
    serial: int,
    status: int = OK,
    payload: bytes | memoryview = b"",
    nfds: int = 0,
) -> bytes:
    """A whole packet. With `nfds` the type becomes its WITH_FDS twin and the count is put before the payload.

    Raises FramingError when the payload is over PAYLOAD_MAX or there are more than FDS_MAX descriptors.
    """
    if nfds:
        if nfds > FDS_MAX:
            raise FramingError(f"{nfds} file descriptors are more than the {FDS_MAX} that a packet may bring")
        type = CALL_WITH_FDS if type == CALL else REPLY_WITH_FDS
        payload = _UINT.pack(nfds) + payload
    size = len(payload)
    if size > PAYLOAD_MAX:
        raise FramingError(f"a payload of {size} bytes is more than the {PAYLOAD_MAX} that a packet may hold")
    head = _pack(HEADER_SIZE + size, program, version, procedure, type, serial, status)
    return head + payload if size else head


#: Whole keepalive packets. They carry serial 0, whatever they answer.
PING = encode_packet(KEEPALIVE_PROGRAM, 1, 1, MESSAGE, 0)
PONG = encode_packet(KEEPALIVE_PROGRAM, 1, 2, MESSAGE, 0)


def keepalive_event(header: Header) -> Ping | Pong | None:
    """What a message of the keepalive program means; None for what is not known."""
    if header.version == 1 and header.procedure == 1:
        return Ping()
    return Pong() if header.version == 1 and header.procedure == 2 else None


class Framer:
    """Cuts bytes into packets, in whatever pieces they come.

    Memory follows the bytes that have arrived, never the length that a header promises. Whole packets in one piece
    are not copied but for their payload; a packet in many pieces is gathered in one growing buffer.
    """

    __slots__ = ("_buffer", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: Bytes that the buffer needs before looking at it again can help.
        self._wanted = HEADER_SIZE

    def feed(self, data: bytes) -> list[tuple[Header, bytes]]:
        """Take bytes as they came; return the packets that are now complete, each with its payload.

        The payload of a packet with descriptors starts behind their number, and the packet is only complete when the
        bytes that bring them have arrived. Raises FramingError for a length that no packet can have.
        """
        buffer = self._buffer
        if not buffer:
            packets, used = self._cut(data)
            if used != len(data):
                buffer += data[used:] if used else data
            return packets
        buffer += data
        if len(buffer) < self._wanted and self._wanted > HEADER_SIZE:
            return []
        packets, used = self._cut(buffer)
        del buffer[:used]
        return packets

    @property
    def pending(self) -> int:
        """Bytes of an incomplete packet."""
        return len(self._buffer)

    def _cut(self, data: bytes | bytearray) -> tuple[list[tuple[Header, bytes]], int]:
        """The complete packets at the head of `data`, and how many bytes they took."""
        packets: list[tuple[Header, bytes]] = []
        start, size = 0, len(data)
        self._wanted = HEADER_SIZE
        while size - start >= HEADER_SIZE:
            length, program, version, procedure, type_, serial, status = _unpack(data, start)
            if not HEADER_SIZE <= length <= MESSAGE_MAX + LENGTH_SIZE:
                raise _bad_length(length)
            end = start + length
            if end > size:
                self._wanted = length
                return packets, start
            first, nfds = start + HEADER_SIZE, 0
            if type_ in (CALL_WITH_FDS, REPLY_WITH_FDS):
                nfds = _descriptors(data, first, length)
                first += LENGTH_SIZE
                if end + nfds > size:
                    self._wanted = length + nfds
                    return packets, start
            header = Header(program, version, procedure, type_, serial, status, nfds)
            payload = data[first:end] if isinstance(data, bytes) else bytes(memoryview(data)[first:end])
            packets.append((header, payload))
            start = end + nfds
        if size - start >= LENGTH_SIZE:
            (length,) = _UINT.unpack_from(data, start)
            if not HEADER_SIZE <= length <= MESSAGE_MAX + LENGTH_SIZE:
                raise _bad_length(length)
        return packets, start


def _bad_length(length: int) -> FramingError:
    return FramingError(f"a packet of {length} bytes: from {HEADER_SIZE} to {MESSAGE_MAX + LENGTH_SIZE} are possible")


def _descriptors(data: bytes | bytearray, offset: int, length: int) -> int:
    """The number of descriptors that a packet announces at `offset`."""
    if length < HEADER_SIZE + LENGTH_SIZE:
        raise FramingError("a packet that brings file descriptors does not say how many")
    count: int = _UINT.unpack_from(data, offset)[0]
    if count > FDS_MAX:
        raise FramingError(f"{count} file descriptors are more than the {FDS_MAX} that a packet may bring")
    return count
