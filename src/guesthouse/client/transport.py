"""The unix transport: a socket to a daemon on this host, and a session daemon started where there is none.

`_socket` instead of `socket`: the latter costs 7 ms of a command's start-up for its enumerations alone.
"""

from __future__ import annotations

import _socket
import errno
import os
import sys
from time import monotonic, sleep

from guesthouse.errors import Code, LibvirtError, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket as Socket

    from guesthouse.client.uri import Endpoint

#: Seconds until a socket that accepts nobody is given up.
CONNECT_TIMEOUT = 30.0
#: Seconds that a daemon that was started on demand may take until it listens.
SPAWN_TIMEOUT = 15.0
#: The longest path of a unix socket (unix(7)).
PATH_MAX = 107


class ClosedError(LibvirtError):
    """The connection is gone: the daemon ended, or broke it off."""

    code = Code.SYSTEM_ERROR
    domain = Origin.RPC


class UnixTransport:
    """A connected socket. Every wait has a limit; a limit of None is for the callers that have their own."""

    def __init__(self, socket: _socket.socket) -> None:
        self._socket = socket

    @classmethod
    def connect(cls, endpoint: Endpoint, daemon: tuple[str, ...] = ()) -> UnixTransport:
        """Connect to the endpoint's socket, starting `daemon` (program and arguments) if it may be started.

        Raises LibvirtError (38, RPC) in libvirt's words.
        """
        if len(os.fsencode(endpoint.path)) > PATH_MAX:
            raise _system_error(f"Path {endpoint.path} too long for unix socket", errno.ENOMEM)
        try:
            return cls(_connected(endpoint.path))
        except OSError as error:
            absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
            if not (endpoint.spawn and daemon and absent):
                raise _system_error(f"Failed to connect socket to '{endpoint.path}'", error.errno or 0) from None
        return cls(_spawned(endpoint.path, daemon))

    def send(self, data: bytes, timeout: float | None) -> None:
        """Send all of `data`. Raises ClosedError when the peer is gone or takes nothing for `timeout` seconds."""
        self._socket.settimeout(timeout)
        try:
            self._socket.sendall(data, _socket.MSG_NOSIGNAL)
        except TimeoutError:
            raise ClosedError(f"Cannot write data: the daemon took nothing for {timeout:.0f} s") from None
        except OSError as error:
            raise ClosedError(f"Cannot write data: {error.strerror}") from None

    def send_descriptor(self, descriptor: int, timeout: float | None) -> None:
        """Hand over a copy of a descriptor: a byte with it, as libvirt sends each. Raises as `send`."""
        self._socket.settimeout(timeout)
        try:
            rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))
            self._socket.sendmsg([b"\0"], [rights], _socket.MSG_NOSIGNAL)
        except OSError as error:
            raise ClosedError(f"Cannot hand over a file: {error.strerror}") from None

    def receive(self, timeout: float | None) -> bytes | None:
        """What has come, up to 256 KiB; None after `timeout` seconds of silence. Raises ClosedError at the end."""
        self._socket.settimeout(timeout)
        try:
            data = self._socket.recv(262144)
        except TimeoutError:
            return None
        except BlockingIOError:
            return None
        except OSError as error:
            raise ClosedError(f"Cannot recv data: {error.strerror}") from None
        if not data:
            raise ClosedError("End of file while reading data: Input/output error")
        return data

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def detach(self) -> Socket:
        """Hand the connected socket over, as the standard library's kind, for an event loop."""
        import socket

        return socket.socket(fileno=self._socket.detach())


def _system_error(text: str, number: int) -> LibvirtError:
    return LibvirtError(f"{text}: {os.strerror(number)}", code=Code.SYSTEM_ERROR, domain=Origin.RPC)


def _connected(path: str) -> _socket.socket:
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        socket.settimeout(CONNECT_TIMEOUT)
        socket.connect(path)
    except BaseException:  # also for Ctrl+C: the socket is ours to close
        socket.close()
        raise
    return socket


def _spawned(path: str, daemon: tuple[str, ...]) -> _socket.socket:
    """Start the daemon, one of several clients at a time, and connect as soon as it listens."""
    import fcntl

    directory = os.path.dirname(path)
    deadline = monotonic() + SPAWN_TIMEOUT
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        lock = os.open(f"{directory}/{os.path.basename(daemon[0])}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _system_error(f"Cannot create user runtime directory '{directory}'", error.errno or 0) from None
    try:
        _lock(lock, deadline, fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        started = False
        while True:
            try:
                return _connected(path)
            except OSError as error:
                absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
                if not absent or monotonic() > deadline:
                    raise _system_error(f"Failed to connect socket to '{path}'", error.errno or 0) from None
            if not started:
                _start(daemon)
                started = True
            sleep(0.01)
    finally:
        os.close(lock)


def _lock(descriptor: int, deadline: float, flock: object, how: int) -> None:
    """Take the lock, or go on without it after the deadline: the worst is a second daemon, which then refuses."""
    while monotonic() < deadline:
        try:
            flock(descriptor, how)  # type: ignore[operator]  # fcntl.flock, imported on this path only
            return
        except BlockingIOError:
            sleep(0.01)


def _start(daemon: tuple[str, ...]) -> None:
    """Start the daemon in a session of its own; it outlives us."""
    import subprocess

    try:
        subprocess.Popen(
            daemon,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise _system_error(f"Cannot start the daemon '{daemon[0]}'", error.errno or 0) from None
