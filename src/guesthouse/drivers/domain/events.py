"""Who wants to hear of which events, and the messages that tell them.

A client registers for one event of one guest or of all (generation 2: it gets a callback id, which every message
repeats), or for one event of all guests (generation 1, ids up to 15). Registrations end with their connection.

Source: libvirt's `remote_protocol.x`; https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectDomainEventRegisterAny
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from guesthouse.drivers.api import Caller
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.states import Notice
from guesthouse.drivers.domain.typed import Param
from guesthouse.errors import InternalError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events as wire
from guesthouse.rpc.procedures import events_generation1 as old
from guesthouse.rpc.procedures import qemu as qemu_wire
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Struct, StructType

#: Messages of generation 2 that hold the message of generation 1 after the callback id.
_NESTED: dict[EventId, tuple[Procedure, Procedure]] = {
    EventId.LIFECYCLE: (wire.DOMAIN_EVENT_CALLBACK_LIFECYCLE, old.DOMAIN_EVENT_LIFECYCLE),
    EventId.REBOOT: (wire.DOMAIN_EVENT_CALLBACK_REBOOT, old.DOMAIN_EVENT_REBOOT),
    EventId.RTC_CHANGE: (wire.DOMAIN_EVENT_CALLBACK_RTC_CHANGE, old.DOMAIN_EVENT_RTC_CHANGE),
    EventId.WATCHDOG: (wire.DOMAIN_EVENT_CALLBACK_WATCHDOG, old.DOMAIN_EVENT_WATCHDOG),
    EventId.IO_ERROR: (wire.DOMAIN_EVENT_CALLBACK_IO_ERROR, old.DOMAIN_EVENT_IO_ERROR),
    EventId.GRAPHICS: (wire.DOMAIN_EVENT_CALLBACK_GRAPHICS, old.DOMAIN_EVENT_GRAPHICS),
    EventId.IO_ERROR_REASON: (wire.DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON, old.DOMAIN_EVENT_IO_ERROR_REASON),
    EventId.CONTROL_ERROR: (wire.DOMAIN_EVENT_CALLBACK_CONTROL_ERROR, old.DOMAIN_EVENT_CONTROL_ERROR),
    EventId.BLOCK_JOB: (wire.DOMAIN_EVENT_CALLBACK_BLOCK_JOB, old.DOMAIN_EVENT_BLOCK_JOB),
    EventId.DISK_CHANGE: (wire.DOMAIN_EVENT_CALLBACK_DISK_CHANGE, old.DOMAIN_EVENT_DISK_CHANGE),
    EventId.TRAY_CHANGE: (wire.DOMAIN_EVENT_CALLBACK_TRAY_CHANGE, old.DOMAIN_EVENT_TRAY_CHANGE),
    EventId.PMWAKEUP: (wire.DOMAIN_EVENT_CALLBACK_PMWAKEUP, old.DOMAIN_EVENT_PMWAKEUP),
    EventId.PMSUSPEND: (wire.DOMAIN_EVENT_CALLBACK_PMSUSPEND, old.DOMAIN_EVENT_PMSUSPEND),
    EventId.BALLOON_CHANGE: (wire.DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE, old.DOMAIN_EVENT_BALLOON_CHANGE),
    EventId.PMSUSPEND_DISK: (wire.DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK, old.DOMAIN_EVENT_PMSUSPEND_DISK),
    EventId.DEVICE_REMOVED: (wire.DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, old.DOMAIN_EVENT_DEVICE_REMOVED),
}

#: Messages that exist in generation 2 only: callback id, guest, values.
_FLAT: dict[EventId, Procedure] = {
    EventId.BLOCK_JOB_2: wire.DOMAIN_EVENT_BLOCK_JOB_2,
    EventId.TUNABLE: wire.DOMAIN_EVENT_CALLBACK_TUNABLE,
    EventId.AGENT_LIFECYCLE: wire.DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
    EventId.DEVICE_ADDED: wire.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED,
    EventId.MIGRATION_ITERATION: wire.DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION,
    EventId.JOB_COMPLETED: wire.DOMAIN_EVENT_CALLBACK_JOB_COMPLETED,
    EventId.DEVICE_REMOVAL_FAILED: wire.DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED,
    EventId.METADATA_CHANGE: wire.DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
    EventId.BLOCK_THRESHOLD: wire.DOMAIN_EVENT_BLOCK_THRESHOLD,
    EventId.MEMORY_FAILURE: wire.DOMAIN_EVENT_MEMORY_FAILURE,
    EventId.MEMORY_DEVICE_SIZE_CHANGE: wire.DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE,
    EventId.NIC_MAC_CHANGE: wire.DOMAIN_EVENT_NIC_MAC_CHANGE,
}

#: Messages of generation 2 with a reason between the callback id and the message of generation 1.
_REASONED = frozenset({EventId.PMWAKEUP, EventId.PMSUSPEND, EventId.PMSUSPEND_DISK})


@dataclass(frozen=True, slots=True)
class _Registration:
    """One wish: `guest` is a UUID, None for all guests. `number` is the callback id; None in generation 1."""

    caller: Caller
    event: int
    guest: bytes | None
    number: int | None


@dataclass(frozen=True, slots=True)
class _MonitorWish:
    """One wish for QEMU's own events: `name` is None for all of them."""

    caller: Caller
    guest: bytes | None
    matches: Callable[[str], bool]


@dataclass(slots=True)
class _Client:
    """What one connection has registered, by callback id (negative for generation 1), and how to forget it."""

    numbers: set[int] = field(default_factory=set)
    forget: Callable[[], None] = lambda: None


