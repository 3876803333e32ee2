"""The QMP decoder: messages at any boundary, and what it refuses."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.qemu.qmp import DEPTH_LIMIT, Decoder, Event, Failure, Greeting, QmpProtocolError, Reply, encode_command

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian"}, '
    b'"capabilities": ["oob"]}}\r\n'
)
EVENT = b'{"timestamp": {"seconds": 17, "microseconds": 4}, "event": "STOP"}\r\n'
EVENT_WITH_DATA = (
    b'{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "SHUTDOWN", '
    b'"data": {"guest": true, "reason": "guest-reset"}}\r\n'
)
REPLY = b'{"return": {"running": true}, "id": "libvirt-3"}\r\n'
FAILURE = b'{"id": "libvirt-4", "error": {"class": "CommandNotFound", "desc": "The command x has not been found"}}\r\n'

CONVERSATION = GREETING + REPLY + EVENT + FAILURE + EVENT_WITH_DATA

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_conversation() -> None:
    messages = Decoder().feed(CONVERSATION)
    assert messages[0] == Greeting((10, 0, 2), "Debian", ("oob",))
    assert messages[1] == Reply("libvirt-3", {"running": True}, json.loads(REPLY))
    assert messages[2] == Event("STOP", {}, 17, 4)
    assert isinstance(messages[3], Failure)
    assert (messages[3].class_, messages[3].desc) == ("CommandNotFound", "The command x has not been found")
    assert messages[4] == Event("SHUTDOWN", {"guest": True, "reason": "guest-reset"}, -1, -1)


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_any_boundaries(cuts: list[int]) -> None:
    decoder = Decoder()
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    messages = [
        message for start, end in itertools.pairwise(edges) for message in decoder.feed(CONVERSATION[start:end])
    ]
    assert messages == Decoder().feed(CONVERSATION)


def test_byte_by_byte() -> None:
    decoder = Decoder()
    messages = [message for byte in CONVERSATION for message in decoder.feed(bytes([byte]))]
    assert len(messages) == 5


@given(json_values)
def test_values_arrive_whole(value: object) -> None:
    line = json.dumps({"return": value, "id": "libvirt-1"}).encode() + b"\r\n"
    (message,) = Decoder().feed(line)
    assert isinstance(message, Reply)
    assert message.value == value


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waits(data: bytes) -> None:
    decoder = Decoder()
    try:
        messages = decoder.feed(data)
    except QmpProtocolError:
        return
    assert all(isinstance(message, Greeting | Reply | Failure | Event) for message in messages)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"hello\n", "Unexpected JSON reply 'hello'"),
        (b"[1, 2]\n", "isn't an object"),
        (b'{"x": 1}\n', "Unknown JSON reply"),
        (b'{"QMP": {}}\n', "names no version"),
        (b"\xff\xfe\n", "Unexpected JSON reply"),
        (b'{"return": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", "nested deeper"),
        (b'{"return": ' + b'{"\\"[":[' * 300 + b"]}" * 300 + b"}\n", "nested deeper"),
    ],
)
def test_refused(line: bytes, complaint: str) -> None:
    with pytest.raises(QmpProtocolError, match=complaint):
        Decoder().feed(line)


def test_depth_limit_counts_structure_not_text() -> None:
    brackets = "[{" * (DEPTH_LIMIT * 2) + '\\"'
    line = json.dumps({"return": {"text": brackets, "wide": [[] for _ in range(DEPTH_LIMIT * 2)]}}).encode() + b"\n"
    (message,) = Decoder().feed(line)
    assert isinstance(message, Reply)


@pytest.mark.parametrize("ended", [True, False])
def test_length_limit(ended: bool) -> None:
    decoder = Decoder(limit=100)
    with pytest.raises(QmpProtocolError, match=r"exceeds buffer size \(100 bytes\)"):
        decoder.feed(b'{"return": "' + b"x" * 200 + (b'"}\r\n' if ended else b""))


def test_length_limit_is_per_message() -> None:
    decoder = Decoder(limit=200)
    assert len([message for _ in range(100) for message in decoder.feed(EVENT + EVENT)]) == 200


@given(st.dictionaries(st.text(), json_values, max_size=3), st.text(min_size=1))
def test_commands_are_one_line_of_ascii(arguments: dict[str, object], name: str) -> None:
    line = encode_command(name, arguments, "libvirt-9")  # type: ignore[arg-type]  # what Hypothesis made is JSON
    assert line.endswith(b"\r\n")
    assert b"\n" not in line[:-2]
    assert line.isascii()
    expected = {"execute": name, "id": "libvirt-9"} | ({"arguments": arguments} if arguments else {})
    assert json.loads(line) == expected
