"""Who wants to hear of which devices, and the messages that tell them.

A client registers for one event of one device or of all, and gets a callback id, which every message repeats.
Registrations end with their connection.

Source: https://libvirt.org/html/libvirt-libvirt-nodedev.html#virConnectNodeDeviceEventRegisterAny
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.api import Caller
from guesthouse.errors import InternalError, Origin
from guesthouse.rpc.procedures import events_objects as wire
from guesthouse.rpc.types import NonnullNodeDevice

#: `virNodeDeviceEventID`.
LIFECYCLE: Final = 0
UPDATE: Final = 1

#: `virNodeDeviceEventLifecycleType`.
CREATED: Final = 0
DELETED: Final = 1


@dataclass(frozen=True, slots=True)
class _Wish:
    """One registration: `device` is a name, None for all. `forget` takes the notice of the connection's end back."""

    caller: Caller
    event: int
    device: str | None
    forget: Callable[[], None]


class Events:
    """All registrations of all clients."""

    def __init__(self) -> None:
        self._wishes: dict[int, _Wish] = {}
        self._last = -1

    def __bool__(self) -> bool:
        """Whether anybody wants to hear."""
        return bool(self._wishes)

    def register(self, caller: Caller, event: int, device: str | None) -> int:
        """Register for an event, of the device of this name or of all. Returns the callback id.

        Raises `InternalError` for an unknown event.
        """
        if event not in (LIFECYCLE, UPDATE):
            raise InternalError(f"unsupported node device event ID {event}", domain=Origin.RPC)
        self._last += 1
        number = self._last
        forget = caller.when_closed(lambda: self._drop(number))
        self._wishes[number] = _Wish(caller, event, device, forget)
        return number

    def deregister(self, caller: Caller, number: int) -> None:
        """Take a registration back. Raises `InternalError` for an id that this client does not have."""
        wish = self._wishes.get(number)
        if wish is None or wish.caller != caller:
            raise InternalError(f"node device event callback {number} not registered", domain=Origin.RPC)
        self._drop(number)
        wish.forget()

    def lifecycle(self, name: str, what: int) -> None:
        """Tell that a device has come or gone."""
        for number, wish in self._wanting(LIFECYCLE, name):
            message = wire.NodeDeviceEventLifecycleMsg(number, NonnullNodeDevice(name), what, 0)
            wish.caller.send_message(wire.NODE_DEVICE_EVENT_LIFECYCLE, message)

    def update(self, name: str) -> None:
        """Tell that a device is not what it was."""
        for number, wish in self._wanting(UPDATE, name):
            message = wire.NodeDeviceEventUpdateMsg(number, NonnullNodeDevice(name))
            wish.caller.send_message(wire.NODE_DEVICE_EVENT_UPDATE, message)

    def _wanting(self, event: int, name: str) -> list[tuple[int, _Wish]]:
        return [
            (number, wish)
            for number, wish in self._wishes.items()
            if wish.event == event and wish.device in (None, name)
        ]

    def _drop(self, number: int) -> None:
        self._wishes.pop(number, None)
