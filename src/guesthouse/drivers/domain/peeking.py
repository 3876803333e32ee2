"""Looking into a guest's memory and disks: what tools read that look from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import (
    Code,
    InvalidArgumentError,
    LibvirtError,
    OperationTimeoutError,
    OperationUnsupportedError,
    Origin,
)

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainMemoryFlags` to QEMU's command: addresses of the processor, or of the memory itself.
_COMMANDS: Final = {1: "memsave", 2: "pmemsave"}
_DEADLINE: Final = 10.0


async def memory(driver: Guests, guest: Guest, start: int, size: int, kind: int) -> bytes:
    """So many bytes of the guest's memory. Raises `InvalidArgumentError` for another kind of address."""
    command = _COMMANDS.get(kind)
    if command is None:
        raise InvalidArgumentError("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL")
    guest.live()
    async with modifying(guest, "query"):
        run = guest.live()
        descriptor, path = tempfile.mkstemp(prefix="qemu.mem.", dir=run.where.private)
        os.close(descriptor)
        try:
            arguments: dict[str, int | str] = {"val": start, "size": size, "filename": path}
            await run.talk().execute(command, {**arguments}, deadline=_DEADLINE)
            return await driver.in_thread(_read, path, size)
        finally:
            with contextlib.suppress(FileNotFoundError):  # the guest has ended meanwhile
                os.unlink(path)


def _read(path: str, size: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(size)


async def block(guest: Guest, path: str, offset: int, size: int) -> bytes:
    """So many bytes of a raw image, which is named by its target or its path.

    Raises `OperationUnsupportedError` for images that are not raw, `InvalidArgumentError` for what lies behind the end.
    """
    disk = devices.disk_named(guest.current, path)
    if disk is None:
        raise InvalidArgumentError(f"No device found for specified path '{path}'", domain=Origin.QEMU)
    if disk.type == "vhostuser":
        raise OperationUnsupportedError("peeking is not supported for vhostuser disk")
    image = next(iter(disk.layers()), None)
    if image is None or not image.source.path:
        raise InvalidArgumentError(f"disk '{disk.target.dev}' does not currently have a source assigned")
    if image.format != "raw":
        raise OperationUnsupportedError(f"peeking is only supported for disk with 'raw' format not '{image.format}'")
    try:
        async with asyncio.timeout(_DEADLINE):  # the image may be on storage that hangs
            data = await asyncio.to_thread(_read_at, image.source.path, offset, size)
    except TimeoutError:
        raise OperationTimeoutError(
            f"the storage of '{image.source.path}' did not answer within {_DEADLINE:g} seconds"
        ) from None
    except OSError as error:
        raise LibvirtError(
            f"Failed to open file '{image.source.path}': {error.strerror}",
            code=Code.SYSTEM_ERROR,
            domain=Origin.STORAGE,
        ) from error
    if len(data) < size:
        raise InvalidArgumentError(
            f"'{image.source.path}' starting from {offset} has only {len(data)} bytes available", domain=Origin.QEMU
        )
    return data


def _read_at(path: str, offset: int, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
