"""What systemd and the daemon tell each other: sockets handed over, readiness, stopping, reloading.

Formats: sd_listen_fds(3) and sd_notify(3). Everything here does nothing where systemd is not.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping

from guesthouse.errors import Code, LibvirtError, Origin

FIRST_DESCRIPTOR = 3


class ActivationError(LibvirtError):
    """systemd handed over a socket that the daemon cannot serve."""

    code = Code.CONFIG_UNSUPPORTED
    domain = Origin.SYSTEMD


def inherited(environment: MutableMapping[str, str]) -> list[tuple[socket.socket, bool]]:
    """The listening sockets that were handed to this process, each with whether it is read-only.

    A socket is read-only if its name or its path says so (`libvirtd-ro.socket`, `libvirt-sock-ro`). The variables are
    removed, so that child processes do not take them for theirs. Raises `ActivationError`.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    names += [""] * int(count)
    return [_adopt(FIRST_DESCRIPTOR + index, names[index]) for index in range(int(count))]


def _adopt(descriptor: int, name: str) -> tuple[socket.socket, bool]:
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ActivationError(f"descriptor {descriptor} ('{name}') is no socket: {error.strerror}") from error
    if found.family != socket.AF_UNIX:
        raise ActivationError(f"socket '{name}' is not a unix socket", hint="only unix sockets can be served yet")
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ActivationError(f"socket '{name}' does not listen", hint="use ListenStream= and Accept=no")
    path = found.getsockname()
    path = path.decode(errors="replace") if isinstance(path, bytes) else path
    if "admin" in name or path.endswith("-admin-sock"):
        raise ActivationError(f"there is no admin interface yet for '{name or path}'", hint="disable that socket unit")
    os.set_inheritable(descriptor, False)
    found.setblocking(False)
    return found, name.removesuffix(".socket").endswith("-ro") or path.endswith("-ro")


class Notifier:
    """Tells systemd how the daemon is."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Clients are served."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), self._address)
        except OSError:
            self._address = ""  # nobody is there to be told
