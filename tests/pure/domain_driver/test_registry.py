"""Guests by name, UUID and id; filters of listings; registrations for events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guesthouse.drivers.domain import filters
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.events import Events
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.registry import Registry
from guesthouse.drivers.domain.states import Cause, Happening, Notice
from guesthouse.errors import InternalError, NoSuchDomainError, OperationFailedError, OperationInvalidError
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import parse_domain
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.xdr import Struct


def definition(name: str, number: int) -> Domain:
    uuid = f"00000000-0000-4000-8000-{number:012}"
    return parse_domain(
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory>1</memory>"
        "<os><type>hvm</type></os></domain>"
    )


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    for number, name in enumerate(("a", "b", "c"), 1):
        made.add(Guest(definition(name, number), persistent=name != "c"))
    return made


def test_lookups(registry: Registry) -> None:
    guest = registry.named("b")
    assert registry.with_uuid(guest.uuid) is guest
    registry.activate(guest, registry.next_id())
    assert registry.with_id(1) is guest
    registry.deactivate(guest)
    assert registry.next_id() == 2
    with pytest.raises(NoSuchDomainError, match="Domain not found: no domain with matching name 'x'"):
        registry.named("x")
    with pytest.raises(NoSuchDomainError, match="Domain not found: no domain with matching id 1"):
        registry.with_id(1)
    with pytest.raises(NoSuchDomainError, match=r"no domain with matching uuid '0{8}-.*' \(gone\)"):
        registry.with_uuid(bytes(16), "gone")


def test_names_and_uuids_are_unique(registry: Registry) -> None:
    assert registry.match(definition("a", 1)) is registry.named("a")
    assert registry.match(definition("d", 4)) is None
    with pytest.raises(OperationFailedError, match="domain 'a' already exists with uuid 0"):
        registry.match(definition("a", 9))
    with pytest.raises(OperationFailedError, match="domain 'a' is already defined with uuid 0"):
        registry.match(definition("z", 1))


def test_rename(registry: Registry) -> None:
    guest = registry.named("a")
    with pytest.raises(OperationInvalidError, match="domain with name 'b' already exists"):
        registry.rename(guest, "b")
    registry.rename(guest, "z")
    assert registry.named("z") is guest
    assert "a" not in registry.by_name


def test_filters(registry: Registry) -> None:
    guest = registry.named("a")
    registry.activate(guest, 1)
    guest.turn(Cause.LAUNCH)
    guest.turn(Cause.BOOT)
    guest.autostart = True

    def names(flags: int) -> str:
        return "".join(found.name for found in filters.select(registry, flags))

    assert names(0) == names(3) == names(0xFFFF) == "abc"
    assert names(filters.ACTIVE) == names(16) == names(1024) == "a"
    assert names(filters.INACTIVE) == names(64) == names(2048) == "bc"
    assert (names(4), names(8), names(32), names(128)) == ("ab", "c", "", "")
    assert (names(256), names(512), names(4096), names(8192)) == ("", "abc", "", "abc")
    assert names(filters.ACTIVE | 8) == ""


class FakeCaller:
    """A client that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Struct]] = []
        self.closing: list[Callable[[], None]] = []

    def send_message(self, procedure: Procedure, message: Struct | None) -> None:
        assert message is not None
        self.got.append((procedure.name, message))

    def when_closed(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.closing.append(callback)
        return lambda: self.closing.remove(callback)


def test_events_reach_who_wants_them(registry: Registry) -> None:
    events, one, other = Events(), FakeCaller(), FakeCaller()
    a, b = registry.named("a"), registry.named("b")
    number = events.register(one, EventId.LIFECYCLE, a)  # type: ignore[arg-type]
    events.register(other, EventId.LIFECYCLE, None, numbered=False)  # type: ignore[arg-type]
    for guest in (a, b):
        events.lifecycle(guest, Notice.of(Happening.STARTED, "booted"))
    events.publish(EventId.REBOOT, a)
    assert [name for name, _ in one.got] == ["DOMAIN_EVENT_CALLBACK_LIFECYCLE"]
    assert [name for name, _ in other.got] == ["DOMAIN_EVENT_LIFECYCLE"] * 2
    for _, message in one.got + other.got:
        assert type(message).decode(message.encode()) == message
    events.deregister(one, number)  # type: ignore[arg-type]
    assert one.closing == []
    with pytest.raises(InternalError, match="not registered"):
        events.deregister(one, number)  # type: ignore[arg-type]
    other.closing[0]()
    events.lifecycle(a, Notice.of(Happening.STARTED, "booted"))
    assert len(other.got) == 2


VALUES: dict[EventId, tuple[object, ...]] = {
    EventId.REBOOT: (),
    EventId.RTC_CHANGE: (7,),
    EventId.WATCHDOG: (1,),
    EventId.IO_ERROR: ("/img", "virtio-disk0", 1),
    EventId.IO_ERROR_REASON: ("/img", "virtio-disk0", 1, "enospc"),
    EventId.TRAY_CHANGE: ("ide0-0-0", 0),
    EventId.PMWAKEUP: (),
    EventId.PMSUSPEND: (),
    EventId.PMSUSPEND_DISK: (),
    EventId.BALLOON_CHANGE: (1024,),
    EventId.DEVICE_REMOVED: ("net0",),
    EventId.AGENT_LIFECYCLE: (1, 2),
    EventId.DEVICE_REMOVAL_FAILED: ("net0",),
    EventId.METADATA_CHANGE: (2, "http://x"),
}


@pytest.mark.parametrize("event", VALUES)
def test_every_event_can_be_sent(registry: Registry, event: EventId) -> None:
    events, caller = Events(), FakeCaller()
    events.register(caller, event, None)  # type: ignore[arg-type]
    events.publish(event, registry.named("a"), *VALUES[event])
    ((_, message),) = caller.got
    assert type(message).decode(message.encode()) == message


def test_every_event_can_be_registered() -> None:
    events = Events()
    numbers = {events.register(FakeCaller(), event, None) for event in EventId}  # type: ignore[arg-type]
    assert len(numbers) == 28
    with pytest.raises(InternalError, match="unsupported event ID 28"):
        events.register(FakeCaller(), 28, None)  # type: ignore[arg-type]
