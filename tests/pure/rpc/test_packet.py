"""Packets: one table of bytes both ways; pieces of any size give the same packets; hostile lengths are refused."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.rpc.packet import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    ERROR,
    FDS_MAX,
    MESSAGE,
    OK,
    PAYLOAD_MAX,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_CHUNK,
    Framer,
    FramingError,
    Header,
    encode_packet,
)

#: Header, payload, and the packet's bytes (with those that bring descriptors).
TABLE = [
    (
        Header(0x20008086, 1, 212, CALL, 5, OK),
        b"abcd",
        "00000020 20008086 00000001 000000d4 00000000 00000005 00000000 61626364",
    ),
    (
        Header(0x20008086, 1, 2, REPLY, 0xFFFFFFFF, ERROR),
        b"",
        "0000001c 20008086 00000001 00000002 00000001 ffffffff 00000001",
    ),
    (Header(0x6B656570, 1, 1, MESSAGE, 0, OK), b"", "0000001c 6b656570 00000001 00000001 00000002 00000000 00000000"),
    (Header(1, 2, -3, STREAM, 4, CONTINUE), b"x", "0000001d 00000001 00000002 fffffffd 00000003 00000004 00000002 78"),
    (
        Header(0x20008086, 1, 249, CALL_WITH_FDS, 1, OK, nfds=2),
        b"abcd",
        "00000024 20008086 00000001 000000f9 00000004 00000001 00000000 00000002 61626364 0000",
    ),
    (
        Header(0x20008086, 1, 343, REPLY_WITH_FDS, 1, OK, nfds=1),
        b"",
        "00000020 20008086 00000001 00000157 00000005 00000001 00000000 00000001 00",
    ),
]


def encode(header: Header, payload: bytes) -> bytes:
    type_ = {CALL_WITH_FDS: CALL, REPLY_WITH_FDS: REPLY}.get(header.type, header.type)
    return encode_packet(
        header.program,
        header.version,
        header.procedure,
        type_,
        header.serial,
        header.status,
        payload,
        header.nfds,
    ) + bytes(header.nfds)


@pytest.mark.parametrize(("header", "payload", "wire"), TABLE)
def test_bytes(header: Header, payload: bytes, wire: str) -> None:
    data = bytes.fromhex(wire)
    assert encode(header, payload) == data
    assert Framer().feed(data) == [(header, payload)]


HEADERS = st.builds(
    Header,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([CALL, REPLY, MESSAGE, STREAM]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2),
)
WITH_FDS = st.builds(
    Header,
    st.just(1),
    st.just(1),
    st.just(1),
    st.sampled_from([CALL_WITH_FDS, REPLY_WITH_FDS]),
    st.just(1),
    st.just(0),
    st.integers(1, FDS_MAX),
)


@given(st.lists(st.tuples(HEADERS | WITH_FDS, st.binary(max_size=40)), max_size=6), st.data())
def test_pieces_of_any_size_give_the_same_packets(packets: list[tuple[Header, bytes]], data: st.DataObject) -> None:
    wire = b"".join(encode(header, payload) for header, payload in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    framer = Framer()
    got = [
        packet
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)
        for packet in framer.feed(wire[start:end])
    ]
    assert got == packets
    assert framer.pending == 0


def test_byte_by_byte() -> None:
    framer = Framer()
    wire = b"".join(bytes.fromhex(wire) for _, _, wire in TABLE)
    got = [packet for byte in wire for packet in framer.feed(bytes([byte]))]
    assert got == [(header, payload) for header, payload, _ in TABLE]


@pytest.mark.parametrize("length", [0, 3, 4, 27, 33554437, 2**31, 2**32 - 1])
def test_impossible_lengths(length: int) -> None:
    for data in (length.to_bytes(4), length.to_bytes(4) + bytes(24)):
        with pytest.raises(FramingError, match=f"a packet of {length} bytes"):
            Framer().feed(data)
    framer = Framer()
    framer.feed(encode_packet(1, 1, 1, CALL, 0) + length.to_bytes(4)[:2])
    with pytest.raises(FramingError):
        framer.feed(length.to_bytes(4)[2:])


def test_longest_lengths() -> None:
    assert Framer().feed((33554436).to_bytes(4) + bytes(24)) == []
    with pytest.raises(FramingError, match="33554409 bytes"):
        encode_packet(1, 1, 1, REPLY, 0, OK, bytes(PAYLOAD_MAX + 1))


def test_descriptors_are_counted_and_limited() -> None:
    head = "00000020 20008086 00000001 000000f9 00000004 00000001 00000000 "
    with pytest.raises(FramingError, match="33 file descriptors"):
        Framer().feed(bytes.fromhex(head + "00000021"))
    with pytest.raises(FramingError, match="does not say how many"):
        Framer().feed(bytes.fromhex("0000001c 20008086 00000001 000000f9 00000004 00000001 00000000"))
    with pytest.raises(FramingError, match="33 file descriptors"):
        encode_packet(1, 1, 1, REPLY, 0, nfds=33)
    framer = Framer()
    assert framer.feed(bytes.fromhex(head + "00000002")) == []
    assert framer.feed(b"\0") == []
    assert [header.nfds for header, _ in framer.feed(b"\0")] == [2]


def test_memory_follows_what_arrived() -> None:
    tracemalloc.start()
    framers = [Framer() for _ in range(50)]
    for framer in framers:
        framer.feed((33554436).to_bytes(4) + bytes(24))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_message_of_32_mib_is_not_copied_again_and_again() -> None:
    payload = bytes(PAYLOAD_MAX)
    wire = encode_packet(1, 1, 1, CALL, 0, OK, payload)
    framer = Framer()
    start = time.process_time()
    got = [packet for at in range(0, len(wire), 65536) for packet in framer.feed(wire[at : at + 65536])]
    assert time.process_time() - start < 1
    assert got[0][1] == payload


def test_stream_chunk_fits_old_peers() -> None:
    assert len(encode_packet(1, 1, 1, STREAM, 0, CONTINUE, bytes(STREAM_CHUNK))) == 262148


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_random_bytes_never_raise_anything_else(pieces: list[bytes]) -> None:
    framer = Framer()
    try:
        for piece in pieces:
            framer.feed(piece)
    except FramingError:
        pass
