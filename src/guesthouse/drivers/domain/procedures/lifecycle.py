"""Procedures that start, stop, suspend and reset guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import control, starting, stopping
from guesthouse.drivers.domain.procedures.wire import find, handle
from guesthouse.errors import OperationInvalidError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_START_FLAGS = (
    starting.PAUSED | starting.AUTODESTROY | starting.BYPASS_CACHE | starting.FORCE_BOOT | starting.RESET_NVRAM
)
_GRACEFUL = 1
_REMOVE_LOGS = 2


async def _start(driver: Guests, guest: Guest, bits: int, caller: Caller) -> None:
    flags.check(bits, _START_FLAGS, "qemuDomainCreateWithFlags")
    if guest.active:
        raise OperationInvalidError("domain is already running")
    async with control.modifying(guest, "start"):
        if guest.definition is None:
            raise OperationInvalidError("domain is already running")
        await starting.start(driver, guest, guest.definition, bits, caller)


async def _create(driver: Guests, caller: Caller, args: rpc.DomainCreateArgs) -> None:
    await _start(driver, find(driver, args.dom), 0, caller)


async def _create_with_flags(driver: Guests, caller: Caller, args: rpc.DomainCreateWithFlagsArgs) -> Struct:
    guest = find(driver, args.dom)
    await _start(driver, guest, args.flags, caller)
    return rpc.DomainCreateWithFlagsRet(handle(guest))


async def _destroy(driver: Guests, _: Caller, args: rpc.DomainDestroyArgs) -> None:
    await stopping.destroy(driver, find(driver, args.dom))


async def _destroy_flags(driver: Guests, _: Caller, args: rpc.DomainDestroyFlagsArgs) -> None:
    flags.check(args.flags, _GRACEFUL | _REMOVE_LOGS, "qemuDomainDestroyFlags")
    guest = find(driver, args.dom)
    await stopping.destroy(driver, guest, graceful=bool(args.flags & _GRACEFUL))
    if args.flags & _REMOVE_LOGS:
        await driver.in_thread(stopping.remove_logs, driver.places.guest_logs, guest.name)


async def _suspend(driver: Guests, _: Caller, args: rpc.DomainSuspendArgs) -> None:
    await control.suspend(driver, find(driver, args.dom))


async def _resume(driver: Guests, _: Caller, args: rpc.DomainResumeArgs) -> None:
    await control.resume(driver, find(driver, args.dom))


async def _shutdown(driver: Guests, _: Caller, args: rpc.DomainShutdownArgs) -> None:
    await control.shut_down(driver, find(driver, args.dom))


async def _shutdown_flags(driver: Guests, _: Caller, args: rpc.DomainShutdownFlagsArgs) -> None:
    await control.shut_down(driver, find(driver, args.dom), args.flags)


async def _reboot(driver: Guests, _: Caller, args: rpc.DomainRebootArgs) -> None:
    await control.reboot(driver, find(driver, args.dom), args.flags)


async def _reset(driver: Guests, _: Caller, args: rpc.DomainResetArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainReset")
    await control.reset(driver, find(driver, args.dom))


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_CREATE: write(_create),
    rpc.DOMAIN_CREATE_WITH_FLAGS: write(_create_with_flags),
    rpc.DOMAIN_DESTROY: write(_destroy),
    rpc.DOMAIN_DESTROY_FLAGS: write(_destroy_flags),
    rpc.DOMAIN_SUSPEND: write(_suspend),
    rpc.DOMAIN_RESUME: write(_resume),
    rpc.DOMAIN_SHUTDOWN: write(_shutdown),
    rpc.DOMAIN_SHUTDOWN_FLAGS: write(_shutdown_flags),
    rpc.DOMAIN_REBOOT: write(_reboot),
    rpc.DOMAIN_RESET: write(_reset),
}
