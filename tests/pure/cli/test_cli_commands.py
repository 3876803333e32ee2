"""The parts of commands that need no daemon: what they make of words, documents and messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guesthouse.cli.commands.domain_console import escape_byte
from guesthouse.cli.commands.domain_event import LIFECYCLE, NAMES, text
from guesthouse.cli.commands.domain_screen import keycode
from guesthouse.cli.commands.qemu_passthrough import qmp
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.xmltool import first, parse, picked
from guesthouse.client.connection import Connection
from guesthouse.client.domain import Domain
from guesthouse.client.events import EVENT_OF, DomainEvent, read
from guesthouse.client.transport import UnixTransport
from guesthouse.rpc.client import Message
from guesthouse.rpc.procedures import events as rpc
from guesthouse.rpc.programs import REMOTE
from guesthouse.rpc.types import NonnullDomain, TypedParam

DOCUMENT = "<domain>\n  <name>a</name>\n  <os>\n    <type arch='x'>hvm</type>\n  </os>\n</domain>"
HANDLE = NonnullDomain("web", bytes(16), 3)


@pytest.mark.parametrize(
    ("path", "wrap", "expected"),
    [
        ("//os", False, '<os>\n  <type arch="x">hvm</type>\n</os>\n'),
        ("//name|//type", True, '<nodes>\n  <name>a</name>\n  <type arch="x">hvm</type>\n</nodes>\n'),
        ("//name/text()", False, "a\n"),
        ("//type/@arch", False, ' arch="x"\n'),
        ("//nothing", False, ""),
    ],
)
def test_parts_of_documents(path: str, wrap: bool, expected: str) -> None:
    assert picked(DOCUMENT, path, wrap=wrap) == expected


def test_paths_that_are_none() -> None:
    with pytest.raises(CommandError, match="cannot be evaluated"):
        picked(DOCUMENT, "//[", wrap=False)


def test_a_documents_entities_stay_closed(tmp_path: object) -> None:
    root = parse("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>")
    assert first(root, "b") == ""
    assert "root" not in (root.text or "")


def test_files_end_at_the_first_nul(tmp_path: object) -> None:
    path = f"{tmp_path}/a"
    with open(path, "wb") as stream:
        stream.write(b"<a/>\0rest")
    assert read_document(path) == "<a/>"
    with pytest.raises(CommandError, match="Failed to open file '/nonexistent': No such file or directory"):
        read_document("/nonexistent")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["query-status"], '{"execute":"query-status"}'),
        (['{"execute":"x"}'], '{"execute":"x"}'),
        (["x", '{"a":1}'], '{"execute":"x","arguments":{"a":1}}'),
        (["x", '"a":1', '"b":"c"'], '{"execute":"x","arguments":{"a":1,"b":"c"}}'),
    ],
)
def test_monitor_commands(words: list[str], expected: str) -> None:
    assert qmp(words) == expected


def test_monitor_commands_that_are_none() -> None:
    with pytest.raises(CommandError, match="failed to wrap arguments 'a b' into a QMP command wrapper"):
        qmp(["x", "a", "b"])


@pytest.mark.parametrize(
    ("codeset", "word", "code"),
    [("linux", "KEY_A", 30), ("linux", "30", 30), ("usb", "0x10", 16), ("linux", "010", 8), ("win32", "VK_RETURN", 13)],
)
def test_keys(codeset: str, word: str, code: int) -> None:
    assert keycode(codeset, word) == code


@pytest.mark.parametrize(
    ("codeset", "word"), [("linux", "KEY_FOO"), ("usb", "KEY_A"), ("linux", "65536"), ("linux", "-1")]
)
def test_keys_that_are_none(codeset: str, word: str) -> None:
    with pytest.raises(CommandError, match=f"invalid keycode: '{word}'"):
        keycode(codeset, word)


@pytest.mark.parametrize(("escape", "byte"), [("^]", b"\x1d"), ("^a", b"\x01"), ("x", b"x"), ("^_", b"\x1f")])
def test_escapes(escape: str, byte: bytes) -> None:
    assert escape_byte(escape) == byte


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection that is never used: events only remember it."""
    import _socket

    unused = Connection(UnixTransport(_socket.socket(_socket.AF_UNIX)))
    yield unused
    unused.drop()


def event(connection: Connection, name: str, **fields: object) -> str:
    return text(DomainEvent(NAMES.index(name), 1, Domain(connection, HANDLE), fields))


def test_events_as_text(connection: Connection) -> None:
    assert event(connection, "lifecycle", event=2, detail=0) == "event 'lifecycle' for domain 'web': Started Booted\n"
    assert event(connection, "lifecycle", event=99, detail=0) == "event 'lifecycle' for domain 'web': unknown unknown\n"
    assert event(connection, "reboot") == "event 'reboot' for domain 'web'\n"
    assert event(connection, "rtc-change", offset=-3) == "event 'rtc-change' for domain 'web': -3\n"
    assert event(connection, "watchdog", action=2) == "event 'watchdog' for domain 'web': reset\n"
    assert event(connection, "tray-change", devAlias="sr0", reason=0) == (
        "event 'tray-change' for domain 'web' disk sr0: opened\n"
    )
    assert event(connection, "io-error-reason", srcPath="/a", devAlias="v", action=1, reason="enospc") == (
        "event 'io-error' for domain 'web': /a (v) pause due to enospc\n"
    )
    assert event(connection, "disk-change", oldSrcPath=None, newSrcPath="/b", devAlias="sr0", reason=0) == (
        "event 'disk-change' for domain 'web' disk sr0: <null> -> /b: changed\n"
    )
    assert event(connection, "job-completed", params=[TypedParam("operation", 1, 2)]) == (
        "event 'job-completed' for domain 'web':\n\toperation: 2\n"
    )
    assert event(connection, "agent-lifecycle", state=1, reason=2) == (
        "event 'agent-lifecycle' for domain 'web': state: 'connected' reason: 'channel event'\n"
    )
    assert event(connection, "memory-failure", recipient=1, action=2, flags=1) == (
        "event 'memory-failure' for domain 'web':\nrecipient: guest\naction: fatal\n"
        "flags:\n\taction required: 1\n\trecursive: 0\n"
    )


def test_every_event_has_its_message() -> None:
    assert sorted(EVENT_OF.values()) == list(range(len(NAMES)))
    for number in EVENT_OF:
        procedure = REMOTE.lookup(number)
        assert procedure is not None
        assert procedure.kind == "event", procedure


def test_messages_become_events(connection: Connection) -> None:
    body = rpc.DomainEventCallbackLifecycleMsg(7, rpc.DomainEventLifecycleMsg(HANDLE, 5, 1))
    found = read(connection, Message(rpc.DOMAIN_EVENT_CALLBACK_LIFECYCLE, body))
    assert found is not None
    assert (found.number, found.registration, found.domain.name) == (0, 7, "web")
    assert text(found) == "event 'lifecycle' for domain 'web': Stopped Destroyed\n"
    assert len(LIFECYCLE) == 9
    close = rpc.ConnectEventConnectionClosedMsg(1)
    assert read(connection, Message(rpc.CONNECT_EVENT_CONNECTION_CLOSED, close)) is None
