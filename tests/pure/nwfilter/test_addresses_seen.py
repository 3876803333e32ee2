"""What frames tell of a guest's address: honest ones do, and none of anybody's bytes does harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.drivers.nwfilter.seen import Lease, address_of, lease_of
from tests.support.frames import EVERYBODY, arp, dhcp_answer, ethernet, ipv4, ipv6, udp

MAC, OTHER, SERVER = "52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:99"
OWN = bytes.fromhex(MAC.replace(":", ""))
COOKIE = b"\x63\x82\x53\x63"


def word(kind: int, *, ciaddr: bytes = bytes(4), options: bytes = b"", mac: str = MAC) -> bytes:
    """A message of a DHCP client."""
    head = b"\x01\x01\x06\0" + bytes(8) + ciaddr + bytes(12) + bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0")
    message = head + bytes(192) + COOKIE + b"\0\x35\x01" + bytes((kind,)) + options + b"\xff"
    return udp((mac, EVERYBODY), ("0.0.0.0", "255.255.255.255"), (68, 67), message)


@pytest.mark.parametrize(
    ("frame", "outgoing", "found"),
    [
        (arp(MAC, MAC, "10.0.0.5"), False, "10.0.0.5"),
        (arp(MAC, OTHER, "10.0.0.5"), False, None),
        (arp(OTHER, MAC, "10.0.0.5"), False, None),
        (arp(MAC, MAC, "0.0.0.0"), False, None),
        (arp(MAC, MAC, "10.0.0.5")[:30], False, None),
        (udp((MAC, SERVER), ("10.0.0.6", "10.0.0.1"), (9, 9)), False, "10.0.0.6"),
        (udp((OTHER, SERVER), ("10.0.0.6", "10.0.0.1"), (9, 9)), False, None),
        (udp((MAC, EVERYBODY), ("0.0.0.0", "255.255.255.255"), (68, 67)), False, None),
        (udp((MAC, SERVER), ("224.0.0.1", "10.0.0.1"), (9, 9)), False, None),
        (udp((MAC, SERVER), ("127.0.0.1", "10.0.0.1"), (9, 9)), False, None),
        (udp((MAC, SERVER), ("255.255.255.255", "10.0.0.1"), (9, 9)), False, None),
        (ipv6((MAC, SERVER)), False, None),
        (ethernet(MAC, SERVER, 0x0800, b"short"), False, None),
        (dhcp_answer((SERVER, MAC), "10.0.0.1", "10.0.0.7", 60), True, "10.0.0.7"),
        (dhcp_answer((SERVER, OTHER), "10.0.0.1", "10.0.0.7", 60), True, None),
        (udp((SERVER, MAC), ("10.0.0.1", "10.0.0.7"), (9, 9)), True, None),
    ],
)
def test_any_packet(frame: bytes, outgoing: bool, found: str | None) -> None:
    assert address_of(frame, OWN, outgoing=outgoing) == found


@pytest.mark.parametrize(
    ("frame", "outgoing", "found"),
    [
        (dhcp_answer((SERVER, MAC), "10.0.0.1", "10.0.0.7", 60), True, Lease("10.0.0.7", 60)),
        (dhcp_answer((SERVER, MAC), "10.0.0.1", "10.0.0.7", 0xFFFFFFFF), True, Lease("10.0.0.7", None)),
        (dhcp_answer((SERVER, MAC), "10.0.0.1", "0.0.0.0", 60), True, None),
        (dhcp_answer((SERVER, MAC), "10.0.0.1", "10.0.0.7", 60), False, None),  # a guest that plays the server
        (word(7, ciaddr=b"\x0a\0\0\x07"), False, Lease("10.0.0.7", 0)),
        (word(7, ciaddr=b"\x0a\0\0\x07"), True, None),
        (word(4, options=b"\x32\x04\x0a\0\0\x07"), False, Lease("10.0.0.7", 0)),
        (word(4, options=b"\x32\x02\x0a\0"), False, None),
        (word(4, options=b"\x32\x09\x0a\0"), False, None),
        (word(1), False, None),
        (word(7, mac=OTHER), False, None),
        (word(7)[:60], False, None),
        (word(7).replace(COOKIE, bytes(4)), False, None),
        (word(7, ciaddr=b"\x0a\0\0\x07")[:20] + b"\x20\x01" + word(7)[22:], False, None),  # a fragment
        (ipv4((SERVER, MAC), ("10.0.0.1", "10.0.0.7"), 17, b"\0"), True, None),
    ],
)
def test_leases(frame: bytes, outgoing: bool, found: Lease | None) -> None:
    assert lease_of(frame, OWN, outgoing=outgoing) == found


@given(st.binary(max_size=600), st.booleans(), st.booleans())
def test_anything_at_all(data: bytes, outgoing: bool, real: bool) -> None:
    head = udp((MAC, SERVER), ("10.0.0.1", "10.0.0.7"), (67, 68) if outgoing else (68, 67))[:42] if real else b""
    address_of(head + data, OWN, outgoing=outgoing)
    lease_of(head + data, OWN, outgoing=outgoing)


@given(st.binary(min_size=0, max_size=100), st.integers(0, 400))
def test_answers_that_are_cut_off_or_damaged(junk: bytes, place: int) -> None:
    answer = dhcp_answer((SERVER, MAC), "10.0.0.1", "10.0.0.7", 60)
    lease_of(answer[:place] + junk + answer[place + len(junk) :], OWN, outgoing=True)
    lease_of(answer[:place], OWN, outgoing=True)
