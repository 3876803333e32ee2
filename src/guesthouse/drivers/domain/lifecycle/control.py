"""Suspending, resuming, shutting down, rebooting and resetting a guest that runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import power
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause, State
from guesthouse.drivers.flags import check
from guesthouse.errors import LibvirtError, NoSuchDomainError, OperationInvalidError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Ways to shut down or to reboot: bits of `virDomainShutdownFlagValues` and `virDomainRebootFlagValues`.
ACPI = 1
AGENT = 2


@contextlib.asynccontextmanager
async def modifying(guest: Guest, kind: str = "modify") -> AsyncIterator[None]:
    """Hold the guest's job; whoever waited may find that the guest is gone (`NoSuchDomainError`)."""
    async with guest.job.hold(kind):
        if guest.removed:
            raise NoSuchDomainError(f"no domain with matching uuid '{guest.uuid_text}' ({guest.name})")
        yield


async def suspend(driver: Guests, guest: Guest) -> None:
    """Stop the guest's processors. Raises `OperationInvalidError` when it is off, or asleep."""
    guest.live()
    async with modifying(guest, "suspend"):
        run = guest.live()
        if guest.state is State.PMSUSPENDED:
            raise OperationInvalidError("domain is pmsuspended")
        if guest.state is State.PAUSED:
            return
        run.pause_as = Cause.SUSPEND
        try:
            await run.talk().execute("stop")
        finally:
            run.pause_as = Cause.STOPPED_BY_QEMU
        power.change(driver, guest, run, Cause.SUSPEND)


async def resume(driver: Guests, guest: Guest) -> None:
    """Let the guest's processors run. Raises `OperationInvalidError` when it is off, asleep or running."""
    guest.live()
    async with modifying(guest, "resume"):
        run = guest.live()
        if guest.state is State.PMSUSPENDED:
            raise OperationInvalidError("domain is pmsuspended", hint="wake it with dompmwakeup")
        if guest.state is State.RUNNING:
            raise OperationInvalidError("domain is already running")
        if guest.state is State.SHUTDOWN:
            raise OperationInvalidError("domain is being shut down")
        await run.talk().execute("cont")
        power.change(driver, guest, run, Cause.RESUME)


async def shut_down(driver: Guests, guest: Guest, ways: int = 0) -> None:
    """Ask the guest to power off: through its agent, or with the power button. 0 leaves the choice to us.

    Returns when the guest was asked. With both ways given, the agent is asked first and the button is the resort.
    """
    check(ways, ACPI | AGENT, "qemuDomainShutdownFlags")
    if not guest.active:
        raise OperationInvalidError("domain is not running")
    await _ask(driver, guest, ways, "powerdown", reboot=_restarts(guest.live()))


async def reboot(driver: Guests, guest: Guest, ways: int = 0) -> None:
    """Ask the guest to reboot: through its agent, or with the power button and a reset instead of the end."""
    check(ways, ACPI | AGENT, "qemuDomainReboot")
    await _ask(driver, guest, ways, "reboot", reboot=guest.live().live.on_reboot != "destroy")


async def reset(driver: Guests, guest: Guest) -> None:
    """Press the reset button."""
    guest.live()
    async with modifying(guest, "reset"):
        run = guest.live()
        await run.talk().execute("system_reset")
        power.change(driver, guest, run, Cause.RESET_AFTER_PANIC)


async def inject_nmi(guest: Guest) -> None:
    """Send a non-maskable interrupt to the guest."""
    guest.live()
    async with modifying(guest):
        await guest.live().talk().execute("inject-nmi")


async def wake(guest: Guest) -> None:
    """Wake a guest that sleeps in memory."""
    guest.live()
    async with modifying(guest):
        await guest.live().talk().execute("system_wakeup")


def _restarts(run: Run) -> bool:
    return run.live.on_poweroff == "restart"


async def _ask(driver: Guests, guest: Guest, ways: int, mode: str, *, reboot: bool) -> None:
    run = guest.live()
    if ways & AGENT or (not ways and run.agent_connected):
        try:
            await channel.shut_down(guest, mode)
        except LibvirtError:
            if ways == AGENT:
                raise
        else:
            return
    async with modifying(guest, mode):
        run = guest.live()
        if guest.state is not State.RUNNING:  # a guest that stands still cannot hear the button
            raise OperationInvalidError("domain is not running", hint="resume it first")
        run.reboot_instead = reboot
        await run.talk().execute("system_powerdown")
