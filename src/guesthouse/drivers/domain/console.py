"""Consoles: a client's stream joined to a guest's terminal or socket.

Rules:

1. A device has one session at a time. `force` ends the old one, whose client gets an error; `safe` locks the terminal
   against other programs (a UUCP lock file, as libvirt does).
2. Descriptors never block; see `console_session`.
"""

from __future__ import annotations

import contextlib
import os
import socket

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.console_session import Session
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InternalError, LibvirtError, OperationFailedError, Origin, UnsupportedConfigError
from guesthouse.host.files import FileTooLargeError, read_limited
from guesthouse.host.procfs import is_dead
from guesthouse.model.domain.devices.chardev import CharacterDevice
from guesthouse.qemu.monitor import connect_unix

FORCE = 1
SAFE = 2

_LOCKS = "/var/lock"
_LOCK_SIZE = 32


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

    def closed(session: Session) -> None:
        if run.consoles.get(alias) is session:
            del run.consoles[alias]

    run.consoles[alias] = session = Session(descriptor, lock, closed)
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
