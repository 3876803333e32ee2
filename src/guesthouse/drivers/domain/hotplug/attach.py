"""A device comes into a running guest.

    completed, checked            on a copy of what runs                    (memory)
    status file                   tells what the guest will have            (file)
    host                          programs, network devices                 -> undone on failure
    QEMU                          backends, controllers, the device         -> undone on failure
    what runs, status file, event

Where the device is to be in the definition too, that is completed, checked and written down in the status file first,
so that nothing but the exchange of one file is left when QEMU has the device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.disks import descriptors, preparing
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, host, kinds, memory, release, settling, wiring
from guesthouse.drivers.domain.hotplug.change import Change
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.complete import find_emulator
from guesthouse.model.domain.device_document import DeviceElement
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.channel import Channel
from guesthouse.model.domain.devices.chardev import CharacterDevice
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.hostdev_scsi import ScsiHostdev
from guesthouse.model.domain.devices.memory import MemoryDevice
from guesthouse.model.domain.plugging import Plugged, check_alone, plug_into_guest
from guesthouse.model.qemu_objects import QemuObject
from guesthouse.qemu.json_value import objects, text_of
from guesthouse.qemu.monitor import MonitorTimeout

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def plan(driver: Guests, run: Run, wanted: DeviceElement) -> Plugged:
    """The guest with the device in it, checked; nothing has happened yet. Raises libvirt's refusals."""
    defaults = driver.settings.defaults
    caps = await driver.emulators.capabilities(find_emulator(run.live, defaults))
    check_alone(run.live, wanted.device, caps, defaults)
    kinds.may_come(run.live, wanted)
    return plug_into_guest(run.live, wanted, caps, defaults)


async def carry_out(driver: Guests, guest: Guest, run: Run, plugged: Plugged, definition: str) -> None:
    """Give the running guest what was planned. `definition` is the text of what it shall be defined as afterwards.

    Raises what the host and QEMU say; then everything is as it was before.
    """
    ctx = await contexts.of(driver, run, plugged.domain)
    run.change = Change(come=_names(plugged.added), definition=definition, live=plugged.domain)
    try:
        await _prepare_all(driver, guest, run, plugged.added, ctx)
        await _plug_all(driver, guest, run, plugged.added, ctx)
    except BaseException as error:  # also where nobody waits any more: see `settling.failed`
        settling.failed(driver, guest, run, error)
        raise
    run.change = Change(definition=definition) if definition else None
    statusfile.save(driver, guest, run)
    driver.events.publish(EventId.DEVICE_ADDED, guest, plugged.device.name)


def _names(added: Sequence[Device]) -> tuple[str, ...]:
    return tuple(device.name for device in added)


async def _prepare_all(driver: Guests, guest: Guest, run: Run, added: Sequence[Device], ctx: DeviceContext) -> None:
    """Choose what is open, make the images that lie on others, and write all of it down."""
    try:
        for device in added:
            await _prepare(driver, guest, run, device, ctx)
        statusfile.write(driver, guest, run)
    except BaseException:  # also where nobody waits any more: what was made must not stay
        for device in added:
            host.forget(driver, run, device)
        raise


async def _prepare(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    device.prepare(ctx)
    if isinstance(device, Disk):
        await _prepare_disk(driver, guest, run, device)
    elif isinstance(device, ScsiHostdev):
        run.next_layer = device.number_node(contexts.next_layer(run))


async def _prepare_disk(driver: Guests, guest: Guest, run: Run, disk: Disk) -> None:
    """Find out what a drive's images lie on, and number them. An empty drive has no format and no number."""
    if disk.empty:
        if disk.driver is not None:
            disk.driver.type = None
        return
    first = contexts.next_layer(run)

    def note() -> None:
        disk.number_layers(first)  # the next daemon looks for the drive by what it is made of
        statusfile.write(driver, guest, run)

    await preparing.prepare_disks(driver, guest, [disk], note)
    run.next_layer = disk.number_layers(first)


async def _plug_all(driver: Guests, guest: Guest, run: Run, added: Sequence[Device], ctx: DeviceContext) -> None:
    """The host's side and QEMU's; then the devices are part of what runs."""
    ready: list[Device] = []
    try:
        for device in added:
            await host.plug(driver, guest, run, device, ctx)
            ready.append(device)
        statusfile.write(driver, guest, run)  # with what the host chose for them
        try:
            with descriptors.kept(driver, run, added, _in_order(added, ctx)) as wanted:
                await wiring.make(run, wanted)
        finally:
            host.given(run)
    except (MonitorTimeout, asyncio.CancelledError):
        raise  # see `settling.failed`
    except Exception:
        there = await _still_there(run, added)
        for device in added:
            if device in there:
                continue
            if device in ready:
                await host.unplug(driver, guest, run, device, ctx)
            host.forget(driver, run, device)
        release.join(guest, run, there)
        raise
    release.join(guest, run, added)
    await _finish(driver, guest, run, added, ctx)


async def _still_there(run: Run, added: Sequence[Device]) -> list[Device]:
    """What the guest has not let go of again, after a failure."""
    try:
        aliases = await wiring.plugged_aliases(run)
    except LibvirtError:
        return []
    return [device for device in added if device.name in aliases]


def _in_order(added: Sequence[Device], ctx: DeviceContext) -> list[QemuObject]:
    """All backends, then what the guest sees: controllers before what is plugged into them."""
    made = [item for device in added for item in device.objects(ctx)]
    return [*wiring.backends(made), *wiring.front_ends(made)]


async def _finish(driver: Guests, guest: Guest, run: Run, added: Sequence[Device], ctx: DeviceContext) -> None:
    """What can only be said to a device that is there, and what only QEMU knows of it.

    A device that cannot be what it was asked to be goes again.
    """
    try:
        for device in added:
            await wiring.ask(run, device.after_start(ctx))
            if isinstance(device, CharacterDevice):
                await _learn_line(driver, guest, run, device)
            elif isinstance(device, MemoryDevice):
                await memory.learn(run)
    except BaseException:  # also where nobody waits any more: it cannot be what it was to be
        for device in reversed(added):
            await release.take_back(driver, guest, run, device, ctx)
        raise
    guest.changed()


async def _learn_line(driver: Guests, guest: Guest, run: Run, device: CharacterDevice) -> None:
    """Find out which terminal QEMU opened, and whether the guest listens already; a guest agent may."""
    for entry in objects(await run.talk().execute("query-chardev"), "the reply of query-chardev"):
        if text_of(entry, "label") != device.chardev:
            continue
        path = text_of(entry, "filename").removeprefix("pty:")
        if device.type == "pty" and path:
            device.set_path(path)
        if isinstance(device, Channel) and entry.get("frontend-open") is True:
            devices.set_channel_state(device, connected=True)
    run.live.devices.mirror_console()
    if isinstance(device, Channel) and device.is_agent:
        channel.attach(driver, guest, run)
