"""Pictures of a guest's screen: QEMU writes one into the run's private directory, a stream carries it to the client."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from guesthouse.drivers.api import StreamIn, StreamOut
from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import LibvirtError, OperationFailedError, OperationInvalidError
from guesthouse.model.domain.devices.video import Video
from guesthouse.qemu.json_value import Sendable

#: Where a picture ends at the latest, in bytes.
_LIMIT = 512 * 1024 * 1024
_CHUNK = 262144
_PORTABLE, _PNG = "image/x-portable-pixmap", "image/png"


class Picture(StreamIn):
    """A picture on its way to one client: read from an unlinked file as fast as the client takes it."""

    def __init__(self) -> None:
        self._fd = -1
        self._out: StreamOut | None = None

    def begin(self, out: StreamOut) -> None:
        """Start sending."""
        self._out = out

    def load(self, descriptor: int) -> None:
        """The picture is there: send it."""
        self._fd = descriptor
        self.drained()

    def received(self, data: bytes) -> None:
        """Clients send nothing here."""

    async def finish(self) -> None:
        """The client has all of it."""
        self._close()

    def abort(self) -> None:
        """The client does not want the rest."""
        self._close()

    def drained(self) -> None:
        """Send on until the client is slower than we are."""
        out = self._out
        while self._fd >= 0 and out is not None and not out.congested:
            data = os.read(self._fd, _CHUNK)
            if not data:
                self._close()
                out.end()
                return
            out.send(data)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def take(guest: Guest, screen: int, *, png: bool) -> tuple[int, str]:
    """Photograph a screen. Returns an open descriptor of the picture, and its MIME type.

    `png` says that this QEMU can write PNG; else the picture is a portable pixmap.

    Raises `OperationInvalidError` (off, or no such screen).
    """
    run = guest.live()
    videos: list[Video] = run.live.devices.videos
    if not videos:
        raise OperationFailedError("no screens to take screenshot from", hint="the guest has no <video>")
    heads = [(video, head) for video in videos for head in range((video.model and video.model.heads) or 1)]
    if screen >= len(heads):
        raise OperationInvalidError("no such screen ID", hint=f"the guest has screens 0 to {len(heads) - 1}")
    path = run.where.private / f"screenshot-{os.urandom(8).hex()}"
    video, head = heads[screen]
    arguments: dict[str, Sendable] = {"filename": str(path)}
    if video.alias is not None:
        arguments |= {"device": video.alias.name, "head": head}
    if png:
        arguments["format"] = "png"
    try:
        await run.talk().execute("screendump", arguments)
        return _open(path), _PNG if png else _PORTABLE
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _open(path: Path) -> int:
    """Open what QEMU wrote; nothing but a plain file of a sensible size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise OperationFailedError(f"unable to open '{path}': {error.strerror}") from error
    if os.fstat(descriptor).st_size > _LIMIT:
        os.close(descriptor)
        raise LibvirtError(f"the screenshot is larger than {_LIMIT} bytes")
    return descriptor
