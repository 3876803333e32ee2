"""Attributes of the routing socket: what is encoded is decoded, in the kernel's layout."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.host import links, netlink

#: Attributes, and the bytes that the kernel's headers ask for.
LAYOUTS = [
    ([(3, "br0")], b"\x08\x00\x03\x00br0\x00"),
    ([(4, 1400)], struct.pack("=HHI", 8, 4, 1400)),
    ([(1, b"\x52\x54\x00\x00\x00\x01")], b"\x0a\x00\x01\x00\x52\x54\x00\x00\x00\x01\x00\x00"),
    ([(18, [(1, "macvtap")])], struct.pack("=HHHH", 16, 18 | 0x8000, 12, 1) + b"macvtap\0"),
]


@pytest.mark.parametrize(("attributes", "encoded"), LAYOUTS)
def test_layout(attributes: netlink.Attributes, encoded: bytes) -> None:
    assert netlink.encode_attributes(attributes) == encoded


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_what_is_encoded_is_decoded(values: dict[int, bytes]) -> None:
    encoded = netlink.encode_attributes(list(values.items()))
    assert len(encoded) % 4 == 0
    assert netlink.decode_attributes(encoded) == values


@given(st.binary(max_size=64))
def test_any_bytes_are_decoded_to_something(data: bytes) -> None:
    for value in netlink.decode_attributes(data).values():
        assert len(value) <= len(data)


def test_texts_end_with_a_zero() -> None:
    encoded = netlink.encode_attributes([(20, "näme")])
    assert netlink.text_of(netlink.decode_attributes(encoded)[20]) == "näme"


def test_a_link_message_says_up_or_down() -> None:
    def flags(state: dict[int, bool]) -> tuple[int, int]:
        message = netlink.link_message(netlink.SETLINK, [], index=7, state=state)
        _family, _type, index, flags, change = struct.unpack("=BxHiII", message.fixed)
        assert index == 7
        return flags, change

    assert [flags({}), flags({netlink.UP: True}), flags({netlink.UP: False})] == [(0, 0), (1, 1), (0, 1)]
    assert flags({netlink.UP: True, netlink.PROMISCUOUS: False}) == (1, 0x101)


def test_a_missing_device_is_missing() -> None:
    assert not links.exists("no-such-device0")
    assert links.kind("no-such-device0") == ""
    with pytest.raises(OSError, match="No such device"):
        links.index("no-such-device0")


def test_the_loopback_device_is_seen() -> None:
    assert links.exists("lo")
    assert links.mtu("lo") > 1000
    assert links.mac("lo") == "00:00:00:00:00:00"
    assert "lo" not in links.leftovers("guesthouse:", [])


def test_names_that_are_taken_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "vnet0"), (3, "vnet2")])
    names = links.names_of("vnet", iter(range(5)))
    assert list(names) == ["vnet1", "vnet3", "vnet4"]
