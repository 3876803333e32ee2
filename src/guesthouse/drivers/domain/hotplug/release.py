"""What runs gets devices, and loses them once QEMU has let go: their backends go, the host gets back what they had.

A guest may let go of a device long after it was asked: it is honoured whenever it comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.block_jobs import orphans
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, host, memory, wiring
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.device_document import element_of
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.channel import Channel
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.serial import Serial
from guesthouse.model.domain.plugging import insert, remove
from guesthouse.model.qemu_objects import QemuObject

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long a device that came out by itself waits for the guest's job, in seconds: nobody else will remove it.
_PATIENCE = 600.0


def heard(driver: Guests, guest: Guest, run: Run, alias: str, *, gone: bool) -> None:
    """QEMU tells that a device is gone, or that the guest does not let go of it."""
    waiting = run.unplugs.pop(alias, None)
    if waiting is not None and not waiting.done():
        waiting.set_result(gone)
    elif gone and any(device.alias is not None and device.alias.name == alias for device in run.live.devices.all()):
        run.keep(driver.background(_late(driver, guest, run, alias)))
    if not gone:
        driver.events.publish(EventId.DEVICE_REMOVAL_FAILED, guest, alias)


async def _late(driver: Guests, guest: Guest, run: Run, alias: str) -> None:
    """A device that came out when nobody waited for it any more."""
    async with guest.job.hold("modify", deadline=_PATIENCE):
        for device in list(run.live.devices.all()):
            if device.alias is not None and device.alias.name == alias and not run.ended.is_set():
                await finish(driver, guest, run, device)
                return


async def finish(driver: Guests, guest: Guest, run: Run, device: Device, *, tell: bool = True) -> None:
    """Remove what is left of a device that QEMU does not have any more. The caller holds the guest's job."""
    ctx = await contexts.of(driver, run, run.live)
    await asyncio.shield(_clear(driver, guest, run, device, ctx))
    if tell:
        driver.events.publish(EventId.DEVICE_REMOVED, guest, device.name)


async def _clear(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    if isinstance(device, Disk):
        await orphans.leave(run, device, ctx)
    await wiring.unmake(run, _backends(device, ctx))
    await host.unplug(driver, guest, run, device, ctx)
    drop(guest, run, device)
    statusfile.save(driver, guest, run)


def _backends(device: Device, ctx: DeviceContext) -> list[QemuObject]:
    """What is left of the device in QEMU. Whatever it lacks by now, such as a secret, must not keep it there."""
    try:
        return wiring.backends(device.objects(ctx))
    except LibvirtError as error:
        log.warning("what is behind device '%s' stays in QEMU: %s", device.name, error.message)
        return []


def join(guest: Guest, run: Run, added: Iterable[Device]) -> None:
    """What runs has these devices now."""
    for device in added:
        insert(run.live, element_of(device).field, device)
        memory.count(run, device, 1)
    guest.changed()


def drop(guest: Guest, run: Run, device: Device) -> None:
    """What runs is without the device. A serial port takes the console along that is its other name."""
    devices = run.live.devices
    first = isinstance(device, Serial) and bool(devices.serials) and devices.serials[0] is device
    if first and devices.consoles and devices.consoles[0].is_serial:
        del devices.consoles[0]
    remove(run.live, element_of(device).field, device)
    memory.count(run, device, -1)
    if isinstance(device, Channel) and device.is_agent and run.agent is not None:
        run.agent.close()
        run.agent, run.agent_connected = None, False
    guest.changed()


async def take_back(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Undo an attach at its very end: what the guest does not let go of stays, and is known to be there."""
    try:
        await wiring.unmake(run, wiring.front_ends(device.objects(ctx)))
        if device.name not in await wiring.plugged_aliases(run):
            await _clear(driver, guest, run, device, ctx)
    except LibvirtError as error:
        log.warning("domain '%s': device '%s' could not be taken back: %s", guest.name, device.name, error.message)
