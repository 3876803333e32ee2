"""What follows when a guest powers off or panics: the actions of its `<on_poweroff>`, `<on_reboot>`, `<on_crash>`.

QEMU runs with `-no-shutdown`: a guest that powers off stands still until we end it, or reset it where a restart is
wanted. A reboot that was asked of the host over ACPI is such a power-off too (`run.reboot_instead`).

Source: https://libvirt.org/formatdomain.html#events-configuration
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import stopping
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause
from guesthouse.errors import LibvirtError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long a guest that was reset may take to run again, in seconds.
_RESTART_DEADLINE = 10.0


def change(driver: Guests, guest: Guest, run: Run, cause: Cause) -> bool:
    """Change the state, write it down and tell of it. Returns whether `cause` applied."""
    before = guest.state, guest.reason
    notices = guest.turn(cause)
    if (guest.state, guest.reason) == before and not notices:
        return False
    statusfile.save(driver, guest, run)
    driver.events.lifecycle(guest, *notices)
    return True


def shut_down(driver: Guests, guest: Guest, run: Run, *, by_guest: bool | None) -> None:
    """QEMU says that its guest has powered off; `by_guest` False where a signal did it, None where unknown."""
    if run.reboot_instead or (run.live.on_poweroff == "restart" and by_guest and run.stop_cause is None):
        run.restarting = True
        run.keep(driver.background(_restart(driver, guest, run, Cause.REBOOTED)))
        return
    causes = {True: Cause.GUEST_SHUTDOWN, False: Cause.HOST_SHUTDOWN, None: Cause.UNKNOWN_SHUTDOWN}
    if change(driver, guest, run, causes[by_guest]):
        stopping.end(driver, run)


def panicked(driver: Guests, guest: Guest, run: Run) -> None:
    """The guest's kernel has panicked, and QEMU has stopped it."""
    if change(driver, guest, run, Cause.PANIC):
        after_panic(driver, guest, run)


def after_panic(driver: Guests, guest: Guest, run: Run) -> None:
    """What the definition wants with a guest that has panicked, apart from a dump (see `dumps.crash`)."""
    action = run.live.on_crash or "destroy"
    if action in ("restart", "coredump-restart", "rename-restart"):
        run.keep(driver.background(_restart(driver, guest, run, Cause.RESTART_AFTER_PANIC)))
    elif action != "preserve":
        run.stop_cause = Cause.PANICKED_OFF
        stopping.end(driver, run)


async def _restart(driver: Guests, guest: Guest, run: Run, cause: Cause) -> None:
    """Reset the guest and let it run; end it where that fails."""
    try:
        await run.talk().pipeline([("system_reset", None), ("cont", None)], deadline=_RESTART_DEADLINE)
    except LibvirtError as error:
        log.warning("domain '%s' could not be restarted: %s", guest.name, error.message)
        stopping.end(driver, run)
        return
    run.reboot_instead = run.restarting = False
    change(driver, guest, run, cause)
