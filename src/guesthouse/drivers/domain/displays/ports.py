"""TCP ports for graphics: a free one for each guest, as libvirt chooses them from 5900 up.

Websockets have the range from 5700. Ports are tried by binding them for a moment, without options that could hide
another listener. What is given out stays ours until the run ends.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from guesthouse.errors import Code, LibvirtError, Origin

#: libvirt's defaults of `remote_display_port_min` and `..._max`, and of the websockets'.
DISPLAY = range(5900, 65536)
WEBSOCKET = range(5700, 65536)


@dataclass(slots=True)
class Ports:
    """The ports that running guests have."""

    taken: set[int] = field(default_factory=set)

    def acquire(self, among: range, address: str) -> int:
        """A free port for a listener at `address`. Raises `LibvirtError` when all are in use."""
        for port in among:
            if port not in self.taken and _is_free(address, port):
                self.taken.add(port)
                return port
        raise LibvirtError(
            f"Unable to find an unused port in range 'display' ({among.start}-{among.stop - 1})",
            code=Code.INTERNAL_ERROR,
            domain=Origin.NONE,
        )

    def release(self, ports: list[int]) -> None:
        """A run is over."""
        self.taken.difference_update(ports)


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
