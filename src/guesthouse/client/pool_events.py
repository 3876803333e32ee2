"""Events about storage pools: asking for them, and reading the messages that come.

The numbers are libvirt's `virStoragePoolEventID` (https://libvirt.org/html/libvirt-libvirt-storage.html).
"""

from __future__ import annotations

from guesthouse.client.pools import Pool
from guesthouse.rpc.procedures import events_objects as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import Message

LIFECYCLE, REFRESH = range(2)


class PoolEvent:
    """One event: its number, the pool, and for `LIFECYCLE` what happened (`virStoragePoolEventLifecycleType`)."""

    __slots__ = ("happened", "number", "pool")

    def __init__(self, number: int, pool: Pool, happened: int | None = None) -> None:
        self.number = number
        self.pool = pool
        self.happened = happened


def register(connection: Connection, number: int, pool: Pool | None) -> int:
    """Ask for an event, of one pool or of all; returns the number of the registration."""
    args = rpc.ConnectStoragePoolEventRegisterAnyArgs(number, pool.handle if pool else None)
    ret = connection.ask(rpc.ConnectStoragePoolEventRegisterAnyRet, rpc.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, args)
    return ret.callbackID


def deregister(connection: Connection, registration: int) -> None:
    """Ask for it no longer."""
    args = rpc.ConnectStoragePoolEventDeregisterAnyArgs(registration)
    connection.call(rpc.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, args)


def read(connection: Connection, message: Message) -> PoolEvent | None:
    """What a message says; None where it is about something else."""
    found = message.message
    if isinstance(found, rpc.StoragePoolEventLifecycleMsg):
        return PoolEvent(LIFECYCLE, Pool(connection, found.pool), found.event)
    if isinstance(found, rpc.StoragePoolEventRefreshMsg):
        return PoolEvent(REFRESH, Pool(connection, found.pool))
    return None
