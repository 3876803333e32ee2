"""Committing: what images of a chain hold goes into one below them, and they are not needed any more.

Where the disk's own image is among them, the guest goes on writing it meanwhile: that job becomes ready, and is told to
pivot to the image below, or to abort.

Source: `virDomainBlockCommit`; QEMU's `block-commit`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs import backing_text, lookup, relative, reopening, starting
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Kind, check_supported, refuse
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.chain import Mirror
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.qemu_objects import Props, without_none

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Flags: bits of `virDomainBlockCommitFlags`.
SHALLOW, DELETE, ACTIVE, RELATIVE, IN_BYTES = 1, 2, 4, 8, 16


async def commit(
    driver: Guests, guest: Guest, path: str, base: str | None, top: str | None, bandwidth: int, flags: int
) -> None:
    """Begin to commit the images from `top` (the disk's own) down to above `base` (the last one) into `base`.

    `bandwidth` is in MiB a second, or in bytes with `IN_BYTES`. Raises libvirt's refusals, and what QEMU says.
    """
    async with modifying(guest):
        speed = starting.bytes_a_second(bandwidth, in_bytes=bool(flags & IN_BYTES))
        disk = starting.disk_of(guest.current, path)
        upper = 0 if top in (None, disk.target.dev) else await lookup.find(disk, top)
        if base is None and flags & SHALLOW:
            lower = upper + 1
        else:
            lower = await lookup.find(disk, base, beneath=upper)
        run = guest.live()
        _check(disk, run, upper, lower, flags)
        await _begin(driver, guest, run, disk, upper, lower, speed, flags)


def _check(disk: Disk, run: Run, upper: int, lower: int, flags: int) -> None:
    target, layers = disk.target.dev, disk.layers()
    check_supported(disk)
    if not layers:
        raise UnsupportedConfigError(f"disk {target} has no source file to be committed", domain=Origin.QEMU)
    refuse(disk, run.block_jobs.on(target))
    paths = [image.source.path for image in layers]
    text = None
    if upper == 0 and not flags & ACTIVE:
        text = f"commit of '{target}' active layer requires active flag"
    elif upper and flags & ACTIVE:
        text = f"active commit requested but '{paths[upper]}' is not active"
    elif upper + 1 >= len(layers):
        text = f"top '{paths[upper]}' in chain for '{paths[0]}' has no backing file"
    elif flags & SHALLOW and lower != upper + 1:
        text = f"base '{paths[lower]}' is not immediately below '{paths[upper]}' in chain for '{paths[0]}'"
    if text is not None:
        raise InvalidArgumentError(text, domain=Origin.QEMU)


async def _begin(
    driver: Guests, guest: Guest, run: Run, disk: Disk, upper: int, lower: int, speed: int, flags: int
) -> None:
    layers = disk.layers()
    ctx = await contexts.of(driver, run, run.live)
    text = None
    if flags & RELATIVE and upper:
        text = await relative.between(layers[upper - 1], layers[upper:lower], layers[lower])
    elif upper:
        text = backing_text.of(layers[lower], ctx)
    job = BlockJob(
        f"commit-{disk.target.dev}-{layers[upper].node}",
        Kind.COMMIT if upper else Kind.ACTIVE_COMMIT,
        disk.target.dev,
        flags=flags,
        base=layers[lower].storage_node,
        top=layers[upper].storage_node,
        above=layers[upper - 1].storage_node if upper else "",
        delete=bool(flags & DELETE),
    )
    if not upper:
        starting.exchange(guest, run, _with_mirror(disk, lower))
    arguments: Props = {
        "device": disk.node(),
        "speed": speed or None,
        "top-node": layers[upper].node,
        "base-node": layers[lower].node,
        "backing-file": text,
    }
    try:
        await reopening.data_file(run, layers[lower], ctx, readonly=False)
        await starting.begin(driver, guest, run, job, "block-commit", without_none(arguments))
    except LibvirtError:
        if job.name not in run.block_jobs.by_name and not run.ended.is_set():
            await asyncio.shield(_take_back(driver, guest, run, disk, layers[lower], ctx))
        raise


async def _take_back(driver: Guests, guest: Guest, run: Run, disk: Disk, base: Image, ctx: DeviceContext) -> None:
    """QEMU has refused: the disk is as it was."""
    starting.exchange(guest, run, disk)
    statusfile.save(driver, guest, run)
    with contextlib.suppress(LibvirtError):
        await reopening.data_file(run, base, ctx, readonly=True)


def _with_mirror(disk: Disk, place: int) -> Disk:
    """The disk with the image that it is being committed to shown beside its own."""
    link = list(disk.chain())[place - 1]
    changed = clone(disk)
    changed.mirror = new(
        Mirror,
        type=link.type,
        job=Kind.ACTIVE_COMMIT.value,
        format=clone(link.format) if link.format is not None else None,
        source=clone(link.source) if link.source is not None else None,
    )
    if changed.mirror.source is not None:
        changed.mirror.source.index = link.index
    return changed
