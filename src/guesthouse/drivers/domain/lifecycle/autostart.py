"""Starting the guests that are marked for it when the daemon starts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import starting
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import LibvirtError, OperationInvalidError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


async def start_marked(driver: Guests, width: int) -> None:
    """Start every marked guest that is off, `width` at a time. A failure is logged and stops no other guest.

    As in libvirt, only the first daemon after the host's boot does so (in a session: after the login): a guest that
    somebody ended stays off when the daemon is merely restarted. Under `--root`, each start of the daemon is a boot.
    """
    if driver.places.mode != "root" and not await driver.in_thread(driver.store.first_since_boot):
        return

    seats = asyncio.Semaphore(width)

    async def one(guest: Guest) -> None:
        async with seats:
            await _start(driver, guest)

    marked = [guest for guest in driver.registry if guest.autostart or guest.autostart_once]
    await asyncio.gather(*(one(guest) for guest in marked))


async def _start(driver: Guests, guest: Guest) -> None:
    try:
        if guest.autostart_once:
            await driver.in_thread(driver.store.set_autostart, guest.name, False, once=True)
            guest.autostart_once = False
        async with modifying(guest, "start"):
            if not guest.active and guest.definition is not None:
                await starting.start(driver, guest, guest.definition)
    except LibvirtError as error:
        log.error("domain '%s' could not be started with the daemon: %s", guest.name, error.message)


async def mark(driver: Guests, guest: Guest, on: bool, *, once: bool = False) -> None:
    """Start the guest with the daemon from now on, or no longer; with `once`, at its next start only."""
    async with modifying(guest):
        if not guest.persistent:
            raise OperationInvalidError("cannot set autostart for transient domain")
        await driver.in_thread(driver.store.set_autostart, guest.name, on, once=once)
        if once:
            guest.autostart_once = on
        else:
            guest.autostart = on
