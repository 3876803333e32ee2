"""Dumps that a definition asks for: of a guest that has panicked, and of one whose watchdog was not fed.

They lie where libvirt has them: `dump/ID-NAME-DATE` in the directory of the guests.

Source: https://libvirt.org/formatdomain.html#events-configuration (`coredump-destroy`, `coredump-restart`) and
#watchdog-devices (`dump`).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.dumps import dump
from guesthouse.drivers.domain.dumps.producers import JOB
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.job import DUMP, UNBOUNDED
from guesthouse.drivers.domain.lifecycle import power
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause
from guesthouse.errors import LibvirtError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

_COREDUMP = "coredump-"


def panicked(driver: Guests, guest: Guest, run: Run) -> None:
    """The guest's kernel has panicked, and QEMU has stopped it: do what its definition wants, perhaps after a dump."""
    if not (run.live.on_crash or "").startswith(_COREDUMP):
        power.panicked(driver, guest, run)
    elif power.change(driver, guest, run, Cause.PANIC):
        run.keep(driver.background(_after_panic(driver, guest, run)))


async def _after_panic(driver: Guests, guest: Guest, run: Run) -> None:
    if await _dump(driver, guest, run) and not run.ended.is_set():
        power.after_panic(driver, guest, run)


def of_watchdog(driver: Guests, guest: Guest, run: Run) -> None:
    """The guest's watchdog has paused it for a dump; afterwards it goes on."""
    run.keep(driver.background(_of_watchdog(driver, guest, run)))


async def _of_watchdog(driver: Guests, guest: Guest, run: Run) -> None:
    await _dump(driver, guest, run)
    try:
        await run.talk().execute("cont")
    except LibvirtError as error:
        log.error("domain '%s': Resuming after dump failed: %s", guest.name, error.message)
    else:
        power.change(driver, guest, run, Cause.RESUME)


async def _dump(driver: Guests, guest: Guest, run: Run) -> bool:
    """Dump to the place for it. Whatever goes wrong is told in the log, since nobody waits: then the guest stays."""
    target = _place(driver, run)
    try:
        await asyncio.to_thread(target.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        async with guest.job.hold(JOB, abortable=True, type_=UNBOUNDED, operation=DUMP) as work:
            await dump.write(run, target, dump.Wish(memory_only=True), work)
    except (LibvirtError, OSError) as error:
        log.error("domain '%s': Dump failed: %s", guest.name, error)
        return False
    log.info("domain '%s' was dumped to %s", guest.name, target)
    return True


def _place(driver: Guests, run: Run) -> Path:
    places = driver.places
    folder = (places.guest_lib.parent if places.mode == "session" else places.guest_lib) / "dump"
    short = run.where.private.name.removeprefix("domain-")
    return folder / f"{short}-{datetime.now().astimezone():%Y-%m-%d-%H:%M:%S}"
