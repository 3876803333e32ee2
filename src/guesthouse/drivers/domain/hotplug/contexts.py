"""What devices of a running guest are told when they are plugged, and the numbers of the images that they get."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.lifecycle import surroundings
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.complete import find_emulator
from guesthouse.model.domain.context import launch_context
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.hostdev_scsi import ScsiHostdev
from guesthouse.model.domain.plugging import boot_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def of(driver: Guests, run: Run, domain: Domain) -> DeviceContext:
    """What devices that are plugged into `domain` are told; it is what runs, or a copy with more devices."""
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    ctx = launch_context(domain, surroundings.of_run(driver, run, caps))
    # The order in which the firmware looks was settled when the guest started: only who says so himself joins it.
    own = {device.name: boot.order for device in domain.devices.all() if (boot := boot_of(device)) is not None}
    return dataclasses.replace(ctx, boot=own)


def next_layer(run: Run) -> int:
    """The number of the next image: numbers are not given twice while a guest runs."""
    if run.next_layer == 0:
        taken = [number for disk in run.live.devices.disks for number in disk.numbers()]
        drives = sum(disk.empty for disk in run.live.devices.disks)  # an empty drive has taken a number too
        nodes = [device.node_number for device in run.live.devices.hostdevs if isinstance(device, ScsiHostdev)]
        run.next_layer = max(len(set(taken)) + drives + len(nodes), *taken, *nodes, 0) + 1
    return run.next_layer
