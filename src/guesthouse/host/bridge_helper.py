"""A tap on a bridge for a user who is not root: QEMU's own setuid helper makes it, where its configuration allows.

Source: QEMU's `qemu-bridge-helper.c`; `/etc/qemu/bridge.conf` names the bridges that users may join.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from typing import Final

from guesthouse.host.child import ChildError, run

#: Where distributions put it; the first is that of QEMU itself.
PROGRAMS: Final = ("/usr/libexec/qemu-bridge-helper", "/usr/lib/qemu/qemu-bridge-helper")

_DEADLINE: Final = 10.0
_GET_INTERFACE: Final = 0x800454D2
_REQUEST: Final = struct.Struct("16s24x")


async def open_tap(bridge: str, *, header: bool) -> tuple[str, int]:
    """A new tap that is a port of `bridge`: its name and its descriptor, which is the caller's.

    `header` is what virtio's offloads need. Raises `ChildError` with what the helper said.
    """
    program = _program()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        ours.setblocking(False)
        words = [program, *(["--use-vnet"] if header else []), f"--br={bridge}", f"--fd={theirs.fileno()}"]
        finished = await run(words, deadline=_DEADLINE, pass_fds=[theirs.fileno()])
        if not finished.ok:
            raise ChildError(f"{' '.join(words[:-1])}: failed to communicate with bridge helper: {finished.error_text}")
        descriptor = _received(ours)
    return _name_of(descriptor), descriptor


def _program() -> str:
    for path in PROGRAMS:
        if os.access(path, os.X_OK):
            return path
    raise ChildError(f"'{PROGRAMS[0]}' is not a suitable bridge helper: No such file or directory")


def _received(line: socket.socket) -> int:
    """The descriptor that the helper, which has ended, has sent."""
    found: array.array[int] = array.array("i")
    try:
        _, parts, _, _ = line.recvmsg(1, socket.CMSG_SPACE(found.itemsize))
    except BlockingIOError:
        parts = []
    for level, kind, data in parts:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    if not found:
        raise ChildError("the bridge helper sent no tap")
    os.set_inheritable(found[0], False)
    os.set_blocking(found[0], False)
    return found[0]


def _name_of(descriptor: int) -> str:
    answer = fcntl.ioctl(descriptor, _GET_INTERFACE, _REQUEST.pack(b""))
    return os.fsdecode(answer[:16].rstrip(b"\0"))