class Events:
    """All registrations of all clients."""

    def __init__(self) -> None:
        self._by_event: dict[int, dict[int, _Registration]] = {event: {} for event in EventId}
        self._monitor: dict[int, _MonitorWish] = {}
        self._clients: dict[Caller, _Client] = {}
        self._last = -1

    def register(self, caller: Caller, event: int, guest: Guest | None, *, numbered: bool = True) -> int:
        """Register for an event. Returns the callback id. Raises `InvalidArgumentError` for an unknown event."""
        wishes = self._by_event.get(event)
        if wishes is None or (not numbered and event > EventId.DEVICE_REMOVED):
            raise InternalError(f"unsupported event ID {event}")
        number = self._next()
        uuid = guest.uuid if guest else None
        wishes[number] = _Registration(caller, event, uuid, number if numbered else None)
        self._client(caller).numbers.add(number)
        return number

    def deregister(self, caller: Caller, number: int) -> None:
        """Take a registration back. Raises `InternalError` for an id that this client does not have."""
        client = self._clients.get(caller)
        if client is None or number not in client.numbers or not self._drop(number):
            raise InternalError(f"domain event callback {number} not registered")
        self._discharge(caller, client, number)

    def deregister_unnumbered(self, caller: Caller, event: int) -> None:
        """Take a registration of generation 1 back. Raises `InternalError` when there is none."""
        for number, wish in self._by_event.get(event, {}).items():
            if wish.caller is caller and wish.number is None:
                self.deregister(caller, number)
                return
        raise InternalError(f"domain event {event} not registered")

    def register_monitor(self, caller: Caller, guest: Guest | None, matches: Callable[[str], bool]) -> int:
        """Register for QEMU's own events whose name `matches`. Returns the callback id."""
        number = self._next()
        self._monitor[number] = _MonitorWish(caller, guest.uuid if guest else None, matches)
        self._client(caller).numbers.add(number)
        return number

    def lifecycle(self, guest: Guest, *notices: Notice, name: str | None = None) -> None:
        """Announce lifecycle events; `name` where the guest was called otherwise."""
        if not self._by_event[EventId.LIFECYCLE]:
            return
        dom = NonnullDomain(guest.name if name is None else name, guest.uuid, guest.id)
        for notice in notices:
            self._send(EventId.LIFECYCLE, dom, (int(notice.happening), notice.detail))

    def publish(self, event: EventId, guest: Guest, *values: object) -> None:
        """Announce any other event."""
        if self._by_event[event]:
            self._send(event, NonnullDomain(guest.name, guest.uuid, guest.id), values)

    def tunable(self, guest: Guest, params: Iterable[Param]) -> None:
        """Announce that limits of a running guest have changed."""
        if self._by_event[EventId.TUNABLE]:
            self.publish(EventId.TUNABLE, guest, [TypedParam(*one) for one in params])

    def graphics(
        self,
        guest: Guest,
        phase: int,
        local: tuple[int, str, str],
        remote: tuple[int, str, str],
        scheme: str,
        subjects: list[tuple[str, str]],
    ) -> None:
        """Announce that a viewer came, was let in, or left; ends are (family, node, service)."""
        ends = [wire.DomainEventGraphicsAddress(*end) for end in (local, remote)]
        identities = [wire.DomainEventGraphicsIdentity(*subject) for subject in subjects]
        self.publish(EventId.GRAPHICS, guest, phase, *ends, scheme, identities)

    def publish_monitor(self, guest: Guest, name: str, seconds: int, micros: int, details: Callable[[], str]) -> None:
        """Announce an event of QEMU's to those who registered for it; `details` is asked only if there are any."""
        if not self._monitor:
            return
        dom = NonnullDomain(guest.name, guest.uuid, guest.id)
        for number, wish in list(self._monitor.items()):
            if (wish.guest is None or wish.guest == guest.uuid) and wish.matches(name):
                message = qemu_wire.DomainMonitorEventMsg(number, dom, name, seconds, max(micros, 0), details())
                wish.caller.send_message(qemu_wire.DOMAIN_MONITOR_EVENT, message)

    def _send(self, event: EventId, dom: NonnullDomain, values: tuple[object, ...]) -> None:
        for wish in list(self._by_event[event].values()):
            if wish.guest is None or wish.guest == dom.uuid:
                procedure, message = _message(event, wish.number, dom, values)
                wish.caller.send_message(procedure, message)

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _client(self, caller: Caller) -> _Client:
        client = self._clients.get(caller)
        if client is None:
            client = self._clients[caller] = _Client()
            client.forget = caller.when_closed(lambda: self._forget(caller))
        return client

    def _forget(self, caller: Caller) -> None:
        client = self._clients.pop(caller, None)
        for number in client.numbers if client else ():
            self._drop(number)

    def _discharge(self, caller: Caller, client: _Client, number: int) -> None:
        client.numbers.discard(number)
        if not client.numbers:
            del self._clients[caller]
            client.forget()

    def _drop(self, number: int) -> bool:
        if self._monitor.pop(number, None) is not None:
            return True
        return any(wishes.pop(number, None) is not None for wishes in self._by_event.values())


def _message(
    event: EventId, number: int | None, dom: NonnullDomain, values: tuple[object, ...]
) -> tuple[Procedure, Struct]:
    """The message for one registration."""
    if event in _FLAT:
        procedure = _FLAT[event]
        return procedure, _struct(procedure)(number, dom, *values)
    numbered, plain = _NESTED[event]
    inner = _struct(plain)(dom, *values)
    if number is None:
        return plain, inner
    return numbered, _struct(numbered)(number, *([0] if event in _REASONED else []), inner)


def _struct(procedure: Procedure) -> StructType:
    if procedure.ret is None:
        raise InternalError(f"{procedure.name} has no message")
    return procedure.ret
