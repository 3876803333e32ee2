"""Discs come into drives and leave them.

The new disc's nodes are made first, the former disc's are removed last: until the new one is in the drive, the former
can be put back, and is on any failure. A guest that has locked the tray is asked to open it, and gets a few seconds;
with force the tray opens at once.

Source: QEMU's `qapi/block.json`, `blockdev-open-tray` and its neighbours.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import taints
from guesthouse.drivers.domain.disks import descriptors, preparing
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, drives, host, settling, wiring
from guesthouse.drivers.domain.hotplug.change import Change
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationFailedError, OperationUnsupportedError
from guesthouse.model.binding import Style, new
from guesthouse.model.domain.device_document import format_device
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.source import Source
from guesthouse.model.domain.document import copy
from guesthouse.model.qemu_objects import QemuObject
from guesthouse.qemu.json_value import JsonObject, objects
from guesthouse.qemu.monitor import MonitorTimeout

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: How long the guest may take to open the tray, in seconds; libvirt's `CHANGE_MEDIA_TIMEOUT`.
_TRAY_PATIENCE: Final = 5.0
_TRAY_POLL: Final = 0.05


_LIVE: Final = Style(live=True, secure=True, status=True)


async def change(driver: Guests, guest: Guest, run: Run, wanted: Disk, definition: str, *, force: bool) -> None:
    """Put the disc of `wanted` into the drive of the same target, or none if it has none.

    Raises what QEMU says, and `OperationFailedError` where the guest does not open the tray; then the former disc is
    in the drive.
    """
    drive = next(disk for disk in run.live.devices.disks if disk.target.dev == wanted.target.dev)
    if run.block_jobs.on(drive.target.dev) is not None:
        raise OperationUnsupportedError("can't change media while a block job is running on the device")
    loaded = drives.with_disc(drive, wanted)
    ctx = await contexts.of(driver, run, run.live)
    loaded.prepare(ctx)
    if loaded.empty:
        loaded.source = new(Source, index=contexts.next_layer(run))  # which libvirt numbers too
        run.next_layer += 1
    else:
        await preparing.prepare_disks(driver, guest, [loaded])
        run.next_layer = loaded.number_layers(contexts.next_layer(run))
    coming = copy(run.live)
    _exchange(coming.devices.disks, loaded)
    run.change = Change(definition=definition, former=format_device(drive, _LIVE), live=coming)
    try:
        statusfile.write(driver, guest, run)
        await host.plug(driver, guest, run, loaded, ctx)
        with descriptors.kept(driver, run, [loaded], drives.nodes(loaded, ctx)) as made:
            await _swap(run, drive, loaded, made, ctx, force=force)
    except BaseException as error:  # also where nobody waits any more: see `settling.failed`
        settling.failed(driver, guest, run, error)
        if not isinstance(error, MonitorTimeout):
            await host.unplug(driver, guest, run, loaded, ctx)
        raise
    await host.unplug(driver, guest, run, drive, ctx)
    _exchange(run.live.devices.disks, loaded)
    guest.changed()
    run.change = Change(definition=definition) if definition else None
    statusfile.save(driver, guest, run)
    await taints.of_plugged(driver, guest, run, loaded)


def _exchange(disks: list[Disk], loaded: Disk) -> None:
    disks[:] = [loaded if disk.target.dev == loaded.target.dev else disk for disk in disks]


async def _swap(
    run: Run, drive: Disk, loaded: Disk, made: list[QemuObject], ctx: DeviceContext, *, force: bool
) -> None:
    await wiring.make(run, made)
    try:
        await _open_tray(run, drive, force=force)
        await _put(run, drive.qom_name(), drives.node_of(loaded, ctx))
        await wiring.ask(run, loaded.after_start(ctx))
        await _close_tray(run, drive)
    except MonitorTimeout:
        raise  # see `settling.failed`
    except BaseException:  # also where nobody waits any more: the guest has the disc that it had
        await asyncio.shield(_put_back(run, drive, ctx, made))
        raise
    await wiring.unmake(run, drives.nodes(drive, ctx))


async def _put(run: Run, drive: str, node: str | None) -> None:
    await run.talk().execute("blockdev-remove-medium", {"id": drive})
    if node is not None:
        await run.talk().execute("blockdev-insert-medium", {"id": drive, "node-name": node})


async def _put_back(run: Run, drive: Disk, ctx: DeviceContext, made: list[QemuObject]) -> None:
    """The former disc is in the drive again."""
    try:
        node = drives.node_of(drive, ctx)
        if drives.inserted(await _asked(run, drive)) != node:
            await _put(run, drive.qom_name(), node)
        if drive.target.tray != "open":
            await _close_tray(run, drive)
    finally:
        await wiring.unmake(run, made)


async def _open_tray(run: Run, drive: Disk, *, force: bool) -> None:
    """Open the tray, if there is one. Raises `OperationFailedError` where the guest does not."""
    if drives.tray(await _asked(run, drive)) is not False:
        return
    await run.talk().execute("blockdev-open-tray", {"id": drive.qom_name(), "force": force})
    deadline = asyncio.get_running_loop().time() + _TRAY_PATIENCE
    while drives.tray(await _asked(run, drive)) is False:
        if asyncio.get_running_loop().time() > deadline:
            raise OperationFailedError(
                f"timed out waiting to open tray of '{drive.target.dev}'", hint="the guest holds it; --force opens it"
            )
        await asyncio.sleep(_TRAY_POLL)


async def _close_tray(run: Run, drive: Disk) -> None:
    if drives.tray(await _asked(run, drive)) is True:
        await run.talk().execute("blockdev-close-tray", {"id": drive.qom_name()})


async def _asked(run: Run, drive: Disk) -> JsonObject:
    """What QEMU tells of a drive; empty where it does not know it."""
    return drives.told(drive, objects(await run.talk().execute("query-block"), "the reply of query-block"))
