"""As much of a SPICE client as it takes to be let in, or not: the link stage of the main channel.

Source: the SPICE protocol's documentation, section "Channel connection: establishing a channel". All numbers are
little endian; the ticket is the password, encrypted with the server's RSA key (OAEP, SHA-1).
"""

from __future__ import annotations

import socket
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_MAGIC = b"REDQ"
_MAIN = 1
_KEY_SIZE = 162
_AUTH_SELECTION, _AUTH_SPICE = 1 << 0, 1 << 1
_SPICE_AUTHENTICATION = 1
_DEADLINE = 10.0
#: Results of a link.
OK, PERMISSION_DENIED = 0, 7


def link(address: str, port: int, password: str = "") -> int:
    """Link to the main channel with a password: the server's result, `OK` or `PERMISSION_DENIED`."""
    with socket.create_connection((address, port), timeout=_DEADLINE) as connection:
        message = struct.pack("<IBBIII", 0, _MAIN, 0, 1, 0, 18) + struct.pack("<I", _AUTH_SELECTION | _AUTH_SPICE)
        connection.sendall(_MAGIC + struct.pack("<III", 2, 2, len(message)) + message)
        magic, _major, _minor, size = struct.unpack("<4sIII", _read(connection, 16))
        assert magic == _MAGIC
        reply = _read(connection, size)
        error = struct.unpack_from("<I", reply)[0]
        if error:
            return int(error)
        key = serialization.load_der_public_key(reply[4 : 4 + _KEY_SIZE])
        assert isinstance(key, rsa.RSAPublicKey)
        connection.sendall(struct.pack("<I", _SPICE_AUTHENTICATION))
        scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        connection.sendall(key.encrypt(password.encode() + b"\0", scheme))
        return int(struct.unpack("<I", _read(connection, 4))[0])


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError(f"the server left after {data!r}")
        data += piece
    return data
