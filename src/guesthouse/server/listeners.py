"""The daemon's listening sockets: which there are, how they come to be and how they go.

Names and modes: libvirt's `libvirt-sock` and `libvirt-sock-ro`; but for `--root` also `virtqemud-sock` and its `-ro`,
because clients prefer these where they exist. A session has no read-only ones: its user may do everything. Without
polkit the read-write socket is its owner's alone unless a group is configured; the read-only one is everybody's in
system mode.
"""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.places import Places
from guesthouse.server.lock import probe_socket
from guesthouse.server.settings import Settings, SettingsError

#: The longest path that fits into a unix socket's address, without its terminating zero.
_MAX_PATH = 107


class ListenError(LibvirtError):
    """A socket cannot be made at its place."""

    code = Code.SYSTEM_ERROR
    domain = Origin.RPC


@dataclass(slots=True)
class Listener:
    """One listening socket. `inode` is (device, inode) of the file that we made, None where systemd made it."""

    socket: socket.socket
    readonly: bool
    path: Path | None = None
    inode: tuple[int, int] | None = None

    def close(self) -> None:
        """Stop listening, and remove the file if it is still the one that we made."""
        self.socket.close()
        if self.path is None or self.inode is None:
            return
        with contextlib.suppress(OSError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self.inode:
                self.path.unlink()


@dataclass(frozen=True, slots=True)
class Plan:
    """One socket that shall be: where, for whom. `group` is -1 for the process's own."""

    path: Path
    readonly: bool
    mode: int
    group: int


def plan(places: Places, settings: Settings) -> list[Plan]:
    """The sockets of a daemon, by its mode and settings. Raises `SettingsError` on an unknown group."""
    directory = Path(settings.unix_sock_dir) if settings.unix_sock_dir else places.sockets
    group = _group(settings.unix_sock_group) if settings.unix_sock_group else -1
    open_mode, owner_mode = (0o777, 0o770 if group >= 0 else 0o700)
    readonly = int(settings.unix_sock_ro_perms, 8) if settings.unix_sock_ro_perms else None
    readwrite = int(settings.unix_sock_rw_perms, 8) if settings.unix_sock_rw_perms else None
    if readonly is None:
        readonly = open_mode if places.mode == "system" else owner_mode
    if readwrite is None:
        readwrite = owner_mode
    names = ("libvirt",) if places.mode == "root" else ("libvirt", "virtqemud")
    suffixes = ("",) if places.mode == "session" else ("", "-ro")
    return [
        Plan(directory / f"{name}-sock{suffix}", bool(suffix), readonly if suffix else readwrite, group)
        for name in names
        for suffix in suffixes
    ]


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if name.removeprefix("+").isdigit():
            return int(name.removeprefix("+"))
        raise SettingsError(
            f"unix_sock_group: there is no group '{name}'", hint=f"make it: groupadd --system {name}"
        ) from None


def listen(plans: list[Plan], backlog: int) -> list[Listener]:
    """Make all sockets or none. What a dead daemon left is replaced; a live one is named.

    Raises `OccupiedError` and `ListenError`.
    """
    made: list[Listener] = []
    try:
        for wanted in plans:
            made.append(_listen(wanted, backlog))  # noqa: PERF401 - those made before a failure are closed
    except Exception:
        close_all(made)
        raise
    return made


def close_all(listeners: list[Listener]) -> None:
    """Close listeners and remove their files."""
    for listener in listeners:
        listener.close()


def _listen(wanted: Plan, backlog: int) -> Listener:
    path = wanted.path
    if len(os.fsencode(path)) > _MAX_PATH:
        raise ListenError(f"the path of socket {path} is longer than {_MAX_PATH} bytes", hint="use a shorter --root")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        return _bind(wanted, backlog)
    except OSError as error:
        raise ListenError(f"cannot listen on {path}: {error.strerror or error}") from error


def _clear(path: Path) -> None:
    """Remove a dead daemon's socket. Anything that is no socket, a link above all, is not ours to touch."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"{path} is in the way and is not a socket", hint="move it away")
    probe_socket(path)
    path.unlink()


def _bind(wanted: Plan, backlog: int) -> Listener:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # The umask gives the file its final mode at birth: there is no moment at which others could connect.
        before = os.umask(0o777 & ~wanted.mode)
        try:
            made.bind(str(wanted.path))
        finally:
            os.umask(before)
        found = wanted.path.lstat()
        listener = Listener(made, wanted.readonly, wanted.path, (found.st_dev, found.st_ino))
        if wanted.group >= 0:
            os.chown(wanted.path, -1, wanted.group, follow_symlinks=False)
        made.listen(backlog)
    except Exception:
        made.close()
        raise
    return listener
