"""Who wants to hear of which networks, and the messages that tell them.

A client registers for one event of one network or of all, and gets a callback id, which every message repeats.
Registrations end with their connection.

Source: https://libvirt.org/html/libvirt-libvirt-network.html#virConnectNetworkEventRegisterAny
"""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.api import Caller
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import InternalError, Origin
from guesthouse.rpc.procedures import events_objects as wire
from guesthouse.rpc.types import NonnullNetwork

#: `virNetworkEventID`.
LIFECYCLE: Final = 0
METADATA_CHANGE: Final = 1

#: `virNetworkEventLifecycleType`.
DEFINED: Final = 0
UNDEFINED: Final = 1
STARTED: Final = 2
STOPPED: Final = 3


@dataclass(frozen=True, slots=True)
class _Wish:
    """One registration: `network` is a UUID, None for all. `forget` takes the notice of the connection's end back."""

    caller: Caller
    event: int
    network: bytes | None
    forget: Callable[[], None]


class Events:
    """All registrations of all clients."""

    def __init__(self) -> None:
        self._wishes: dict[int, _Wish] = {}
        self._last = -1

    def register(self, caller: Caller, event: int, network: bytes | None) -> int:
        """Register for an event, of the network with this UUID or of all. Returns the callback id.

        Raises `InternalError` for an unknown event.
        """
        if event not in (LIFECYCLE, METADATA_CHANGE):
            raise InternalError(f"unsupported network event ID {event}", domain=Origin.RPC)
        self._last += 1
        number = self._last
        forget = caller.when_closed(lambda: self._drop(number))
        self._wishes[number] = _Wish(caller, event, network, forget)
        return number

    def deregister(self, caller: Caller, number: int) -> None:
        """Take a registration back. Raises `InternalError` for an id that this client does not have."""
        wish = self._wishes.get(number)
        if wish is None or wish.caller != caller:
            raise InternalError(f"network event callback {number} not registered", domain=Origin.RPC)
        self._drop(number)
        wish.forget()

    def lifecycle(self, network: VirtualNetwork, what: int) -> None:
        """Tell that a network was defined, undefined, started or stopped."""
        handle = handle_of(network)
        for number, wish in self._wanting(LIFECYCLE, handle.uuid):
            message = wire.NetworkEventLifecycleMsg(number, handle, what, 0)
            wish.caller.send_message(wire.NETWORK_EVENT_LIFECYCLE, message)

    def metadata_changed(self, network: VirtualNetwork, kind: int, uri: str | None) -> None:
        """Tell that a title, a description or a document of a namespace was changed."""
        handle = handle_of(network)
        for number, wish in self._wanting(METADATA_CHANGE, handle.uuid):
            message = wire.NetworkEventCallbackMetadataChangeMsg(number, handle, kind, uri)
            wish.caller.send_message(wire.NETWORK_EVENT_CALLBACK_METADATA_CHANGE, message)

    def _wanting(self, event: int, uuid: bytes) -> list[tuple[int, _Wish]]:
        return [
            (number, wish)
            for number, wish in self._wishes.items()
            if wish.event == event and wish.network in (None, uuid)
        ]

    def _drop(self, number: int) -> None:
        self._wishes.pop(number, None)


def handle_of(network: VirtualNetwork) -> NonnullNetwork:
    """The network's name on the wire."""
    return NonnullNetwork(network.name, _uuid.UUID(network.uuid).bytes)
