"""The kernel's routing socket: messages with attributes, each answered by an acknowledgement. Linux alone.

A `Netlink` is a socket in the network namespace of whoever opens it. `transact` sends any number of messages with one
system call, which the kernel works through before the call returns: whoever is killed meanwhile leaves either nothing
or all of them done.

Source: netlink(7), rtnetlink(7), and the kernel's `include/uapi/linux/{netlink,rtnetlink,if_link,if_bridge}.h`.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, NEWROUTE = 20, 24

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

#: Flags of a network device: it is up, it receives what is for others, it receives what is for any group.
UP, PROMISCUOUS, ALL_MULTICAST = 0x1, 0x100, 0x200
NO_STATE: Final[Mapping[int, bool]] = {}

#: How long the kernel may take, in seconds: its lock for network devices can be held by somebody else.
DEADLINE: Final = 10.0

_NESTED: Final = 0x8000
_TYPE_MASK: Final = 0x3FFF
_ERROR, _DONE = 2, 3
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_LINK: Final = struct.Struct("=BxHiII")
_READ_SIZE: Final = 1 << 18

#: The value of an attribute: bytes, a text (which the kernel wants with a final 0), a 32-bit number, or attributes.
Value: TypeAlias = "bytes | str | int | Attributes"
Attributes: TypeAlias = "list[tuple[int, Value]]"


@dataclass(frozen=True, slots=True)
class Message:
    """One order: its type, its flags beside those of every request, its fixed part, and its attributes."""

    kind: int
    flags: int
    fixed: bytes
    attributes: Attributes


def link_message(kind: int, attributes: Attributes, *, index: int = 0, flags: int = 0, family: int = 0,
                 state: Mapping[int, bool] = NO_STATE) -> Message:  # fmt: skip
    """A message about a network device. `state` says which of its flags (`UP`, …) are set or cleared."""
    wanted = sum(bit for bit, is_set in state.items() if is_set)
    return Message(kind, flags, _LINK.pack(family, 0, index, wanted, sum(state)), attributes)


def encode_attributes(attributes: Attributes) -> bytes:
    """Attributes as the kernel reads them: length, type, value, padded to four bytes."""
    parts = []
    for kind, value in attributes:
        data, nested = _encoded(value)
        parts.append(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind | nested) + data + b"\0" * (-len(data) % 4))
    return b"".join(parts)


def _encoded(value: Value) -> tuple[bytes, int]:
    if isinstance(value, bytes):
        return value, 0
    if isinstance(value, str):
        return os.fsencode(value) + b"\0", 0
    if isinstance(value, int):
        return struct.pack("=I", value), 0
    return encode_attributes(value), _NESTED


def decode_attributes(data: bytes) -> dict[int, bytes]:
    """Type to value; the last of several of a type. What is cut off is left out."""
    found = {}
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size or place + length > len(data):
            break
        found[kind & _TYPE_MASK] = data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


def text_of(value: bytes) -> str:
    """A text attribute without its final 0."""
    return os.fsdecode(value.rstrip(b"\0"))


class Netlink:
    """A routing socket. Blocks, at most `DEADLINE` seconds a call: not for the event loop. Use it with `with`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(DEADLINE)
        self._socket.bind((0, 0))
        self._serial = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def transact(self, messages: Sequence[Message]) -> None:
        """Do these in their order. Raises OSError with the kernel's number for the first that failed.

        Those after a failed one are still tried: nothing that must not happen may stand behind one that can fail.
        """
        first = self._serial + 1
        data = b"".join(self._encode(message, ACK) for message in messages)
        self._socket.send(data)
        failed = 0
        waiting = set(range(first, self._serial + 1))
        while waiting:
            for kind, serial, body in self._received():
                if kind == _ERROR and serial in waiting:
                    waiting.discard(serial)
                    failed = failed or -struct.unpack_from("=i", body)[0]
        if failed:
            raise OSError(failed, os.strerror(failed))

    def links(self) -> Iterator[tuple[int, dict[int, bytes]]]:
        """Every network device: its index and its attributes."""
        for body in self.dump(link_message(GETLINK, [], flags=DUMP)):
            yield _LINK.unpack_from(body)[2], decode_attributes(body[_LINK.size :])

    def dump(self, message: Message) -> Iterator[bytes]:
        """What a message with the flag `DUMP` asks for, one body each: the fixed part of its kind, then attributes."""
        self._socket.send(self._encode(message, 0))
        serial = self._serial
        while True:
            for kind, answered, body in self._received():
                if answered != serial:
                    continue
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, os.strerror(number))
                yield body

    def _encode(self, message: Message, flags: int) -> bytes:
        self._serial += 1
        body = message.fixed + encode_attributes(message.attributes)
        length = _HEADER.size + len(body)
        header = _HEADER.pack(length, message.kind, REQUEST | message.flags | flags, self._serial, 0)
        return header + body + b"\0" * (-length % 4)

    def _received(self) -> list[tuple[int, int, bytes]]:
        """Type, serial number and body of the messages of one read."""
        try:
            data = self._socket.recv(_READ_SIZE)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
        found = []
        place = 0
        while place + _HEADER.size <= len(data):
            length, kind, _flags, serial, _port = _HEADER.unpack_from(data, place)
            if length < _HEADER.size:
                break
            found.append((kind, serial, data[place + _HEADER.size : place + length]))
            place += (length + 3) & ~3
        return found
