"""Who owns the places: at most one daemon, whether it is ours or libvirt's.

libvirtd and virtqemud hold a lock on the first byte of `libvirtd.pid`, `virtqemud.pid` and `qemu/driver.pid` and write
their process number there. We hold the same locks, so neither side starts where the other lives. A lock dies with its
process, however it dies, so nothing has to be cleaned up after a crash.

Theirs are POSIX locks, which are lost as soon as any part of the process opens and closes the same file; ours belong
to the open file (fcntl(2), "Open file description locks"). The two kinds exclude each other.

As further proof, whoever answers on one of our sockets is asked for its process number (`SO_PEERCRED`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.places import Places

_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux: type, whence, start, length, pid
_FIRST_BYTE = (os.SEEK_SET, 0, 1)
_F_OFD_SETLK = 37
_ATTEMPTS = 10


class OccupiedError(LibvirtError):
    """Another daemon lives in these places; the text names its program and process number."""

    code = Code.OPERATION_FAILED
    domain = Origin.RPC


def program_name(pid: int) -> str:
    """The name of a process as a person knows it; for a Python program that of its script. `a program` if gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
    if name.startswith("python") and len(words) > 1:
        script = os.path.basename(words[2] if words[1] == b"-m" and len(words) > 2 else words[1])
        return script.decode(errors="replace") or name
    return name


class PlaceLock:
    """The locks of one daemon on its places. Closing the files gives them back."""

    def __init__(self, places: Places) -> None:
        # The system's daemons keep their numbers beside their directory: /run/libvirtd.pid.
        numbers = places.state.parent if places.mode == "system" else places.state
        self._paths = [
            numbers / "libvirtd.pid",
            numbers / "virtqemud.pid",
            places.guest_state / "driver.pid",
        ]
        self._held: list[tuple[Path, int]] = []

    def acquire(self) -> None:
        """Take all locks or none. Raises `OccupiedError` naming the owner."""
        try:
            for path in self._paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._held.append((path, _acquire(path)))
        except Exception:
            self.release()
            raise

    def release(self) -> None:
        """Remove the files and give the locks back."""
        while self._held:
            path, descriptor = self._held.pop()
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _acquire(path: Path) -> int:
    """Lock one pid file and write our number into it; returns its descriptor."""
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            try:
                fcntl.fcntl(descriptor, _F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, *_FIRST_BYTE, 0))
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                raise _occupied(path, _holder(descriptor)) from None
            if _still_there(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        except Exception:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OccupiedError(f"{path} changes while it is locked", hint="is another daemon being started?")


def _still_there(path: Path, descriptor: int) -> bool:
    """Whether the file that we locked is still the one of that name: its last owner may have removed it meanwhile."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


def _holder(descriptor: int) -> int:
    """The process that holds the lock, 0 if it has just let go or cannot be seen from here.

    The kernel knows the holder of a POSIX lock; that of the other kind has written its number into the file.
    """
    answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, *_FIRST_BYTE, 0))
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    if kind == fcntl.F_UNLCK:
        return 0
    if pid > 0:
        return int(pid)
    written = os.pread(descriptor, 20, 0).strip()
    return int(written) if written.isdigit() else 0


def _occupied(path: Path, pid: int) -> OccupiedError:
    if pid <= 0:
        return OccupiedError(f"{path} is locked by another daemon", hint="stop it first")
    return OccupiedError(f"{program_name(pid)} (process {pid}) holds {path}", hint="stop it first, or use --root DIR")


def probe_socket(path: Path) -> None:
    """Make sure that nobody answers on a socket. Raises `OccupiedError` naming who does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except BlockingIOError:
            raise OccupiedError(f"a busy program listens on {path}", hint="stop it first") from None
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            raise OccupiedError(f"cannot tell whether a program listens on {path}: {error.strerror}") from error
        pid = peer_credentials(probe)[0]
    raise OccupiedError(
        f"{program_name(pid)} (process {pid}) listens on {path}", hint="stop it first, or use --root DIR"
    )


def peer_credentials(peer: socket.socket) -> tuple[int, int, int]:
    """Process, user and group number of the other end of a unix socket, as the kernel noted them when it connected."""
    pid, uid, gid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid, gid
