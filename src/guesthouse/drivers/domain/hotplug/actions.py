"""What the procedures ask for: attach, detach and update, in the running guest, in its definition, or in both.

Both are checked before anything is done. The running guest comes first; the definition follows by the exchange of one
file, whose text the status file has held since before QEMU was told anything. Where that exchange fails, the running
guest is put back.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.domain import definitions, metadata, taints
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import attach, configuring, contexts, detach, kinds, media, release, update
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Happening, Notice
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement, parse_device
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.interface import Interface, Mac
from guesthouse.model.domain.plugging import Plugged, new_mac

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `VIR_DOMAIN_DEVICE_MODIFY_FORCE`.
FORCE = 4

_IMPACT = flags.LIVE | flags.CONFIG


@dataclass(frozen=True, slots=True)
class _Target:
    """What a change is for: the run, the definition, or both."""

    run: Run | None
    definition: Domain | None


@contextlib.asynccontextmanager
async def _changing(guest: Guest, impact: int) -> AsyncIterator[_Target]:
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        run = guest.live() if live else None
        if run is not None and run.change is not None:
            raise OperationFailedError(
                "a former change of the domain's devices is not settled yet", hint="its QEMU does not answer"
            )
        yield _Target(run, guest.definition if config else None)


async def attach_device(driver: Guests, guest: Guest, xml: str, impact: int) -> None:
    """Give the guest a device. Raises libvirt's refusals; then nothing has changed."""
    flags.check(impact, _IMPACT, "qemuDomainAttachDeviceLiveAndConfig")
    async with _changing(guest, impact) as target:
        wanted = parse_device(xml)
        if isinstance(wanted.device, Interface) and wanted.device.mac is None:
            wanted.device.mac = new(Mac, address=new_mac(driver.settings.defaults))
        definition = None
        if target.definition is not None:
            definition = await configuring.with_device(driver, target.definition, wanted)
        if target.run is not None:
            await _attach_live(driver, guest, target.run, wanted, definition)
        elif definition is not None:
            await _redefine(driver, guest, definition)


async def _attach_live(
    driver: Guests, guest: Guest, run: Run, wanted: DeviceElement, definition: Domain | None
) -> None:
    drive = kinds.new_disc(run.live, wanted)
    if drive is not None:
        await media.change(driver, guest, run, drive, _text(definition), force=False)
        if definition is not None:
            await _redefine(driver, guest, definition)
        return
    plugged = await attach.plan(driver, run, wanted)
    await attach.carry_out(driver, guest, run, plugged, _text(definition))
    for device in plugged.added:
        await taints.of_plugged(driver, guest, run, device)
    if definition is not None:
        try:
            await _redefine(driver, guest, definition)
        except LibvirtError:
            await _take_back(driver, guest, run, plugged)
            raise


async def _take_back(driver: Guests, guest: Guest, run: Run, plugged: Plugged) -> None:
    ctx = await contexts.of(driver, run, run.live)
    for device in reversed(plugged.added):
        await release.take_back(driver, guest, run, device, ctx)


async def detach_device(driver: Guests, guest: Guest, xml: str, impact: int) -> None:
    """Take a device from the guest. Raises libvirt's refusals."""
    flags.check(impact, _IMPACT, "qemuDomainDetachDeviceLiveAndConfig")
    async with _changing(guest, impact) as target:
        wanted = parse_device(xml, live=target.run is not None)
        definition = None
        if target.definition is not None:
            definition = await configuring.without_device(driver, target.definition, wanted)
        device = detach.choose(target.run, wanted) if target.run is not None else None
        await _detach(driver, guest, target.run, device, definition, wait=True)


async def detach_alias(driver: Guests, guest: Guest, alias: str, impact: int) -> None:
    """Ask the guest to let go of the device with this alias; nobody waits for it. Raises libvirt's refusals."""
    flags.check(impact, _IMPACT, "qemuDomainDetachDeviceAliasLiveAndConfig")
    async with _changing(guest, impact) as target:
        definition = None
        if target.definition is not None:
            definition = await configuring.without_alias(driver, target.definition, alias)
        device = detach.choose_alias(target.run, alias) if target.run is not None else None
        await _detach(driver, guest, target.run, device, definition, wait=False)


async def _detach(
    driver: Guests, guest: Guest, run: Run | None, device: Device | None, definition: Domain | None, *, wait: bool
) -> None:
    if run is not None and device is not None:
        await detach.carry_out(driver, guest, run, device, _text(definition), wait=wait)
    if definition is not None:
        await _redefine(driver, guest, definition, tell=wait)  # libvirt tells nothing of aliases


async def update_device(driver: Guests, guest: Guest, xml: str, impact: int) -> None:
    """Make a device of the guest another one. Raises libvirt's refusals; then nothing has changed."""
    flags.check(impact, _IMPACT | FORCE, "qemuDomainUpdateDeviceFlags")
    async with _changing(guest, impact & _IMPACT) as target:
        wanted = parse_device(xml, live=target.run is not None)
        definition = None
        if target.definition is not None:
            definition = await update.in_definition(driver, target.definition, wanted)
        if target.run is not None:
            await update.live(driver, guest, target.run, wanted, _text(definition), force=bool(impact & FORCE))
        if definition is not None:
            await _redefine(driver, guest, definition)


def _text(definition: Domain | None) -> str:
    return definitions.file_text(definition) if definition is not None else ""


async def _redefine(driver: Guests, guest: Guest, definition: Domain, *, tell: bool = True) -> None:
    """Exchange the definition; after that, no change is under way any more."""
    try:
        async with driver.definitions:
            await definitions.replace(driver, guest, definition)
    finally:
        run = guest.run
        if run is not None and run.change is not None:
            run.change = None
            statusfile.save(driver, guest, run)
    if tell:
        driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "updated"))
