"""The agent's protocol: synchronisation at any boundary, and what is dropped or refused."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.qemu.agent_protocol import AgentDecoder, AgentProtocolError, encode_agent_command, encode_sync
from guesthouse.qemu.agent_reports import GuestAddress, GuestInterface, filesystems, interfaces
from guesthouse.qemu.json_value import Json, UnexpectedJsonError

LEFTOVERS = b'{"return": {"half": [1, 2'
STREAM = LEFTOVERS + b'\xff{"return": 7}\n{"return": {}}\n\n{"error": {"class": "X", "desc": "y"}}\n'
REPLIES = [{"return": 7}, {"return": {}}, {"error": {"class": "X", "desc": "y"}}]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_boundaries(cuts: list[int]) -> None:
    decoder = AgentDecoder()
    edges = [0, *sorted(cuts), len(STREAM)]
    assert [r for start, end in itertools.pairwise(edges) for r in decoder.feed(STREAM[start:end])] == REPLIES


@given(st.binary(max_size=300))
def test_after_any_garbage_a_synchronisation_is_understood(garbage: bytes) -> None:
    decoder = AgentDecoder()
    with contextlib.suppress(AgentProtocolError):
        decoder.feed(garbage)
    assert decoder.feed(b'\xff{"return": 7}\n') == [{"return": 7}]


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b"\x80\n", b'{"return": ' + b"[" * 3000 + b"\n"])
def test_refused(line: bytes) -> None:
    with pytest.raises(AgentProtocolError):
        AgentDecoder().feed(line)


@pytest.mark.parametrize("end", [b"", b'"}\n'])
def test_length_limit(end: bytes) -> None:
    decoder = AgentDecoder(limit=64)
    with pytest.raises(AgentProtocolError, match="exceeds buffer size"):
        decoder.feed(b'{"return": "' + b"x" * 100 + end)
    assert decoder.feed(b'{"return": 1}\n') == [{"return": 1}]


def test_commands() -> None:
    sync = encode_sync(7)
    assert sync[0] == 0xFF
    assert json.loads(sync[1:]) == {"execute": "guest-sync-delimited", "arguments": {"id": 7}}
    assert encode_agent_command("guest-ping", None) == b'{"execute":"guest-ping"}\n'
    assert b"\xff" not in encode_agent_command("guest-exec", {"path": "\xff"})


def test_interfaces() -> None:
    answer: Json = [
        {
            "name": "lo",
            "ip-addresses": [
                {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8},
                {"ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128},
            ],
        },
        {"name": "eth0", "hardware-address": "52:54:00:01:02:03", "statistics": {}},
    ]
    assert interfaces(answer) == [
        GuestInterface("lo", "", (GuestAddress(4, "127.0.0.1", 8), GuestAddress(6, "::1", 128))),
        GuestInterface("eth0", "52:54:00:01:02:03", ()),
    ]


def test_filesystems() -> None:
    (found,) = filesystems(
        [
            {
                "name": "vda1",
                "mountpoint": "/",
                "type": "ext4",
                "total-bytes": 1000,
                "disk": [{"bus-type": "virtio", "pci-controller": {"domain": 0, "bus": 4, "slot": 0, "function": 0}}],
            }
        ]
    )
    assert (found.total, found.used) == (1000, None)
    assert found.disks[0].pci == (0, 4, 0, 0)
    assert (found.disks[0].bus, found.disks[0].target) == (-1, -1)


@pytest.mark.parametrize("answer", [None, 3, {"x": 1}, [3], [{"ip-addresses": 3}], [{"ip-addresses": [{}]}]])
def test_reports_of_a_hostile_guest(answer: Json) -> None:
    with pytest.raises(UnexpectedJsonError):
        interfaces(answer)
