"""Consoles: a client's stream joined to a guest's terminal or socket.

Rules:

1. A device has one session at a time. `force` ends the old one, whose client gets an error; `safe` locks the terminal
   against other programs (a UUCP lock file, as libvirt does).
2. Descriptors never block. When the client reads slowly we stop reading from the guest, and when the guest reads slowly
   its input waits in a buffer of bounded size.
3. Output is gathered for a moment, because guests write single characters.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING

from guesthouse.drivers.api import StreamIn, StreamOut
from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InternalError, LibvirtError, OperationFailedError, Origin, UnsupportedConfigError
from guesthouse.host.files import FileTooLargeError, read_limited
from guesthouse.host.procfs import is_dead
from guesthouse.model.domain.devices.chardev import CharacterDevice
from guesthouse.qemu.monitor import connect_unix

if TYPE_CHECKING:
    pass

FORCE = 1
SAFE = 2

_READ_SIZE = 65536
_INPUT_LIMIT = 1024 * 1024
_GATHER_SECONDS = 0.002
_LOCKS = "/var/lock"
_LOCK_SIZE = 32


class Session(StreamIn):
    """One client at one device. `end` closes it quietly, `steal` with an error for its client."""

    def __init__(self, run: Run, name: str, descriptor: int, lock: str | None) -> None:
        self._run = run
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._fd = descriptor
        self._lock = lock
        self._out: StreamOut | None = None
        self._input = bytearray()
        self._reading = False
        self._writing = False
        self._pause: asyncio.TimerHandle | None = None

    def begin(self, out: StreamOut) -> None:
        """Start moving characters."""
        self._out = out
        self._read_on()

    def received(self, data: bytes) -> None:
        """Keys from the client."""
        if self._fd < 0:
            return
        if len(self._input) + len(data) > _INPUT_LIMIT:
            self._break(OperationFailedError("the guest does not read its console"))
            return
        self._input += data
        if not self._writing:
            self._write()

    async def finish(self) -> None:
        """The client has left."""
        self._close()

    def abort(self) -> None:
        """The client has gone."""
        self._close()

    def drained(self) -> None:
        """The client has read: go on."""
        self._read_on()

    def end(self) -> None:
        """The guest is gone: the client reads what is left, and the end."""
        if self._fd >= 0 and self._out is not None:
            with contextlib.suppress(OSError):
                while data := os.read(self._fd, _READ_SIZE):
                    self._out.send(data)
            self._out.end()
        self._close()

    def steal(self) -> None:
        """Another client takes the device."""
        self._break(InternalError("console stream EOF", domain=Origin.STREAMS, hint="another client has taken it"))

    def _break(self, error: LibvirtError) -> None:
        out = self._out
        self._close()
        if out is not None:
            out.fail(error)

    def _read_on(self) -> None:
        if self._fd >= 0 and not self._reading:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        out = self._out
        if out is None:
            return
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # EIO is how a terminal says that QEMU has closed its side
                self._break(OperationFailedError(f"cannot read the console: {error.strerror}"))
                return
            data = b""
        if not data:
            self._close()
            out.end()
            return
        out.send(data)
        self._stop_reading()
        if not out.congested:
            self._pause = self._loop.call_later(_GATHER_SECONDS, self._read_on)

    def _write(self) -> None:
        try:
            sent = os.write(self._fd, self._input)
            del self._input[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            self._break(OperationFailedError(f"cannot write to the console: {error.strerror}"))
            return
        if self._input and not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._write)
        elif not self._input and self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _close(self) -> None:
        if self._fd < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._stop_reading()
        if self._writing:
            self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self._fd = -1
        if self._run.consoles.get(self._name) is self:
            del self._run.consoles[self._name]
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._lock)


def open_console(guest: Guest, name: str | None, flags: int) -> Session:
    """A session at the console of this alias, or the first one. Raises error 9 when it is taken."""
    run = guest.live()
    device = devices.console_device(run.live, name)
    if device.type not in ("pty", "unix"):
        raise UnsupportedConfigError(f"character device {_alias(device)} is not using a PTY")
    return _open(run, device, flags, "Active console session exists for this domain")


def open_channel(guest: Guest, name: str | None, flags: int) -> Session:
    """A session at a channel. Raises error 9 when it is taken."""
    run = guest.live()
    device = devices.channel_by_name(run.live, name)
    if device.type != "unix":
        raise UnsupportedConfigError(f"channel {name or _alias(device)} is not using a UNIX socket")
    return _open(run, device, flags, "Active channel stream exists for this domain")


def _open(run: Run, device: CharacterDevice, flags: int, taken: str) -> Session:
    alias = _alias(device)
    path = device.path
    if path is None:
        raise InternalError(f"character device {alias} has no path")
    old = run.consoles.get(alias)
    if old is not None:
        if not flags & FORCE:
            raise OperationFailedError(taken, hint="use --force to take it over")
        old.steal()
    lock = _lock(path) if flags & SAFE and device.type == "pty" else None
    try:
        descriptor = _open_terminal(path) if device.type == "pty" else _open_socket(path)
    except OSError as error:
        if lock is not None:
            os.unlink(lock)
        raise LibvirtError(
            f"unable to open '{path}': {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.STREAMS
        ) from error
    session = Session(run, alias, descriptor, lock)
    run.consoles[alias] = session
    return session


def _alias(device: CharacterDevice) -> str:
    return device.alias.name if device.alias is not None else "?"


def _open_terminal(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)


def _open_socket(path: str) -> int:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        connect_unix(connection, path)
    except OSError:
        connection.close()
        raise
    return connection.detach()


def _lock(terminal: str) -> str:
    """Lock a terminal for us. Raises error 9 when a living process holds the lock."""
    path = f"{_LOCKS}/LCK..{terminal.removeprefix('/dev/').replace('/', '_')}"
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            if not _abandoned(path):
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            continue
        except OSError as error:
            raise LibvirtError(
                f"Couldn't create lock file for device '{terminal}' in path '{path}': {error.strerror}",
                code=Code.SYSTEM_ERROR,
                domain=Origin.STREAMS,
            ) from error
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{os.getpid():10d}\n")
        return path
    raise OperationFailedError("Requested console pty is locked", hint=f"'{path}' names the process that holds it")


def _abandoned(path: str) -> bool:
    """Whether nobody holds this lock that lives. All users may put files there: what is none is not waited for."""
    try:
        holder = int(read_limited(path, _LOCK_SIZE).strip() or b"0")
    except (OSError, ValueError, FileTooLargeError):
        return True
    return holder <= 0 or is_dead(holder)
