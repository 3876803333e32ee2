"""The two sides of a connection, spoken to each other and by the byte."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.errors import Code, LibvirtError, NoSuchDomainError, Origin
from guesthouse.rpc import client, server
from guesthouse.rpc.client import ClientProtocol
from guesthouse.rpc.packet import (
    CALL,
    CONTINUE,
    ERROR,
    HEADER_SIZE,
    MESSAGE,
    OK,
    REPLY,
    STREAM,
    STREAM_HOLE,
    Framer,
    FramingError,
    encode_packet,
)
from guesthouse.rpc.procedure import KEEPALIVE_PROGRAM, QEMU_PROGRAM, REMOTE_PROGRAM
from guesthouse.rpc.procedures.connect import CONNECT_GET_HOSTNAME, ConnectGetHostnameRet
from guesthouse.rpc.procedures.domain import (
    CONNECT_LIST_ALL_DOMAINS,
    DOMAIN_CREATE,
    DOMAIN_GET_STATE,
    ConnectListAllDomainsRet,
    DomainCreateArgs,
    DomainGetStateArgs,
    DomainGetStateRet,
)
from guesthouse.rpc.procedures.domain_devices import DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs
from guesthouse.rpc.procedures.events import (
    DOMAIN_EVENT_CALLBACK_LIFECYCLE,
    DomainEventCallbackLifecycleMsg,
    DomainEventLifecycleMsg,
)
from guesthouse.rpc.programs import KEEPALIVE, QEMU, REMOTE
from guesthouse.rpc.server import Call, Refused, ServerProtocol
from guesthouse.rpc.types import Encoded, NonnullDomain, RemoteError, ReportedError
from guesthouse.rpc.xdr import XdrError

PROGRAMS = {program.number: program for program in (REMOTE, QEMU)}
DOMAIN = NonnullDomain("web1", bytes(range(16)), 3)
STATE = DomainGetStateArgs(DOMAIN)


def new_pair() -> tuple[ClientProtocol, ServerProtocol]:
    return ClientProtocol(PROGRAMS), ServerProtocol(PROGRAMS)


def one_call(protocol: ServerProtocol, packet: bytes) -> Call:
    (call,) = protocol.receive(packet)
    assert isinstance(call, Call)
    return call


def refusal(packet: bytes) -> tuple[tuple[int, int, int, int, int], RemoteError]:
    """What a server without QEMU's program answers to a packet: the header's words and the error."""
    (refused,) = ServerProtocol({REMOTE.number: REMOTE}).receive(packet)
    assert isinstance(refused, Refused)
    ((header, payload),) = Framer().feed(refused.packet)
    assert header.status == ERROR
    return (header.program, header.version, header.procedure, header.type, header.serial), RemoteError.decode(payload)


def failure(protocol: ClientProtocol, packet: bytes) -> LibvirtError:
    (event,) = protocol.receive(packet)
    assert isinstance(event, client.Failure | client.StreamFailure)
    return event.error


def test_a_call_and_its_reply() -> None:
    ours, theirs = new_pair()
    serial, packet = ours.call(DOMAIN_GET_STATE, STATE)
    call = one_call(theirs, packet)
    assert (serial, call.procedure, call.serial, call.args, call.nfds) == (0, DOMAIN_GET_STATE, 0, STATE, 0)
    (reply,) = ours.receive(theirs.encode_reply(call, DomainGetStateRet(1, 2)))
    assert isinstance(reply, client.Reply)
    assert (reply.serial, reply.ret, reply.nfds) == (0, DomainGetStateRet(1, 2), 0)
    assert ours.outstanding == 0


def test_replies_overtake_each_other() -> None:
    ours, theirs = new_pair()
    packets = [ours.call(CONNECT_GET_HOSTNAME)[1], ours.call(DOMAIN_CREATE, DomainCreateArgs(DOMAIN))[1]]
    hostname, create = theirs.receive(b"".join(packets))
    assert isinstance(hostname, Call)
    assert isinstance(create, Call)
    assert ours.outstanding == 2
    answer = theirs.encode_reply(create, None) + theirs.encode_reply(hostname, ConnectGetHostnameRet("host"))
    replies = [(event.serial, event.ret) for event in ours.receive(answer) if isinstance(event, client.Reply)]
    assert replies == [(1, None), (0, ConnectGetHostnameRet("host"))]


def test_the_error_reply_is_libvirts() -> None:
    _, theirs = new_pair()
    error = NoSuchDomainError("no domain with matching name 'x'")
    packet = theirs.encode_error(Call(DOMAIN_GET_STATE, 7, STATE), error)
    assert packet[:HEADER_SIZE].hex(" ", 4) == "000000bc 20008086 00000001 000000d4 00000001 00000007 00000001"
    assert RemoteError.decode(packet, HEADER_SIZE) == RemoteError(
        Code.NO_DOMAIN,
        Origin.QEMU,
        "Domain not found: no domain with matching name 'x'",
        level=2,
        str1="Domain not found: %s",
        str2="no domain with matching name 'x'",
        int1=-1,
        int2=-1,
    )


def test_an_error_reaches_the_caller() -> None:
    ours, theirs = new_pair()
    call = one_call(theirs, ours.call(DOMAIN_GET_STATE, STATE)[1])
    error = failure(ours, theirs.encode_error(call, NoSuchDomainError("no domain 'x'")))
    assert (error.code, error.domain, error.message) == (42, 10, "Domain not found: no domain 'x'")


@pytest.mark.parametrize("text", ["with\0NUL", "\ud800", "a" * 5_000_000, ""])
def test_an_error_never_fails_for_its_wording(text: str) -> None:
    ours, theirs = new_pair()
    call = one_call(theirs, ours.call(DOMAIN_GET_STATE, STATE)[1])
    assert failure(ours, theirs.encode_error(call, LibvirtError(text, code=9999))).code == 9999


@pytest.mark.parametrize(
    ("program", "version", "procedure", "status", "payload", "text"),
    [
        (REMOTE_PROGRAM, 2, 1, OK, b"", f"Cannot find program {REMOTE_PROGRAM} version 2"),
        (QEMU_PROGRAM, 1, 1, OK, b"", f"Cannot find program {QEMU_PROGRAM} version 1"),
        (KEEPALIVE_PROGRAM, 1, 1, OK, b"", f"Cannot find program {KEEPALIVE_PROGRAM} version 1"),
        (REMOTE_PROGRAM, 1, 0, OK, b"", "unknown procedure: 0"),
        (REMOTE_PROGRAM, 1, -1, OK, b"", "unknown procedure: -1"),
        (REMOTE_PROGRAM, 1, 454, OK, b"", "unknown procedure: 454"),
        (REMOTE_PROGRAM, 1, 318, OK, b"", "unknown procedure: 318"),
        (REMOTE_PROGRAM, 1, 212, ERROR, STATE.encode(), "Unexpected message status 1"),
        (REMOTE_PROGRAM, 1, 212, OK, STATE.encode()[:-1], "Unable to decode message payload"),
        (REMOTE_PROGRAM, 1, 212, OK, b"\xff\xff\xff\xff", "Unable to decode message payload"),
    ],
)
def test_refusals(program: int, version: int, procedure: int, status: int, payload: bytes, text: str) -> None:
    words, error = refusal(encode_packet(program, version, procedure, CALL, 9, status, payload))
    assert words == (program, version, procedure, REPLY, 9)
    assert (error.code, error.domain, error.level) == (39, 7, 2)
    assert (error.message or "").startswith(text)


def test_an_unknown_procedure_is_unsupported_to_the_caller() -> None:
    ours = ClientProtocol()
    ours.call(DOMAIN_GET_STATE, STATE)
    reply = RemoteError(39, 7, "unknown procedure: 212").encode()
    assert failure(ours, encode_packet(REMOTE_PROGRAM, 1, 212, REPLY, 0, ERROR, reply)).code == Code.NO_SUPPORT
    ours.call(DOMAIN_GET_STATE, STATE)
    reply = RemoteError(39, 7, "Cannot find program 1 version 1").encode()
    assert failure(ours, encode_packet(REMOTE_PROGRAM, 1, 212, REPLY, 1, ERROR, reply)).code == Code.RPC


def test_a_reply_that_cannot_be_encoded_becomes_an_error() -> None:
    ours, theirs = new_pair()
    for ret, text in (
        (DomainGetStateRet(2**31, 0), "Unable to encode message payload"),
        (None, "DOMAIN_GET_STATE may not be answered with NoneType"),
        (ConnectGetHostnameRet("host"), "may not be answered with ConnectGetHostnameRet"),
    ):
        call = one_call(theirs, ours.call(DOMAIN_GET_STATE, STATE)[1])
        error = failure(ours, theirs.encode_reply(call, ret))
        assert (error.code, error.domain) == (Code.RPC, Origin.RPC)
        assert text in error.message


def test_a_reply_that_is_encoded_already() -> None:
    ours, theirs = new_pair()
    call = one_call(theirs, ours.call(DOMAIN_GET_STATE, STATE)[1])
    (reply,) = ours.receive(theirs.encode_reply(call, Encoded(DomainGetStateRet(5, 6).encode())))
    assert isinstance(reply, client.Reply)
    assert reply.ret == DomainGetStateRet(5, 6)


def test_a_list_over_its_cap_becomes_an_error() -> None:
    _, theirs = new_pair()
    reply = theirs.encode_reply(
        Call(CONNECT_LIST_ALL_DOMAINS, 1, None), ConnectListAllDomainsRet([DOMAIN] * 16385, 16385)
    )
    error = RemoteError.decode(reply, HEADER_SIZE)
    assert "has 16385 elements, more than the 16384" in (error.message or "")


def test_a_call_that_cannot_be_encoded_is_not_pending() -> None:
    ours, _ = new_pair()
    with pytest.raises(XdrError, match="cannot be called with NoneType"):
        ours.call(DOMAIN_GET_STATE)
    with pytest.raises(XdrError):
        ours.call(DOMAIN_GET_STATE, DomainGetStateArgs(DOMAIN, -1))
    assert ours.outstanding == 0
    assert ours.call(DOMAIN_GET_STATE, STATE)[0] == 0


def test_descriptors_travel_with_call_and_reply() -> None:
    ours, theirs = new_pair()
    _, packet = ours.call(DOMAIN_GET_STATE, STATE, nfds=2)
    assert theirs.receive(packet) == []
    call = one_call(theirs, b"\0\0")
    assert (call.nfds, call.args) == (2, STATE)
    (reply,) = ours.receive(theirs.encode_reply(call, DomainGetStateRet(1, 1), nfds=1) + b"\0")
    assert isinstance(reply, client.Reply)
    assert (reply.nfds, reply.ret) == (1, DomainGetStateRet(1, 1))


def test_an_event_message() -> None:
    ours, theirs = new_pair()
    message = DomainEventCallbackLifecycleMsg(1, DomainEventLifecycleMsg(DOMAIN, 2, 0))
    packet = theirs.encode_message(DOMAIN_EVENT_CALLBACK_LIFECYCLE, message)
    assert packet[20:24] == b"\0\0\0\1"
    (event,) = ours.receive(packet)
    assert isinstance(event, client.Message)
    assert (event.procedure, event.message) == (DOMAIN_EVENT_CALLBACK_LIFECYCLE, message)
    assert ours.receive(packet[:-4].replace(packet[:4], (len(packet) - 4).to_bytes(4), 1)) == []
    assert ours.receive(encode_packet(REMOTE_PROGRAM, 1, 212, MESSAGE, 1)) == []


def test_keepalive() -> None:
    ours, theirs = new_pair()
    assert client.PING == server.PING
    assert client.PING.hex(" ", 4) == "0000001c 6b656570 00000001 00000001 00000002 00000000 00000000"
    assert client.PONG.hex(" ", 4) == "0000001c 6b656570 00000001 00000002 00000002 00000000 00000000"
    assert [type(event) for event in theirs.receive(client.PING + client.PONG)] == [server.Ping, server.Pong]
    assert [type(event) for event in ours.receive(server.PING + server.PONG)] == [client.Ping, client.Pong]
    unknown = encode_packet(KEEPALIVE_PROGRAM, 1, 3, MESSAGE, 0)
    assert theirs.receive(unknown) == []
    assert ours.receive(unknown) == []
    assert [procedure.name for procedure in KEEPALIVE.procedures()] == ["PING", "PONG"]


def open_console() -> tuple[ClientProtocol, ServerProtocol, Call]:
    ours, theirs = new_pair()
    call = one_call(theirs, ours.call(DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs(DOMAIN, None, 0))[1])
    assert len(ours.receive(theirs.encode_reply(call, None))) == 1
    return ours, theirs, call


def test_a_stream_in_both_directions() -> None:
    ours, theirs, call = open_console()
    down = theirs.encode_stream_data(call, b"login: ") + theirs.encode_stream_hole(call, 4096)
    data, hole, end = ours.receive(down + theirs.encode_stream_end(call))
    assert isinstance(data, client.StreamData)
    assert isinstance(hole, client.StreamHole)
    assert isinstance(end, client.StreamData)
    assert (data.serial, data.data, hole.length, end.data) == (call.serial, b"login: ", 4096, b"")
    up = ours.encode_stream_data(call.serial, b"root\n") + ours.encode_stream_hole(call.serial, 512)
    typed, skipped, finish = theirs.receive(up + ours.encode_stream_finish(call.serial))
    assert isinstance(typed, server.StreamData)
    assert isinstance(skipped, server.StreamHole)
    assert isinstance(finish, server.StreamFinish)
    assert (typed.serial, typed.procedure_number, typed.data) == (call.serial, DOMAIN_OPEN_CONSOLE.number, b"root\n")
    assert (skipped.length, finish.serial) == (512, call.serial)
    (over,) = ours.receive(theirs.encode_stream_finish(call))
    assert isinstance(over, client.StreamEnd)
    assert ours.receive(theirs.encode_stream_data(call, b"late")) == []
    with pytest.raises(KeyError):
        ours.encode_stream_data(call.serial, b"late")


def test_a_stream_is_aborted_or_fails() -> None:
    ours, theirs, call = open_console()
    (abort,) = theirs.receive(ours.encode_stream_abort(call.serial))
    assert isinstance(abort, server.StreamAbort)
    ours, theirs, call = open_console()
    assert failure(ours, theirs.encode_stream_error(call, LibvirtError("gone", code=9))).code == 9
    assert ours.receive(theirs.encode_stream_data(call, b"late")) == []
    ours, theirs, call = open_console()
    assert failure(ours, theirs.encode_error(call, LibvirtError("no holes here", code=38))).code == 38


def test_a_stream_ends_with_the_call_that_fails_to_open_it() -> None:
    ours, theirs = new_pair()
    call = one_call(theirs, ours.call(DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs(DOMAIN, None, 0))[1])
    early = theirs.encode_stream_data(call, b"early")
    assert len(ours.receive(early)) == 1
    assert len(ours.receive(theirs.encode_error(call, LibvirtError("busy", code=9)))) == 1
    assert ours.receive(early) == []


@pytest.mark.parametrize("hole", [b"", bytes(11), (-1).to_bytes(8, signed=True) + bytes(4), bytes(8) + b"\0\0\0\1"])
def test_a_hole_that_is_none_is_refused(hole: bytes) -> None:
    words, error = refusal(encode_packet(REMOTE_PROGRAM, 1, 208, STREAM_HOLE, 3, CONTINUE, hole))
    assert words[3:] == (REPLY, 3)
    assert error.code == 39


@pytest.mark.parametrize(
    "packet",
    [
        encode_packet(REMOTE_PROGRAM, 1, 212, REPLY, 0),
        encode_packet(REMOTE_PROGRAM, 1, 212, MESSAGE, 0),
        encode_packet(REMOTE_PROGRAM, 1, 212, 7, 0),
        encode_packet(REMOTE_PROGRAM, 1, 212, -1, 0),
        encode_packet(REMOTE_PROGRAM, 1, 201, STREAM, 0, 3),
    ],
)
def test_what_nobody_waits_for_is_dropped(packet: bytes) -> None:
    _, theirs = new_pair()
    assert theirs.receive(packet) == []


def test_replies_that_make_no_sense_fail_their_call() -> None:
    ours, _ = new_pair()
    assert ours.receive(encode_packet(REMOTE_PROGRAM, 1, 212, REPLY, 77)) == []
    for number, status, payload in ((213, OK, b""), (212, CONTINUE, b""), (212, OK, b"\0"), (212, ERROR, b"\0")):
        serial, _packet = ours.call(DOMAIN_GET_STATE, STATE)
        error = failure(ours, encode_packet(REMOTE_PROGRAM, 1, number, REPLY, serial, status, payload))
        assert (error.code, error.domain) == (Code.RPC, Origin.RPC)
    assert ours.outstanding == 0


def test_bytes_that_are_no_packets_end_the_connection() -> None:
    for protocol in new_pair():
        with pytest.raises(FramingError):
            protocol.receive(b"GET / HTTP/1.1\r\n\r\nHost: example.org")


def test_a_reported_error_keeps_its_text() -> None:
    error = RemoteError(1, 10, "what the server said").to_exception()
    assert isinstance(error, ReportedError)
    assert (str(error), error.message, error.code) == ("what the server said", "what the server said", 1)
    assert RemoteError(7, 0).to_exception().message == "error 7 without a text"


def describe(events: list[server.Event]) -> list[object]:
    """Events as values that can be compared."""
    return [(type(event), [getattr(event, slot) for slot in event.__slots__]) for event in events]


@given(st.lists(st.integers(0, 400), max_size=10))
def test_pieces_of_any_size_give_the_same_events(cuts: list[int]) -> None:
    ours, whole = new_pair()
    wire = ours.call(DOMAIN_GET_STATE, STATE)[1] + client.PING + ours.call(CONNECT_GET_HOSTNAME)[1]
    wire += ours.call(DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs(DOMAIN, "serial0", 0))[1]
    wire += ours.encode_stream_data(2, b"data") + ours.encode_stream_hole(2, 5) + ours.encode_stream_finish(2)
    wire += encode_packet(REMOTE_PROGRAM, 1, 999, CALL, 3)
    edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    cut = ServerProtocol(PROGRAMS)
    pieces = [event for start, end in itertools.pairwise(edges) for event in cut.receive(wire[start:end])]
    expected = whole.receive(wire)
    assert len(expected) == 8
    assert describe(pieces) == describe(expected)
