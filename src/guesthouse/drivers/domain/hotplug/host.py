"""What a device needs of the host beside QEMU: helper programs, network devices, access to images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain import helpers
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import Device, DeviceContext

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def plug(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Make what the device needs, all of it or nothing. Raises `OperationFailedError`."""
    await helpers.start_for(driver, guest, run, device, ctx)


async def unplug(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Give back what the device had. Nothing that is missing is a failure."""
    helpers.end_for(driver, guest, run, device, ctx)
