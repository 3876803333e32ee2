"""The guest is asked to let go of a device.

Whether it does is the guest's business: it answers at once, after seconds, much later or never. Who asked waits
`PATIENCE` seconds; then the call ends as libvirt's does, without an error, and the device stays in what runs until QEMU
tells that it is gone. A guest that says no is an error.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.block_jobs.jobs import refuse
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, kinds, release, settling, wiring
from guesthouse.drivers.domain.hotplug.change import Change
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InternalError, OperationFailedError
from guesthouse.model.domain.device_document import DeviceElement, element_of
from guesthouse.model.domain.device_matching import find, find_alias
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.qemu_objects import Command
from guesthouse.qemu.monitor import QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: How long the guest may take while somebody waits, in seconds; libvirt's `QEMU_UNPLUG_TIMEOUT`.
PATIENCE: Final = 5.0

_NO_DEVICE: Final = "DeviceNotFound"


def choose(run: Run, wanted: DeviceElement) -> Device:
    """The device of the running guest that `wanted` means, and that can go. Raises libvirt's refusals."""
    kinds.may_be_looked_for(run.live, wanted)
    return _checked(run, find(run.live, wanted, live=True))


def choose_alias(run: Run, alias: str) -> Device:
    """The device of the running guest with this alias, if it can go. Raises libvirt's refusals."""
    device = find_alias(run.live, alias)
    kinds.may_be_looked_for(run.live, element_of(device))
    return _checked(run, device)


def _checked(run: Run, device: Device) -> Device:
    element = element_of(device)
    if device.alias is None:
        raise InternalError(f"Cannot detach {element.kind} device with no alias")
    kinds.may_go(run.live, element)
    if isinstance(device, Disk):
        refuse(device, run.block_jobs.on(device.target.dev))
    return device


async def carry_out(
    driver: Guests, guest: Guest, run: Run, device: Device, definition: str, *, wait: bool = True
) -> bool:
    """Ask the guest to let go; tells whether it has. With `wait` off only the question is asked.

    Raises `OperationFailedError` where the guest refuses, and what QEMU says.
    """
    run.change = Change(go=device.name, definition=definition)
    try:
        statusfile.write(driver, guest, run)
        gone = await _let_go(driver, guest, run, device, wait=wait)
    except BaseException as error:  # also where nobody waits any more: see `settling.failed`
        settling.failed(driver, guest, run, error)
        raise
    run.change = Change(definition=definition) if definition else None
    statusfile.save(driver, guest, run)
    return gone


async def _let_go(driver: Guests, guest: Guest, run: Run, device: Device, *, wait: bool) -> bool:
    ctx = await contexts.of(driver, run, run.live)
    made = device.objects(ctx)
    fronts = wiring.front_ends(made)
    if not fronts:  # what the guest does not see, it need not let go of
        await release.finish(driver, guest, run, device)
        return True
    order = fronts[-1].undo()
    if order is None:
        raise InternalError(f"Cannot detach {element_of(device).kind} device with no alias")
    if await _asked(run, device.name, order, wait=wait):
        await release.finish(driver, guest, run, device)
        return True
    return False


async def _asked(run: Run, alias: str, order: Command, *, wait: bool) -> bool:
    """Whether the device is gone when the guest had its time."""
    gone: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    if wait:
        run.unplugs[alias] = gone
    try:
        await run.talk().execute(order.name, order.arguments)
        if not wait:
            return False
        async with asyncio.timeout(PATIENCE):
            consent = await gone
    except TimeoutError:
        return False
    except QmpError as error:
        if error.class_ == _NO_DEVICE:
            return True
        raise
    finally:
        if run.unplugs.get(alias) is gone:
            del run.unplugs[alias]
    if not consent:
        raise OperationFailedError("unplug of device was rejected by the guest")
    return True
