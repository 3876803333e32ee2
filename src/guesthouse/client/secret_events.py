"""Events about secrets: asking for them, and reading the messages that come.

The numbers are libvirt's `virSecretEventID` (https://libvirt.org/html/libvirt-libvirt-secret.html).
"""

from __future__ import annotations

from guesthouse.client.secret import Secret
from guesthouse.rpc.procedures import events_objects as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import Message

LIFECYCLE, VALUE_CHANGED = range(2)


class SecretEvent:
    """One event: its number, the secret, and for `LIFECYCLE` what happened (`virSecretEventLifecycleType`)."""

    __slots__ = ("happened", "number", "secret")

    def __init__(self, number: int, secret: Secret, happened: int = -1) -> None:
        self.number = number
        self.secret = secret
        self.happened = happened


def register(connection: Connection, number: int, secret: Secret | None) -> int:
    """Ask for an event, of one secret or of all; returns the number of the registration."""
    args = rpc.ConnectSecretEventRegisterAnyArgs(number, secret.handle if secret else None)
    ret = connection.ask(rpc.ConnectSecretEventRegisterAnyRet, rpc.CONNECT_SECRET_EVENT_REGISTER_ANY, args)
    return ret.callbackID


def deregister(connection: Connection, registration: int) -> None:
    """Ask for it no longer."""
    args = rpc.ConnectSecretEventDeregisterAnyArgs(registration)
    connection.call(rpc.CONNECT_SECRET_EVENT_DEREGISTER_ANY, args)


def read(connection: Connection, message: Message) -> SecretEvent | None:
    """What a message says; None where it is about something else."""
    found = message.message
    if isinstance(found, rpc.SecretEventLifecycleMsg):
        return SecretEvent(LIFECYCLE, Secret(connection, found.secret), found.event)
    if isinstance(found, rpc.SecretEventValueChangedMsg):
        return SecretEvent(VALUE_CHANGED, Secret(connection, found.secret))
    return None
