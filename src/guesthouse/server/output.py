"""What goes out to one client: straight into the socket where it fits, into a bounded buffer where it does not.

A reply costs one `send`. Only when the kernel's buffer is full are the rest kept and the loop asked to say when there
is room again. File descriptors travel behind their packet, each in a `sendmsg` of one zero byte of its own.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

#: Above this many bytes the owner should produce no more; below the lower mark it may go on.
HIGH_WATER = 1 << 20
LOW_WATER = 1 << 18


class Output:
    """The outgoing half of one connection. `pending` counts the bytes that the kernel has not taken."""

    __slots__ = ("_drained", "_full", "_loop", "_queue", "_send", "_socket", "congested", "pending")

    def __init__(self, loop: asyncio.AbstractEventLoop, to: socket.socket, drained: Callable[[], None]) -> None:
        self._loop = loop
        self._socket = to
        self._send = to.send
        self._drained = drained
        #: Bytes to send, and the descriptors (ours until sent) to send between them.
        self._queue: deque[bytes | memoryview | int] = deque()
        self.pending = 0
        self.congested = False

    def write(self, data: bytes) -> None:
        """Send or keep `data`. Raises OSError when the connection is broken."""
        if not self._queue:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            if sent == len(data):
                return
            self._loop.add_writer(self._socket, self._flush_ready)
            self._keep(memoryview(data)[sent:])
        else:
            self._keep(data)

    def write_fds(self, descriptors: list[int]) -> None:
        """Send descriptors behind what was written last. They are closed when sent, or by `close`."""
        if not descriptors:
            return
        if not self._queue:
            self._loop.add_writer(self._socket, self._flush_ready)
        self._queue.extend(descriptors)

    @property
    def empty(self) -> bool:
        """Whether the kernel has taken everything."""
        return not self._queue

    def close(self) -> None:
        """Forget what was not sent, and the owner."""
        self._drained = _nothing
        self._forget()

    def _forget(self) -> None:
        if self._queue:
            self._loop.remove_writer(self._socket)
        for item in self._queue:
            if isinstance(item, int):
                os.close(item)
        self._queue.clear()
        self.pending = 0

    def _keep(self, data: bytes | memoryview) -> None:
        self._queue.append(data)
        self.pending += len(data)
        if self.pending > HIGH_WATER:
            self.congested = True

    def _flush_ready(self) -> None:
        """The kernel has room. A broken connection is noticed by the owner when it reads again."""
        try:
            self._flush()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._forget()
        if not self._queue:
            self._loop.remove_writer(self._socket)
        if not self._queue or (self.congested and self.pending < LOW_WATER):
            self.congested = False
            self._drained()

    def _flush(self) -> None:
        while self._queue:
            item = self._queue[0]
            if isinstance(item, int):
                self._send_descriptor(item)
                os.close(item)
            else:
                sent = self._send(item)
                self.pending -= sent
                if sent < len(item):
                    self._queue[0] = memoryview(item)[sent:]
                    return
            self._queue.popleft()

    def _send_descriptor(self, descriptor: int) -> None:
        rights = array.array("i", [descriptor])
        self._socket.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _nothing() -> None:
    """Nobody wants to be told any more."""
