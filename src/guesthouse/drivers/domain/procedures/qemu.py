"""Procedures of the QEMU program: commands for a guest's monitor and agent, and QEMU's own events."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain import taints
from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.model.domain.taints import Taint
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import qemu as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP`.
_HUMAN = 1

#: `virConnectDomainQemuMonitorEventRegisterFlags`.
_REGEX, _NO_CASE = 1, 2

_MONITOR_DEADLINE = 60.0


async def _monitor_command(driver: Guests, _: Caller, args: rpc.DomainMonitorCommandArgs) -> Struct:
    flags.check(args.flags, _HUMAN, "qemuDomainQemuMonitorCommand")
    guest = find(driver, args.dom)
    guest.live()
    async with guest.job.hold("query"):
        monitor = guest.live().talk()
        await taints.add(driver, guest, guest.live(), Taint.CUSTOM_MONITOR)
        if args.flags & _HUMAN:
            return rpc.DomainMonitorCommandRet(await monitor.human(args.cmd, deadline=_MONITOR_DEADLINE))
        return rpc.DomainMonitorCommandRet(await monitor.command_line(args.cmd, deadline=_MONITOR_DEADLINE))


async def _monitor_command_with_files(
    driver: Guests, caller: Caller, args: rpc.DomainMonitorCommandWithFilesArgs
) -> Struct:
    descriptors = caller.take_fds()
    try:
        flags.check(args.flags, _HUMAN, "qemuDomainQemuMonitorCommandWithFiles")
        if len(descriptors) > 1:
            raise InvalidArgumentError("at most 1 fd can be passed to qemu along with a command", domain=Origin.QEMU)
        guest = find(driver, args.dom)
        guest.live()
        async with guest.job.hold("query"):
            monitor, fd = guest.live().talk(), descriptors[0] if descriptors else None
            await taints.add(driver, guest, guest.live(), Taint.CUSTOM_MONITOR)
            if args.flags & _HUMAN:
                return rpc.DomainMonitorCommandWithFilesRet(await monitor.human(args.cmd, deadline=_MONITOR_DEADLINE))
            answer = await monitor.command_line(args.cmd, deadline=_MONITOR_DEADLINE, fd=fd)
            return rpc.DomainMonitorCommandWithFilesRet(answer)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def _agent_command(driver: Guests, _: Caller, args: rpc.DomainAgentCommandArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainQemuAgentCommand")
    guest = find(driver, args.dom)
    channel.present(guest)
    await taints.add(driver, guest, guest.live(), Taint.CUSTOM_AGENT_COMMAND)
    return rpc.DomainAgentCommandRet(await channel.command(guest, args.cmd, args.timeout))


def _register(driver: Guests, caller: Caller, args: rpc.ConnectDomainMonitorEventRegisterArgs) -> Struct:
    flags.check(args.flags, _REGEX | _NO_CASE, "qemuConnectDomainQemuMonitorEventRegister")
    guest = find(driver, args.dom) if args.dom is not None else None
    number = driver.events.register_monitor(caller, guest, _matcher(args.event, args.flags))
    return rpc.ConnectDomainMonitorEventRegisterRet(number)


def _matcher(pattern: str | None, bits: int) -> Callable[[str], bool]:
    """Which names of events are meant: all, one, or those of a regular expression."""
    if pattern is None:
        return lambda _: True
    if bits & _REGEX:
        try:
            expression = re.compile(pattern, re.IGNORECASE if bits & _NO_CASE else 0)
        except re.error as error:
            raise InvalidArgumentError(f"failed to compile regex '{pattern}': {error}") from error
        return lambda name: expression.search(name) is not None
    wanted = pattern.upper() if bits & _NO_CASE else pattern
    return lambda name: name == wanted


def _deregister(driver: Guests, caller: Caller, args: rpc.ConnectDomainMonitorEventDeregisterArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_MONITOR_COMMAND: write(_monitor_command),
    rpc.DOMAIN_MONITOR_COMMAND_WITH_FILES: write(_monitor_command_with_files),
    rpc.DOMAIN_AGENT_COMMAND: write(_agent_command),
    rpc.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: write(_register),
    rpc.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: write(_deregister),
}
