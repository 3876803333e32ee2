"""As much of a VNC client as it takes to be let in, or not: the handshake of RFB 3.8 with password authentication.

Source: RFC 6143, sections 7.1 and 7.2. The password is a DES key whose bytes have their bits turned round.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, modes

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # where the library has not retired it yet
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

_NONE, _PASSWORD = 1, 2
_DEADLINE = 10.0


@dataclass(frozen=True)
class Greeting:
    """What a server offered, whether it let us in, and how large the screen is then."""

    offered: tuple[int, ...]
    accepted: bool
    width: int = 0
    height: int = 0


def connect(address: str, port: int, password: str = "") -> Greeting:
    """Go through the handshake at a TCP port, with a password where the server wants one."""
    with socket.create_connection((address, port), timeout=_DEADLINE) as connection:
        return greet(connection, password)


def greet(connection: socket.socket, password: str = "") -> Greeting:
    """Go through the handshake on a connection."""
    connection.settimeout(_DEADLINE)
    assert _read(connection, 12).startswith(b"RFB 003.")
    connection.sendall(b"RFB 003.008\n")
    offered = tuple(_read(connection, _read(connection, 1)[0]))
    chosen = _PASSWORD if _PASSWORD in offered else _NONE
    connection.sendall(bytes((chosen,)))
    if chosen == _PASSWORD:
        connection.sendall(_answer(_read(connection, 16), password))
    if int.from_bytes(_read(connection, 4)) != 0:
        return Greeting(offered, False)
    connection.sendall(b"\x01")
    size = _read(connection, 4)
    return Greeting(offered, True, int.from_bytes(size[:2]), int.from_bytes(size[2:]))


def _answer(challenge: bytes, password: str) -> bytes:
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    # Three times the same key is DES; its single blocks are what the protocol wants.
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError(f"the server left after {data!r}")
        data += piece
    return data
