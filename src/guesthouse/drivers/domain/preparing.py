"""What has to be there before QEMU can start: ports, sockets' names, a key file, helper programs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import graphics_places, helpers, secrets
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import DeviceContext

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


def prepare_devices(driver: Guests, run: Run) -> None:
    """Choose what a definition leaves open, and write what QEMU reads. The run's directories are there."""
    if run.live.pass_through is not None:
        log.warning("Domain id=%s name='%s' uuid=%s is tainted: custom-argv", run.live.id, run.live.name, run.live.uuid)
    graphics_places.prepare(driver.ports, run, driver.settings.defaults.settings)
    secrets.write_key(run.where)


async def drop_missing_media(driver: Guests, run: Run) -> None:
    """Leave out the images that may be missing (`startupPolicy='optional'`) and are: drives stay, but empty."""
    disks = run.live.devices.disks
    for disk in list(disks):
        source = disk.source
        if source is None or source.startup_policy != "optional" or source.path is None:
            continue
        if not await asyncio.to_thread(Path(source.path).exists):  # which may be on a file system that hangs
            disk.source = None
            if not disk.removable_medium:
                disks.remove(disk)
    for disk in disks:
        if disk.path is None and disk.driver is not None:
            disk.driver.type = None  # an empty drive has no format


async def start_helpers(driver: Guests, guest: Guest, run: Run, ctx: DeviceContext) -> None:
    """Start the programs that devices need."""
    for device in run.live.devices.all():
        await helpers.start_for(driver, guest, run, device, ctx)
