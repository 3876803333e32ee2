"""The pipe between the loop and the process that reads or writes a volume, and what its failures are called."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.qemu.json_value import JsonObject
from guesthouse.qemu.volume_agent import StorageError

#: What a pipe should hold, the largest that the kernel lets us have: at each change of sides somebody waits for the
#: processor.
_SIZES: Final = (8 << 20, 1 << 20)
_F_SETPIPE_SZ: Final = 1031


def open_pipe() -> tuple[int, int]:
    """A pipe that holds much."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    for size in _SIZES:
        with contextlib.suppress(OSError):  # a user's pipes are small when there are many
            fcntl.fcntl(reading, _F_SETPIPE_SZ, size)
            break
    return reading, writing


def heard(job: asyncio.Task[JsonObject]) -> None:
    """Whoever is at the stream was told; nobody else has to know."""
    if not job.cancelled():
        job.exception()


def unable(error: StorageError, path: str) -> LibvirtError:
    """The error for a stream that the storage refused."""
    return LibvirtError(
        f"Unable to transfer the stream of '{path}': {error.reason}", code=Code.SYSTEM_ERROR, domain=Origin.STREAMS
    )
