"""Changing the size of a disk of a running guest: `blockresize`.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainBlockResize; QEMU's `block_resize`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from guesthouse.drivers.domain.devices import disk_named
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import InvalidArgumentError, OperationFailedError, OperationUnsupportedError, Origin
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.qemu.json_value import Sendable

#: These count in sectors.
_SECTORED: Final = ("qcow2", "qed")
_SECTOR: Final = 512
_DEADLINE: Final = 60.0
_LOOK_DEADLINE: Final = 10.0


async def resize(guest: Guest, target: str, size: int, *, capacity: bool) -> None:
    """Make a disk `size` bytes large; with `capacity` as large as the block device under it (then 0 will do).

    Raises `OperationInvalidError` for a guest that is off, `InvalidArgumentError`, `OperationUnsupportedError`.
    """
    guest.live()
    async with modifying(guest):
        run = guest.live()
        disk = disk_named(run.live, target)
        if disk is None:
            raise InvalidArgumentError(f"disk '{target}' was not found in the domain config", domain=Origin.QEMU)
        if disk.empty or disk.readonly:
            raise OperationUnsupportedError(f"can't resize empty or readonly disk '{disk.target.dev}'")
        if disk.type == "vhostuser":
            raise OperationUnsupportedError("block resize is not supported for vhostuser disk")
        if capacity:
            size = await _capacity(disk, size)
        if disk.settings.type in _SECTORED:
            size = -(-size // _SECTOR) * _SECTOR
        arguments: dict[str, Sendable] = {"node-name": disk.node() or "", "size": size}
        await run.talk().execute("block_resize", arguments, deadline=_DEADLINE)


async def _capacity(disk: Disk, size: int) -> int:
    """The size of the block device, which a given size must be."""
    if disk.settings.type not in (None, "raw") or disk.type != "block" or disk.path is None:
        raise OperationUnsupportedError(
            "block resize to full capacity supported only with 'raw' local block-based disks"
        )
    try:
        async with asyncio.timeout(_LOOK_DEADLINE):
            physical = await asyncio.to_thread(_size_of, disk.path)
    except (OSError, TimeoutError) as error:
        raise OperationFailedError(f"failed to update capacity of '{disk.path}'") from error
    if size not in (0, physical):
        raise InvalidArgumentError(f"Requested resize to '{size}' but device size is '{physical}'", domain=Origin.QEMU)
    return physical


def _size_of(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)
