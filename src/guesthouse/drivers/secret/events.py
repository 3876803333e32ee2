"""Who wants to hear of which secrets, and the messages that tell them.

A client registers for one event of one secret or of all, and gets a callback id, which every message repeats.
Registrations end with their connection.

Source: https://libvirt.org/html/libvirt-libvirt-secret.html#virConnectSecretEventRegisterAny
"""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.api import Caller
from guesthouse.drivers.secret.registry import StoredSecret
from guesthouse.errors import InternalError, Origin
from guesthouse.rpc.procedures import events_objects as wire
from guesthouse.rpc.types import NonnullSecret

#: `virSecretEventID`.
LIFECYCLE: Final = 0
VALUE_CHANGED: Final = 1

#: `virSecretEventLifecycleType`.
DEFINED: Final = 0
UNDEFINED: Final = 1


@dataclass(frozen=True, slots=True)
class _Wish:
    """One registration: `secret` is a UUID, None for all. `forget` takes the notice of the connection's end back."""

    caller: Caller
    event: int
    secret: bytes | None
    forget: Callable[[], None]


class Events:
    """All registrations of all clients."""

    def __init__(self) -> None:
        self._wishes: dict[int, _Wish] = {}
        self._last = -1

    def register(self, caller: Caller, event: int, secret: bytes | None) -> int:
        """Register for an event, of the secret with this UUID or of all. Returns the callback id.

        Raises `InternalError` for an unknown event.
        """
        if event not in (LIFECYCLE, VALUE_CHANGED):
            raise InternalError(f"unsupported secret event ID {event}", domain=Origin.RPC)
        self._last += 1
        number = self._last
        forget = caller.when_closed(lambda: self._drop(number))
        self._wishes[number] = _Wish(caller, event, secret, forget)
        return number

    def deregister(self, caller: Caller, number: int) -> None:
        """Take a registration back. Raises `InternalError` for an id that this client does not have."""
        wish = self._wishes.get(number)
        if wish is None or wish.caller != caller:
            raise InternalError(f"secret event callback {number} not registered", domain=Origin.RPC)
        self._drop(number)
        wish.forget()

    def lifecycle(self, secret: StoredSecret, what: int) -> None:
        """Tell that a secret was defined or undefined."""
        handle = handle_of(secret)
        for number, wish in self._wanting(LIFECYCLE, handle.uuid):
            message = wire.SecretEventLifecycleMsg(number, handle, what, 0)
            wish.caller.send_message(wire.SECRET_EVENT_LIFECYCLE, message)

    def value_changed(self, secret: StoredSecret) -> None:
        """Tell that a secret has another value."""
        handle = handle_of(secret)
        for number, wish in self._wanting(VALUE_CHANGED, handle.uuid):
            message = wire.SecretEventValueChangedMsg(number, handle)
            wish.caller.send_message(wire.SECRET_EVENT_VALUE_CHANGED, message)

    def _wanting(self, event: int, uuid: bytes) -> list[tuple[int, _Wish]]:
        return [
            (number, wish)
            for number, wish in self._wishes.items()
            if wish.event == event and wish.secret in (None, uuid)
        ]

    def _drop(self, number: int) -> None:
        self._wishes.pop(number, None)


def handle_of(secret: StoredSecret) -> NonnullSecret:
    """The secret's name on the wire."""
    definition = secret.definition
    return NonnullSecret(_uuid.UUID(secret.uuid).bytes, definition.usage_type, definition.usage_id)
