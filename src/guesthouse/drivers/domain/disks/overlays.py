"""Transient disks: an image on top of the disk's own takes what the guest writes, and goes away with the run.

The overlay lies beside the image, under libvirt's name for it, so that two guests cannot have one. Only the daemon's
user can read it, as it may hold what the image hides. Its storage may hang: everything there is done by children.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`transient`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError, OperationFailedError, UnsupportedConfigError
from guesthouse.host.child import check as check_child
from guesthouse.host.child import run as run_child
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.chain import BackingStore
from guesthouse.model.domain.devices.disk.source import Source
from guesthouse.model.domain.devices.disk.source_parts import ImageFormat
from guesthouse.qemu import images

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

_MARK = ".TRANSIENT-"
_DEADLINE = 10.0
_PATIENCE = 20
_PAUSE = 0.05


async def make(guest_name: str, disk: Disk, note: Callable[[], None]) -> None:
    """Make the overlay of one disk, and put it on top of the disk's chain. `note` is called before it is there.

    Raises `OperationFailedError` where there is one already, and `ImageError`.
    """
    path = disk.path
    if path is None or disk.source is None:
        raise UnsupportedConfigError(f"transient disk '{disk.target.dev}' must not be empty")
    overlay = f"{path}{_MARK}{guest_name}"
    format_ = disk.settings.type or "raw"
    if await _stays(overlay):
        raise OperationFailedError(
            f"Overlay file '{overlay}' for transient disk '{disk.target.dev}' already exists",
            hint="remove it, if no guest uses it",
        )
    disk.backing = new(
        BackingStore,
        type=disk.type,
        format=new(ImageFormat, type=format_),
        source=disk.source,
        backing=disk.backing,
        detected=True,
    )
    disk.source = new(Source, file=overlay)
    if disk.driver is not None:
        disk.driver.type = "qcow2"
    note()
    try:
        await _create(overlay, path, format_)
    except BaseException:  # also where nobody waits any more: half an image must not stay
        await asyncio.shield(_remove([overlay]))
        raise


async def _create(overlay: str, path: str, format_: str) -> None:
    """A new file, whatever somebody else puts there meanwhile, and then the image in it."""
    made = await run_child(
        ["dd", "if=/dev/null", f"of={overlay}", "conv=excl", "status=none"], deadline=_DEADLINE, umask=0o077
    )
    if not made.ok:
        raise OperationFailedError(f"Failed to create file '{overlay}': {made.error_text.rpartition(': ')[2]}")
    await images.create(overlay, "qcow2", None, backing=path, backing_format=format_)


async def _stays(overlay: str) -> bool:
    """Whether there is such a file, and goes on being there: that of a former run is removed in the background."""
    for _ in range(_PATIENCE):
        if not (await run_child(["test", "-e", overlay, "-o", "-L", overlay], deadline=_DEADLINE)).ok:
            return False
        await asyncio.sleep(_PAUSE)
    return True


def remove(driver: Guests, run: Run) -> None:
    """Remove the overlays of a run whose QEMU is gone, in the background."""
    paths = [path for disk in run.live.devices.disks if (path := _overlay(run.live.name, disk)) is not None]
    if paths:
        driver.farewell(_remove(paths))


def remove_of(driver: Guests, run: Run, disk: Disk) -> None:
    """Remove the overlay of a disk that the guest has not any more, in the background."""
    path = _overlay(run.live.name, disk)
    if path is not None:
        driver.farewell(_remove([path]))


def _overlay(guest_name: str, disk: Disk) -> str | None:
    """The disk's overlay, if it was made."""
    below = disk.backing.source if disk.backing is not None else None
    if disk.transient is None or below is None or disk.path != f"{below.path}{_MARK}{guest_name}":
        return None
    return disk.path


async def _remove(paths: list[str]) -> None:
    try:
        await check_child(["rm", "-f", "--", *paths], deadline=_DEADLINE)
    except LibvirtError as error:
        log.warning("overlays of transient disks stay: %s", error.message)
