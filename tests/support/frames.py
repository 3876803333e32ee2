"""Frames that a test makes by hand on devices of a network namespace, and those that come out of them."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

from tests.support.netns import Namespace

DEADLINE = 30.0
EVERYBODY = "ff:ff:ff:ff:ff:ff"
_NEW_NETWORK = 0x40000000
_ANY_PROTOCOL = 0x0003


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(source: str, destination: str, kind: int, payload: bytes) -> bytes:
    """A frame without anything after its content: what is filled up may be cut off on its way."""
    return _mac(destination) + _mac(source) + struct.pack("!H", kind) + payload


def tagged(frame: bytes, vlan: int) -> bytes:
    """The same frame with a VLAN's tag. Where it comes out, the kernel has taken the tag out of it."""
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def arp(source: str, mac: str, ip: str, *, asked: str = "10.9.0.1", operation: int = 1) -> bytes:
    """A question from `source`, which says that `mac` has `ip`."""
    said = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + _mac(mac) + ipaddress.IPv4Address(ip).packed
    return ethernet(source, EVERYBODY, 0x0806, said + bytes(6) + ipaddress.IPv4Address(asked).packed)


def _checksum(data: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(macs: tuple[str, str], ips: tuple[str, str], protocol: int, payload: bytes) -> bytes:
    """A packet from the first of each pair to the second."""
    addresses = b"".join(ipaddress.IPv4Address(ip).packed for ip in ips)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + addresses
    return ethernet(*macs, 0x0800, head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload)


def udp(macs: tuple[str, str], ips: tuple[str, str], ports: tuple[int, int], data: bytes = b"") -> bytes:
    """A datagram without a checksum."""
    return ipv4(macs, ips, 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data)


def tcp(macs: tuple[str, str], ips: tuple[str, str], ports: tuple[int, int], flags: int, *, ack: int = 0) -> bytes:
    """A segment without data; the sender's own number is 1 where it begins, else 2."""
    addresses = b"".join(ipaddress.IPv4Address(ip).packed for ip in ips)
    body = struct.pack("!HHIIBBHHH", *ports, 1 if flags & 2 else 2, ack, 0x50, flags, 8192, 0, 0)
    checked = addresses + struct.pack("!BBH", 0, 6, len(body)) + body
    return ipv4(macs, ips, 6, body[:16] + struct.pack("!H", _checksum(checked)) + body[18:])


def ipv6(macs: tuple[str, str]) -> bytes:
    """A packet without content."""
    addresses = ipaddress.IPv6Address("fe80::1").packed + ipaddress.IPv6Address("fe80::2").packed
    return ethernet(*macs, 0x86DD, struct.pack("!IHBB", 0x60000000, 0, 59, 255) + addresses)


def dhcp_answer(macs: tuple[str, str], server: str, given: str, seconds: int) -> bytes:
    """A DHCP server's word that the client `macs[1]` has the address `given` for so long."""
    head = struct.pack("!BBBBIHH", 2, 1, 6, 0, 7, 0, 0) + bytes(4) + ipaddress.IPv4Address(given).packed + bytes(8)
    options = b"\x35\x01\x05" + b"\x33\x04" + struct.pack("!I", seconds) + b"\xff"
    message = head + _mac(macs[1]).ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63" + options
    return udp(macs, (server, "255.255.255.255"), (67, 68), message)


class Wire:
    """A device of a namespace: what is sent on it, and what comes out of it."""

    def __init__(self, namespace: Namespace, device: str) -> None:
        self._socket = _socket_in(Path(f"/proc/{namespace.prefix[1].removeprefix('--target=')}/ns/net"), device)

    def send(self, *frames: bytes) -> None:
        """Send these."""
        for frame in frames:
            self._socket.send(frame)

    def until(self, last: bytes) -> list[bytes]:
        """The frames that have come since, up to the one that is `last`; those that the kernel sends itself too."""
        found: list[bytes] = []
        deadline = time.monotonic() + DEADLINE
        while last not in found:
            ready, _, _ = select.select([self._socket], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{last.hex()} did not come; these did: {[frame.hex() for frame in found]}"
            frame, address = self._socket.recvfrom(4096)
            if address[2] != socket.PACKET_OUTGOING:
                found.append(frame)
        return found

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


def _socket_in(network: Path, device: str) -> socket.socket:
    """A packet socket in another network namespace, made by a thread that goes there and ends."""
    made: list[socket.socket | OSError] = []

    def work() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(network, os.O_RDONLY)
        try:
            if libc.setns(descriptor, _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ANY_PROTOCOL))
            one.bind((device, _ANY_PROTOCOL))
            made.append(one)
        except OSError as error:
            made.append(error)
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    found = made[0]
    if isinstance(found, OSError):
        raise found
    return found
