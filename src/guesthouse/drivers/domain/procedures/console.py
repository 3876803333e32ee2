"""Procedures that open streams to consoles and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain import console
from guesthouse.drivers.domain.console_session import Session
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_devices as rpc

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def _open_console(driver: Guests, caller: Caller, args: rpc.DomainOpenConsoleArgs) -> None:
    flags.check(args.flags, console.SAFE | console.FORCE, "qemuDomainOpenConsole")
    session = console.open_console(find(driver, args.dom), args.dev_name, args.flags)
    _begin(caller, session)


def _open_channel(driver: Guests, caller: Caller, args: rpc.DomainOpenChannelArgs) -> None:
    flags.check(args.flags, console.FORCE, "qemuDomainOpenChannel")
    session = console.open_channel(find(driver, args.dom), args.name, args.flags)
    _begin(caller, session)


def _begin(caller: Caller, session: Session) -> None:
    try:
        session.begin(caller.open_stream(session))
    except Exception:
        session.abort()
        raise


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_OPEN_CONSOLE: write(_open_console),
    rpc.DOMAIN_OPEN_CHANNEL: write(_open_channel),
}
