"""What a device needs of the host beside QEMU: helper programs, network devices, access to images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain.disks import overlays
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.interfaces import plug as network_plug
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.interface import Interface

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def plug(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Make what the device needs, all of it or nothing. Raises `OperationFailedError`, and what a network cannot do.

    `given` is to be called when QEMU has the device, or has refused it.
    """
    if isinstance(device, Interface):
        await network_plug.plug_in(driver, run, device)
    try:
        await programs.start_for(driver, guest, run, device, ctx)
    except BaseException:  # also where nobody waits any more: nothing may stay of a card that is not there
        given(run)
        if isinstance(device, Interface):
            await network_plug.unplug(driver, run, device)
        raise


def given(run: Run) -> None:
    """Close our copies of the descriptors that QEMU has by now."""
    network_plug.close(run)


async def unplug(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Give back what the device had. Nothing that is missing is a failure."""
    programs.end_for(driver, guest, run, device, ctx)
    if isinstance(device, Interface):
        await network_plug.unplug(driver, run, device)
    forget(driver, run, device)


def forget(driver: Guests, run: Run, device: Device) -> None:
    """Remove what was made of a device that QEMU has not, before `plug` was called or after."""
    if isinstance(device, Disk):
        overlays.remove_of(driver, run, device)
