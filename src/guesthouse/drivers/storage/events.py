"""Who wants to hear of which pools, and the messages that tell them.

A client registers for one event of one pool or of all, and gets a callback id, which every message repeats.
Registrations end with their connection.

Source: https://libvirt.org/html/libvirt-libvirt-storage.html#virConnectStoragePoolEventRegisterAny
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.api import Caller
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.errors import InternalError, Origin
from guesthouse.rpc.procedures import events_objects as wire
from guesthouse.rpc.types import NonnullStoragePool

#: `virStoragePoolEventID`.
LIFECYCLE: Final = 0
REFRESH: Final = 1

#: `virStoragePoolEventLifecycleType`.
DEFINED: Final = 0
UNDEFINED: Final = 1
STARTED: Final = 2
STOPPED: Final = 3
CREATED: Final = 4
DELETED: Final = 5


@dataclass(frozen=True, slots=True)
class _Wish:
    """One registration: `pool` is a UUID, None for all. `forget` takes the notice of the connection's end back."""

    caller: Caller
    event: int
    pool: bytes | None
    forget: Callable[[], None]


class Events:
    """All registrations of all clients."""

    def __init__(self) -> None:
        self._wishes: dict[int, _Wish] = {}
        self._last = -1

    def register(self, caller: Caller, event: int, pool: bytes | None) -> int:
        """Register for an event, of the pool with this UUID or of all. Returns the callback id.

        Raises `InternalError` for an unknown event.
        """
        if event not in (LIFECYCLE, REFRESH):
            raise InternalError(f"unsupported storage pool event ID {event}", domain=Origin.RPC)
        self._last += 1
        number = self._last
        forget = caller.when_closed(lambda: self._drop(number))
        self._wishes[number] = _Wish(caller, event, pool, forget)
        return number

    def deregister(self, caller: Caller, number: int) -> None:
        """Take a registration back. Raises `InternalError` for an id that this client does not have."""
        wish = self._wishes.get(number)
        if wish is None or wish.caller != caller:
            raise InternalError(f"storage pool event callback {number} not registered", domain=Origin.RPC)
        self._drop(number)
        wish.forget()

    def lifecycle(self, pool: StoragePool, what: int) -> None:
        """Tell that a pool was defined, undefined, started, stopped, built or deleted."""
        handle = NonnullStoragePool(pool.name, pool.uuid)
        for number, wish in self._wanting(LIFECYCLE, pool.uuid):
            message = wire.StoragePoolEventLifecycleMsg(number, handle, what, 0)
            wish.caller.send_message(wire.STORAGE_POOL_EVENT_LIFECYCLE, message)

    def refreshed(self, pool: StoragePool) -> None:
        """Tell that a pool was looked at anew."""
        handle = NonnullStoragePool(pool.name, pool.uuid)
        for number, wish in self._wanting(REFRESH, pool.uuid):
            message = wire.StoragePoolEventRefreshMsg(number, handle)
            wish.caller.send_message(wire.STORAGE_POOL_EVENT_REFRESH, message)

    def _wanting(self, event: int, uuid: bytes) -> list[tuple[int, _Wish]]:
        return [
            (number, wish) for number, wish in self._wishes.items() if wish.event == event and wish.pool in (None, uuid)
        ]

    def _drop(self, number: int) -> None:
        self._wishes.pop(number, None)
