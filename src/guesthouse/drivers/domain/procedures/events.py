"""Procedures that register for events; QEMU's own events are in `procedures.qemu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events as rpc
from guesthouse.rpc.procedures import events_generation1 as old
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def _register(driver: Guests, caller: Caller, args: rpc.ConnectDomainEventCallbackRegisterAnyArgs) -> Struct:
    guest = find(driver, args.dom) if args.dom is not None else None
    number = driver.events.register(caller, args.eventID, guest)
    return rpc.ConnectDomainEventCallbackRegisterAnyRet(number)


def _deregister(driver: Guests, caller: Caller, args: rpc.ConnectDomainEventCallbackDeregisterAnyArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


def _register_old(driver: Guests, caller: Caller, args: old.ConnectDomainEventRegisterAnyArgs) -> None:
    driver.events.register(caller, args.eventID, None, numbered=False)


def _deregister_old(driver: Guests, caller: Caller, args: old.ConnectDomainEventDeregisterAnyArgs) -> None:
    driver.events.deregister_unnumbered(caller, args.eventID)


def _register_lifecycle(driver: Guests, caller: Caller, _args: None) -> Struct:
    driver.events.register(caller, EventId.LIFECYCLE, None, numbered=False)
    return old.ConnectDomainEventRegisterRet(1)


def _deregister_lifecycle(driver: Guests, caller: Caller, _args: None) -> Struct:
    driver.events.deregister_unnumbered(caller, EventId.LIFECYCLE)
    return old.ConnectDomainEventDeregisterRet(0)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: read(_register),
    rpc.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: read(_deregister),
    old.CONNECT_DOMAIN_EVENT_REGISTER_ANY: read(_register_old),
    old.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY: read(_deregister_old),
    old.CONNECT_DOMAIN_EVENT_REGISTER: read(_register_lifecycle),
    old.CONNECT_DOMAIN_EVENT_DEREGISTER: read(_deregister_lifecycle),
}
