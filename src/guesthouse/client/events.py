"""Events about guests: asking for them, and reading the messages that come.

The numbers are libvirt's `virDomainEventID`; the messages are those of the second generation, which carry the number of
the registration that they are for (https://libvirt.org/html/libvirt-libvirt-domain.html).
"""

from __future__ import annotations

from guesthouse.rpc.procedures import events as rpc
from guesthouse.rpc.types import NonnullDomain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.client import Message

#: Number of the message procedure to number of the event.
EVENT_OF = {
    **{318 + number: number for number in range(16)},
    339: 16,
    346: 17,
    348: 18,
    354: 19,
    359: 20,
    363: 21,
    367: 22,
    379: 23,
    385: 24,
    423: 25,
    438: 26,
    453: 27,
}


class DomainEvent:
    """One event: its number, the guest, and what else the message says, by the protocol's field names."""

    __slots__ = ("domain", "fields", "number", "registration")

    def __init__(self, number: int, registration: int, domain: Domain, fields: dict[str, object]) -> None:
        self.number = number
        self.registration = registration
        self.domain = domain
        self.fields = fields


def register(connection: Connection, number: int, domain: Domain | None) -> int:
    """Ask for an event, of one guest or of all; returns the number of the registration."""
    args = rpc.ConnectDomainEventCallbackRegisterAnyArgs(number, domain.handle if domain else None)
    ret = connection.ask(
        rpc.ConnectDomainEventCallbackRegisterAnyRet, rpc.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args
    )
    return ret.callbackID


def deregister(connection: Connection, registration: int) -> None:
    """Ask for it no longer."""
    args = rpc.ConnectDomainEventCallbackDeregisterAnyArgs(registration)
    connection.call(rpc.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, args)


def read(connection: Connection, message: Message) -> DomainEvent | None:
    """What a message says; None where it is about something else."""
    number = EVENT_OF.get(message.procedure.number)
    if number is None or message.message is None:
        return None
    outer = message.message
    fields = {name: getattr(outer, name) for name in type(outer).fields}
    inner = fields.pop("msg", None)
    if inner is not None:
        fields.update({name: getattr(inner, name) for name in type(inner).fields})
    registration, handle = fields.pop("callbackID", -1), fields.pop("dom", None)
    if not isinstance(handle, NonnullDomain):
        return None
    return DomainEvent(number, registration, connection.domain(handle), fields)
