"""What a former daemon had begun with a guest's devices is brought to an end.

The status file names every device that QEMU may have; QEMU tells which it has. What QEMU lacks was never made or was
released while nobody listened: what is left of it goes. A definition that was waiting for its devices is written if
they came, or if the one that was to go is gone.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts, media, release, wiring
from guesthouse.drivers.domain.hotplug.change import Change
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Happening, Notice
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.device_document import parse_device
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.document import parse_domain
from guesthouse.qemu.json_value import objects

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


async def settle(driver: Guests, guest: Guest, run: Run) -> None:
    """Make what is known of the guest's devices true. QEMU answers; a failure is logged, and the status file still
    tells of the change.
    """
    try:
        async with guest.job.hold("modify"):
            await _compare(driver, guest, run, run.change)
            run.change = None
    except LibvirtError as error:
        log.error("domain '%s': its devices could not be compared with QEMU's: %s", guest.name, error.message)


async def _compare(driver: Guests, guest: Guest, run: Run, change: Change | None) -> None:
    ctx = await contexts.of(driver, run, run.live)
    there = await wiring.plugged_aliases(run)
    missing = [device for device in run.live.devices.all() if _is_missing(device, there, ctx)]
    for device in missing:
        log.info("domain '%s': QEMU does not have device '%s'", guest.name, device.name)
        await release.finish(driver, guest, run, device, tell=change is None or device.name not in change.come)
    if change is None:
        return
    disc_is_in = not change.former or await _settle_disc(guest, run, change.former, ctx)
    came = not any(device.name in change.come for device in missing)
    went = all(_alias(device) != change.go for device in run.live.devices.all()) if change.go else True
    if change.definition and came and went and disc_is_in:
        await _define(driver, guest, change.definition)


def _alias(device: Device) -> str:
    return device.alias.name if device.alias is not None else ""


def _is_missing(device: Device, there: frozenset[str], ctx: DeviceContext) -> bool:
    """Whether QEMU should have a device of this name and has not."""
    if device.alias is None or device.name in there:
        return False
    with contextlib.suppress(LibvirtError):
        return any(front.props.get("id") == device.name for front in wiring.front_ends(device.objects(ctx)))
    return False


async def _settle_disc(guest: Guest, run: Run, former: str, ctx: DeviceContext) -> bool:
    """Find out which disc is in the drive; tells whether it is the new one. The nodes of the other go."""
    before = parse_device(former, live=True).device
    if not isinstance(before, Disk):
        return False
    disks = run.live.devices.disks
    after = next((disk for disk in disks if disk.target.dev == before.target.dev), None)
    if after is None:
        return False
    entries = objects(await run.talk().execute("query-block"), "the reply of query-block")
    node = media.inserted(media.told(after, entries))
    if node == media.node_of(after, ctx):
        await wiring.unmake(run, media.nodes(before, ctx))
        return True
    await wiring.unmake(run, media.nodes(after, ctx))
    found = before
    if node is None and media.node_of(before, ctx) is not None:
        await wiring.unmake(run, media.nodes(before, ctx))
        found = media.with_disc(before, new(Disk, target=before.target, device=before.device))
    disks[:] = [found if disk is after else disk for disk in disks]
    guest.changed()
    return False


async def _define(driver: Guests, guest: Guest, text: str) -> None:
    """The definition that was to follow the change. A guest that has become transient meanwhile has none."""
    if guest.definition is None:
        return
    domain = parse_domain(text)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults)
    if domain.uuid != guest.uuid_text or domain.name != guest.name:
        return
    await definitions.replace(driver, guest, domain)
    driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "updated"))
