"""What the kernel says when a device comes, goes or changes.

Source: `kobject_uevent` of the kernel: a message is `ACTION@PATH`, then the properties, each ended by a zero byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

_KOBJECT_UEVENT: Final = 15
#: The group in which the kernel itself speaks; udev repeats it in another one.
_KERNEL: Final = 1
_LONGEST: Final = 16384


class Uevents:
    """The kernel's messages. `heard` is called, within the event loop, after some have come."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._socket: socket.socket | None = None
        self._missed = False
        self._changed: set[str] = set()

    @property
    def open(self) -> bool:
        """Whether the kernel is listened to at all; a container may forbid it."""
        return self._socket is not None

    @property
    def pending(self) -> bool:
        """Whether something was said that nobody has taken."""
        return self._missed

    def start(self) -> None:
        """Listen from now on."""
        if self._socket is not None:
            return
        try:
            channel = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _KOBJECT_UEVENT
            )
        except OSError as error:
            log.info("no news of devices from the kernel: %s", error)
            return
        try:
            channel.bind((0, _KERNEL))
        except OSError as error:
            channel.close()
            log.info("no news of devices from the kernel: %s", error)
            return
        self._socket = channel
        asyncio.get_running_loop().add_reader(channel.fileno(), self._ready)

    def stop(self) -> None:
        """Listen no longer."""
        channel, self._socket = self._socket, None
        if channel is not None:
            asyncio.get_running_loop().remove_reader(channel.fileno())
            channel.close()

    def take(self) -> tuple[bool, set[str]]:
        """Whether anything was said since the last time, and the paths below /sys of the devices that changed."""
        self._drain()
        missed, changed = self._missed, self._changed
        self._missed, self._changed = False, set()
        return missed, changed

    def _ready(self) -> None:
        self._drain()
        if self._missed:
            self._heard()

    def _drain(self) -> None:
        while self._socket is not None:
            try:
                message, sender = self._socket.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:  # more came than the kernel keeps; what it was, the next look at sysfs tells
                self._missed = True
                continue
            if sender[0] == 0:  # the kernel; nobody else is believed
                self._note(message)

    def _note(self, message: bytes) -> None:
        self._missed = True
        action, sign, path = message.split(b"\0", 1)[0].partition(b"@")
        if sign and action in (b"change", b"move"):
            with contextlib.suppress(UnicodeDecodeError):
                self._changed.add("/sys" + path.decode())
