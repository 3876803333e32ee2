"""What a frame tells of a guest's IP address: pure parsing of what guests and servers send, all of it hostile.

Source: RFC 826, RFC 791, RFC 2131, RFC 2132.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HEADER: Final = 14
_IPV4, _ARP = b"\x08\x00", b"\x08\x06"
_UDP: Final = 17
_FRAGMENT: Final = 0x1FFF
_SERVER, _CLIENT = 67, 68
#: In a message: where what a client is given and its hardware's address stand, and where options begin.
_YOURS, _HARDWARE, _MAGIC = 16, 28, 236
_COOKIE: Final = b"\x63\x82\x53\x63"
_OPTION_LEASE, _OPTION_TYPE, _OPTION_END = 51, 53, 255
_CIADDR: Final = 12
_DECLINE, _ACK, _RELEASE = 4, 5, 7
_REQUESTED: Final = 50
#: A lease without an end.
_FOREVER: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Lease:
    """What a DHCP message says: this address is the guest's for so many seconds (None: for ever), or no longer (0)."""

    address: str
    seconds: int | None


def address_of(frame: bytes, mac: bytes, *, outgoing: bool) -> str | None:
    """The address that a frame shows a guest to have: its own ARP or IPv4, or what a DHCP server gives it."""
    if outgoing:
        lease = lease_of(frame, mac, outgoing=True)
        return lease.address if lease is not None and lease.seconds != 0 else None
    if frame[6:12] != mac:
        return None
    kind = frame[12:14]
    if kind == _ARP and len(frame) >= _HEADER + 28 and frame[14:20] == b"\x00\x01\x08\x00\x06\x04":
        return _usable(frame[28:32]) if frame[22:28] == mac else None
    if kind == _IPV4 and len(frame) >= _HEADER + 20:
        return _usable(frame[26:30])
    return None


def _usable(packed: bytes) -> str | None:
    address = ipaddress.IPv4Address(packed)
    if address.is_unspecified or address.is_multicast or address.is_loopback or int(address) == 0xFFFFFFFF:
        return None
    return str(address)


def lease_of(frame: bytes, mac: bytes, *, outgoing: bool) -> Lease | None:
    """What an answer to the guest (`outgoing`, from the host's side) or a word of the guest's own does to its lease."""
    ports = (_SERVER, _CLIENT) if outgoing else (_CLIENT, _SERVER)
    message = _message(frame, ports)
    if message is None or message[_HARDWARE : _HARDWARE + 6] != mac or (not outgoing and frame[6:12] != mac):
        return None
    options = dict(_options(message[_MAGIC + 4 :]))
    kind = options.get(_OPTION_TYPE, b"")
    if outgoing and kind == bytes((_ACK,)):
        address = _usable(message[_YOURS : _YOURS + 4])
        seconds = int.from_bytes(options.get(_OPTION_LEASE, b""), "big") or None
        return Lease(address, None if seconds == _FOREVER else seconds) if address is not None else None
    if not outgoing and kind == bytes((_RELEASE,)):
        return Lease(str(ipaddress.IPv4Address(message[_CIADDR : _CIADDR + 4])), 0)
    if not outgoing and kind == bytes((_DECLINE,)) and len(options.get(_REQUESTED, b"")) == 4:
        return Lease(str(ipaddress.IPv4Address(options[_REQUESTED])), 0)
    return None


def _message(frame: bytes, ports: tuple[int, int]) -> bytes | None:
    if frame[12:14] != _IPV4 or len(frame) < _HEADER + 20 or frame[23] != _UDP:
        return None
    if int.from_bytes(frame[20:22], "big") & _FRAGMENT:
        return None
    start = _HEADER + (frame[14] & 0xF) * 4
    if (int.from_bytes(frame[start : start + 2], "big"), int.from_bytes(frame[start + 2 : start + 4], "big")) != ports:
        return None
    message = frame[start + 8 :]
    if len(message) < _MAGIC + 4 or message[_MAGIC : _MAGIC + 4] != _COOKIE:
        return None
    return message


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data) and data[place] != _OPTION_END:
        if data[place] == 0:
            place += 1
            continue
        if place + 1 >= len(data):
            return
        length = data[place + 1]
        value = data[place + 2 : place + 2 + length]
        if len(value) < length:
            return
        yield data[place], value
        place += 2 + length
