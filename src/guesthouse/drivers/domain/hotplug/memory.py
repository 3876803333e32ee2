"""Memory devices that come and go change how much memory the guest has altogether."""

from __future__ import annotations

from guesthouse.drivers.domain.memory import devices
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.memory import MemoryDevice


def count(run: Run, device: Device, sign: int) -> None:
    """Count a device that has come (`sign` 1) or gone (-1). Does nothing for what is no memory."""
    if not isinstance(device, MemoryDevice):
        return
    run.live.memory.kib += sign * device.kib
    if run.balloon_kib is not None and not device.requestable:
        run.balloon_kib += sign * device.kib
    devices.settle_balloon(run)


async def learn(run: Run) -> None:
    """Ask QEMU where the devices are, and how much the guest took of them."""
    devices.learn(run.live, await run.talk().execute(devices.QUESTION))
    devices.settle_balloon(run)
