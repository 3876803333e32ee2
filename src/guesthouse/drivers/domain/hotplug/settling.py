"""What was begun with a guest's devices is brought to an end: by the next daemon, or when a frozen QEMU moves again.

The status file names every device that QEMU may have; QEMU tells which it has. What QEMU lacks was never made or was
released while nobody listened: what is left of it goes. A definition that was waiting for its devices is written if
they came, or if the one that was to go is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, drives, release, wiring
from guesthouse.drivers.domain.hotplug.change import Change
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Happening, Notice
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.device_document import element_of, parse_device
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.document import parse_domain
from guesthouse.qemu.json_value import objects
from guesthouse.qemu.monitor import MonitorClosed, MonitorTimeout

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long a QEMU that does not answer is waited for, in seconds; after that the next daemon settles.
_THAW_DEADLINE = 24 * 3600.0


def failed(driver: Guests, guest: Guest, run: Run, error: BaseException) -> None:
    """A change of devices failed and was undone: nothing is under way any more.

    Unless nobody knows what QEMU has done: it may still carry out what it has not answered yet, and the daemon may be
    about to end. Then the status file goes on telling of the change, until that is known.
    """
    if isinstance(error, MonitorTimeout):
        run.keep(driver.background(_later(driver, guest, run)))
    elif not isinstance(error, MonitorClosed | asyncio.CancelledError):
        run.change = None
        statusfile.save(driver, guest, run)


async def _later(driver: Guests, guest: Guest, run: Run) -> None:
    """QEMU did not answer. When it does again, what it made meanwhile is taken back."""
    with contextlib.suppress(LibvirtError):
        await run.talk().execute("query-status", deadline=_THAW_DEADLINE)
        async with guest.job.hold("modify"):
            change = run.change
            if change is not None and change.live is not None:
                await _withdraw(driver, guest, run, change)
            run.change = None
            statusfile.save(driver, guest, run)


async def _withdraw(driver: Guests, guest: Guest, run: Run, change: Change) -> None:
    """Take back what a call that gave up had begun."""
    coming = change.live
    if coming is None:
        return
    ctx = await contexts.of(driver, run, coming)
    if change.former:
        after = next(disk for disk in coming.devices.disks if disk.target.dev == _former(change).target.dev)
        await _settle_disc(guest, run, _former(change), after, ctx)
    for device in reversed([device for device in coming.devices.all() if _alias(device) in change.come]):
        release.join(guest, run, [device])
        await release.take_back(driver, guest, run, device, ctx)


async def settle(driver: Guests, guest: Guest, run: Run) -> None:
    """Make what is known of the guest's devices true. QEMU answers; a failure is logged, and the status file still
    tells of the change.
    """
    try:
        async with guest.job.hold("modify"):
            await _compare(driver, guest, run, run.change)
            run.change = None
    except LibvirtError as error:
        log.error("domain '%s': its devices could not be compared with QEMU's: %s", guest.name, error.message)


async def _compare(driver: Guests, guest: Guest, run: Run, change: Change | None) -> None:
    ctx = await contexts.of(driver, run, run.live)
    there = await wiring.plugged_aliases(run)
    coming = change.come if change is not None else ()
    missing = [device for device in run.live.devices.all() if _is_missing(device, there, ctx, coming)]
    for device in missing:
        log.info("domain '%s': QEMU does not have device '%s'", guest.name, device.name)
        await release.finish(driver, guest, run, device, tell=change is None or device.name not in change.come)
    if change is None:
        return
    disc_is_in = not change.former or await _find_disc(guest, run, change, ctx)
    came = not any(device.name in change.come for device in missing)
    went = all(_alias(device) != change.go for device in run.live.devices.all()) if change.go else True
    if change.definition and came and went and disc_is_in:
        await _define(driver, guest, change.definition)


def _alias(device: Device) -> str:
    return device.alias.name if device.alias is not None else ""


def _is_missing(device: Device, there: frozenset[str], ctx: DeviceContext, coming: Sequence[str]) -> bool:
    """Whether QEMU should have a device of this name and has not. One of `coming` may not even be prepared."""
    if device.alias is None or device.name in there:
        return False
    try:
        return any(front.props.get("id") == device.name for front in wiring.front_ends(device.objects(ctx)))
    except LibvirtError:
        return device.name in coming


def _former(change: Change) -> Disk:
    device = parse_device(change.former, live=True).device
    if not isinstance(device, Disk):
        raise LibvirtError(f"the former state of a drive is no disk, but '{element_of(device).tag}'")
    return device


async def _find_disc(guest: Guest, run: Run, change: Change, ctx: DeviceContext) -> bool:
    """Find out which disc a former daemon left in the drive; tells whether it is the new one."""
    before = _former(change)
    after = next((disk for disk in run.live.devices.disks if disk.target.dev == before.target.dev), None)
    return after is not None and await _settle_disc(guest, run, before, after, ctx)


async def _settle_disc(guest: Guest, run: Run, before: Disk, after: Disk, ctx: DeviceContext) -> bool:
    """Find out which disc is in the drive; tells whether it is the new one. The nodes of the other go."""
    entries = objects(await run.talk().execute("query-block"), "the reply of query-block")
    node = drives.inserted(drives.told(after, entries))
    found = after
    if node != drives.node_of(after, ctx):
        await wiring.unmake(run, drives.nodes(after, ctx))
        found = before
    if node != drives.node_of(before, ctx):
        await wiring.unmake(run, drives.nodes(before, ctx))
        if found is before:
            found = drives.with_disc(before, new(Disk, target=before.target, device=before.device))
    disks = run.live.devices.disks
    disks[:] = [found if disk.target.dev == before.target.dev else disk for disk in disks]
    guest.changed()
    return found is after


async def _define(driver: Guests, guest: Guest, text: str) -> None:
    """The definition that was to follow the change. A guest that has become transient meanwhile has none."""
    if guest.definition is None:
        return
    domain = parse_domain(text)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults)
    if domain.uuid != guest.uuid_text or domain.name != guest.name:
        return
    await definitions.replace(driver, guest, domain)
    driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "updated"))
