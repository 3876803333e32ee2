"""Procedures that register for events of pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events_objects as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver


def _register(driver: StorageDriver, caller: Caller, args: rpc.ConnectStoragePoolEventRegisterAnyArgs) -> Struct:
    pool = None
    if args.pool is not None:
        pool = driver.registry.with_uuid(args.pool.uuid, args.pool.name).uuid
    return rpc.ConnectStoragePoolEventRegisterAnyRet(driver.events.register(caller, args.eventID, pool))


def _deregister(driver: StorageDriver, caller: Caller, args: rpc.ConnectStoragePoolEventDeregisterAnyArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


TABLE: dict[Procedure, Handler[StorageDriver]] = {
    rpc.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: read(_register),
    rpc.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: read(_deregister),
}
