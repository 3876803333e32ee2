"""QEMU's own events: asking for them, and reading the messages that come.

Source: libvirt's `qemu_protocol.x`, `virConnectDomainQemuMonitorEventRegister`.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import qemu as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.client import Message


class MonitorEvent:
    """One event: its name, the guest's name, when it came about, and what it says as JSON."""

    __slots__ = ("details", "domain", "microseconds", "name", "seconds")

    def __init__(self, name: str, domain: str, seconds: int, microseconds: int, details: str | None) -> None:
        self.name = name
        self.domain = domain
        self.seconds = seconds
        self.microseconds = microseconds
        self.details = details


def register(connection: Connection, domain: Domain | None, name: str | None, flags: int) -> int:
    """Ask for events (1: the name is a regular expression, 2: in any case); returns the registration's number."""
    args = rpc.ConnectDomainMonitorEventRegisterArgs(domain.handle if domain else None, name, flags)
    ret = connection.ask(rpc.ConnectDomainMonitorEventRegisterRet, rpc.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, args)
    return ret.callbackID


def deregister(connection: Connection, number: int) -> None:
    """Ask for them no longer."""
    args = rpc.ConnectDomainMonitorEventDeregisterArgs(number)
    connection.call(rpc.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER, args)


def read(message: Message) -> MonitorEvent | None:
    """What a message says; None where it is about something else."""
    found = message.message
    if not isinstance(found, rpc.DomainMonitorEventMsg):
        return None
    return MonitorEvent(found.event, found.dom.name, found.seconds, found.micros, found.details)
