"""What has to be there before QEMU can start: ports, sockets' names, a key file, helper programs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.displays import places
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.lifecycle import secrets
from guesthouse.drivers.domain.run import Run
from guesthouse.host.files import write_atomic
from guesthouse.model.domain import launch_security, without_effect
from guesthouse.model.domain.devices.base import DeviceContext

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


def prepare_devices(driver: Guests, run: Run) -> None:
    """Choose what a definition leaves open, and write what QEMU reads. The run's directories are there."""
    for element in without_effect.of(run.live):
        log.warning("domain '%s': %s does nothing for a guest of QEMU", run.live.name, element)
    places.prepare(driver.ports, run, driver.settings.defaults.settings)
    secrets.write_key(run.where)
    for name, text in launch_security.files(run.live.launch_security).items():
        write_atomic(run.where.private / name, text.encode(), durable=False)


async def start_helpers(driver: Guests, guest: Guest, run: Run, ctx: DeviceContext) -> None:
    """Start the programs that devices need."""
    for device in run.live.devices.all():
        await programs.start_for(driver, guest, run, device, ctx)
