"""Calls, replies, errors, events, descriptors and streams, over a real socket to a real daemon."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

from guesthouse.rpc.packet import CALL, CONTINUE, ERROR, MESSAGE, OK, STREAM, encode_packet
from guesthouse.rpc.procedure import KEEPALIVE_PROGRAM, REMOTE_PROGRAM
from guesthouse.rpc.procedures.auth import AUTH_LIST, AUTH_POLKIT, AuthListRet
from guesthouse.rpc.procedures.connect import (
    CONNECT_CLOSE,
    CONNECT_GET_CAPABILITIES,
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    CONNECT_GET_TYPE,
    CONNECT_GET_URI,
    CONNECT_GET_VERSION,
    CONNECT_OPEN,
    CONNECT_SUPPORTS_FEATURE,
    ConnectGetCapabilitiesRet,
    ConnectGetLibVersionRet,
    ConnectGetUriRet,
    ConnectOpenArgs,
    ConnectSupportsFeatureArgs,
    ConnectSupportsFeatureRet,
)
from guesthouse.rpc.procedures.domain import (
    DOMAIN_CREATE,
    DOMAIN_SUSPEND,
    DomainCreateArgs,
    DomainSuspendArgs,
)
from guesthouse.rpc.procedures.domain_devices import (
    DOMAIN_OPEN_CONSOLE,
    DOMAIN_OPEN_GRAPHICS,
    DOMAIN_OPEN_GRAPHICS_FD,
    DomainOpenConsoleArgs,
    DomainOpenGraphicsArgs,
    DomainOpenGraphicsFdArgs,
)
from guesthouse.rpc.procedures.domain_save import DOMAIN_ABORT_JOB, DOMAIN_SAVE, DomainAbortJobArgs, DomainSaveArgs
from guesthouse.rpc.procedures.events import CONNECT_REGISTER_CLOSE_CALLBACK, CONNECT_UNREGISTER_CLOSE_CALLBACK
from guesthouse.rpc.types import RemoteError
from tests.real.server.serverkit import DOMAIN, Daemon, Failed, Wire


def failure(wire: Wire, *call: object) -> tuple[int, int]:
    with pytest.raises(Failed) as caught:
        wire.call(*call)  # type: ignore[arg-type]
    return caught.value.code, caught.value.domain


def feature(wire: Wire, number: int) -> int:
    payload = wire.call(CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs(number))
    return ConnectSupportsFeatureRet.decode(payload).supported


def test_opening(daemon: Daemon) -> None:
    with Wire(daemon.socket) as wire:
        assert AuthListRet.decode(wire.call(AUTH_LIST)).types == [0]
        assert failure(wire, CONNECT_GET_HOSTNAME) == (1, 7)
        assert failure(wire, CONNECT_CLOSE) == (1, 7)
        assert failure(wire, AUTH_POLKIT) == (45, 7)
        assert feature(wire, 10) == 1
        assert failure(wire, CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs(14)) == (1, 7)
        assert failure(wire, CONNECT_OPEN, ConnectOpenArgs("xen:///system")) == (5, 0)
        assert failure(wire, CONNECT_OPEN, ConnectOpenArgs("qemu:///foo"))[0] == 1
        assert failure(wire, CONNECT_OPEN, ConnectOpenArgs(None))[0] == 1
        assert wire.call(CONNECT_OPEN, ConnectOpenArgs("", 0xFFFFFFFE)) == b""
        assert failure(wire, CONNECT_OPEN, ConnectOpenArgs("")) == (1, 7)
        assert ConnectGetUriRet.decode(wire.call(CONNECT_GET_URI)).uri.startswith("qemu:///s")
        assert ConnectGetLibVersionRet.decode(wire.call(CONNECT_GET_LIB_VERSION)).lib_ver == 11003000
        assert wire.call(CONNECT_CLOSE) == b""
        assert wire.ended()


def test_features(wire: Wire) -> None:
    there = {number for number in range(-1, 20) if feature(wire, number)}
    assert there == {8, 9, 10, 11, 14, 15, 16}


def test_close_callbacks(wire: Wire) -> None:
    assert failure(wire, CONNECT_UNREGISTER_CLOSE_CALLBACK)[0] == 55
    assert wire.call(CONNECT_REGISTER_CLOSE_CALLBACK) == b""
    assert failure(wire, CONNECT_REGISTER_CLOSE_CALLBACK)[0] == 55
    assert wire.call(CONNECT_UNREGISTER_CLOSE_CALLBACK) == b""


def test_errors(daemon: Daemon, wire: Wire) -> None:
    assert failure(wire, CONNECT_GET_VERSION)[0] == 3
    assert failure(wire, CONNECT_GET_TYPE)[0] == 1
    assert daemon.logs("a mistake in the driver")
    assert wire.counters()


@pytest.mark.parametrize("way", ["flag", "socket"])
def test_readonly(daemon: Daemon, way: str) -> None:
    with Wire(daemon.readonly_socket if way == "socket" else daemon.socket) as wire:
        wire.open(flags=1 if way == "flag" else 0)
        assert wire.counters()
        assert failure(wire, DOMAIN_CREATE, DomainCreateArgs(DOMAIN))[0] == 29


def test_a_big_reply_comes_whole(wire: Wire) -> None:
    assert len(ConnectGetCapabilitiesRet.decode(wire.call(CONNECT_GET_CAPABILITIES)).capabilities) == 1 << 20


def test_pipelined_calls_in_pieces(wire: Wire) -> None:
    call = encode_packet(REMOTE_PROGRAM, 1, CONNECT_GET_LIB_VERSION.number, CALL, 1000)
    stream = call * 50
    for start in range(0, len(stream), 37):
        wire.socket.sendall(stream[start : start + 37])
    for _ in range(50):
        assert ConnectGetLibVersionRet.decode(wire.answer(1000)).lib_ver == 11003000


def test_calls_overtake_each_other(daemon: Daemon, wire: Wire) -> None:
    saves = [wire.post(DOMAIN_SAVE, DomainSaveArgs(DOMAIN, "/x")) for _ in range(7)]
    assert wire.counters()  # a plain function answers although all slow places are taken
    assert wire.call(DOMAIN_ABORT_JOB, DomainAbortJobArgs(DOMAIN)) == b""
    for serial in saves:
        assert wire.answer(serial) == b""


def test_too_many_slow_calls_stop_the_reading(daemon: Daemon, wire: Wire) -> None:
    for _ in range(40):
        wire.post(DOMAIN_SAVE, DomainSaveArgs(DOMAIN, "/x"))
    last = wire.post(CONNECT_GET_LIB_VERSION)
    with Wire(daemon.socket) as other:
        other.open()
        assert other.counters()
        wire.socket.settimeout(0.3)
        with contextlib.suppress(TimeoutError):  # what was read at once may be answered; the rest has to wait
            wire.answer(last)
        wire.socket.settimeout(10)
        other.call(DOMAIN_ABORT_JOB, DomainAbortJobArgs(DOMAIN))
    for _ in range(40):
        wire.packet()


def test_a_call_outlives_its_client(daemon: Daemon, wire: Wire) -> None:
    wire.post(DOMAIN_SAVE, DomainSaveArgs(DOMAIN, "/x"))
    wire.socket.close()
    with Wire(daemon.socket) as other:
        other.open()
        other.call(DOMAIN_ABORT_JOB, DomainAbortJobArgs(DOMAIN))
        assert other.counters()
    assert "Traceback" not in daemon.log.read_text()


def test_events_and_the_end_of_a_connection(daemon: Daemon, wire: Wire) -> None:
    serial = wire.post(DOMAIN_CREATE, DomainCreateArgs(DOMAIN))
    header, payload = wire.packet()
    assert (header.type, header.procedure, header.serial, payload) == (MESSAGE, 362, 1, b"\0\0\0\3")
    assert wire.answer(serial) == b""
    wire.socket.close()
    with Wire(daemon.socket) as other:
        other.open()
        assert other.counters()["gone"] == 1


def test_keepalive_is_answered(wire: Wire) -> None:
    wire.socket.sendall(encode_packet(KEEPALIVE_PROGRAM, 1, 1, MESSAGE, 7))
    header, payload = wire.packet()
    assert (header.program, header.procedure, header.type, header.serial) == (KEEPALIVE_PROGRAM, 2, MESSAGE, 0)
    assert payload == b""


def test_descriptors_to_the_client(daemon: Daemon, wire: Wire) -> None:
    before = wire.counters()["fds"]
    serial = wire.post(DOMAIN_OPEN_GRAPHICS_FD, DomainOpenGraphicsFdArgs(DOMAIN, 0))
    header, payload = wire.packet()
    assert (header.type, header.serial, header.nfds, payload) == (5, serial, 1, b"")
    [descriptor] = wire.fds
    assert os.read(descriptor, 10) == b"hello"
    os.close(descriptor)
    assert wire.counters()["fds"] == before


@pytest.mark.parametrize("count", [1, 3])
def test_descriptors_from_the_client(wire: Wire, count: int) -> None:
    before = wire.counters()["fds"]
    pipes = [os.pipe() for _ in range(count)]
    serial = wire.post(DOMAIN_OPEN_GRAPHICS, DomainOpenGraphicsArgs(DOMAIN, 0), nfds=count)
    wire.send_fds([writer for _, writer in pipes])
    assert wire.answer(serial) == b""
    for reader, writer in pipes:
        os.close(writer)
        assert os.read(reader, 10) == b"thanks"
        assert os.read(reader, 10) == b""  # the daemon has closed its copy
        os.close(reader)
    assert wire.counters()["fds"] == before


def test_announced_descriptors_that_nobody_takes_are_closed(wire: Wire) -> None:
    before = wire.counters()["fds"]
    for procedure, payload in ((CONNECT_GET_LIB_VERSION.number, b""), (9999, b""), (249, b"")):
        reader, writer = os.pipe()
        wire.socket.sendall(encode_packet(REMOTE_PROGRAM, 1, procedure, CALL, 1, 0, payload, nfds=1))
        wire.send_fds([writer])
        os.close(writer)
        wire.packet()
        assert os.read(reader, 1) == b""
        os.close(reader)
    assert wire.counters()["fds"] == before


def console(wire: Wire, name: str | None = None, flags: int = 0) -> int:
    return wire.post(DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs(DOMAIN, name, flags))


def stream_data(wire: Wire, serial: int, wanted: int) -> bytes:
    data = b""
    while len(data) < wanted:
        header, payload = wire.packet()
        assert (header.type, header.status, header.serial) == (STREAM, CONTINUE, serial)
        assert payload
        assert len(payload) <= 262120
        data += payload
    return data


def test_a_stream_from_welcome_to_finish(wire: Wire) -> None:
    serial = console(wire)
    assert wire.answer(serial) == b""
    assert stream_data(wire, serial, 8) == b"welcome "
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, b"abc" * 200000)
    assert stream_data(wire, serial, 600000) == b"abc" * 200000
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, b"end")
    assert stream_data(wire, serial, 3) == b"end"
    header, payload = wire.packet()
    assert (header.type, header.status, payload) == (STREAM, CONTINUE, b"")
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, OK)
    header, payload = wire.packet()
    assert (header.type, header.status, header.serial, payload) == (STREAM, OK, serial, b"")
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, b"late")
    assert wire.counters()["aborts"] == 0


def test_small_writes_are_gathered(wire: Wire) -> None:
    serial = console(wire)
    wire.answer(serial)
    for _ in range(300):
        wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, b"x")
    packets = data = 0
    while data < 8 + 300:
        _, payload = wire.packet()
        packets, data = packets + 1, data + len(payload)
    assert packets < 100


def test_a_stream_whose_driver_does_not_want_more_yet(daemon: Daemon, wire: Wire) -> None:
    serial = console(wire, "slow")  # takes nothing for half a second
    assert wire.answer(serial) == b""
    assert stream_data(wire, serial, 8) == b"welcome "
    before, start = daemon.memory(), time.monotonic()
    sent = 0
    wire.socket.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while sent < 20:  # 5 MB: more than is kept
            wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, bytes([sent]) * 262120)
            sent += 1
    assert 4 <= sent < 20
    assert daemon.memory() - before < 4 << 20
    wire.socket.settimeout(10)
    data = stream_data(wire, serial, sent * 262120)
    assert time.monotonic() - start > 0.4
    assert data[: sent * 262120] == b"".join(bytes([number]) * 262120 for number in range(sent))


def test_a_stream_is_aborted_while_its_driver_wants_no_more(wire: Wire) -> None:
    serial = console(wire, "slow")
    wire.answer(serial)
    stream_data(wire, serial, 8)
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, b"not wanted")
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, ERROR)
    header, payload = wire.packet()
    assert (header.type, header.status, payload) == (STREAM, OK, b"")
    assert wire.counters()["aborts"] == 1


def test_a_stream_is_aborted(wire: Wire) -> None:
    serial = console(wire)
    wire.answer(serial)
    stream_data(wire, serial, 8)
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, ERROR)
    header, payload = wire.packet()
    assert (header.type, header.status, payload) == (STREAM, OK, b"")
    assert wire.counters()["aborts"] == 1


def test_a_stream_ends_with_its_connection(daemon: Daemon, wire: Wire) -> None:
    wire.answer(console(wire))
    with Wire(daemon.socket) as other:
        other.open()
        wire.socket.close()
        time.sleep(0.1)
        assert other.counters()["aborts"] == 1


@pytest.mark.parametrize(("data", "text", "aborts"), [(b"fail", "on demand", 0), (b"raise", "the echo is broken", 1)])
def test_a_stream_fails(wire: Wire, data: bytes, text: str, aborts: int) -> None:
    serial = console(wire)
    wire.answer(serial)
    stream_data(wire, serial, 8)
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, CONTINUE, data)
    header, payload = wire.packet()
    if (header.status, payload) == (CONTINUE, data):
        header, payload = wire.packet()
    assert (header.type, header.status, header.serial) == (STREAM, ERROR, serial)
    assert text in str(RemoteError.decode(payload).message)
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, OK)  # too late: not answered
    assert wire.counters()["aborts"] == aborts


def test_a_call_that_fails_after_opening_its_stream(wire: Wire) -> None:
    serial = console(wire, "refused")
    with pytest.raises(Failed, match="no such console"):
        wire.answer(serial)
    assert wire.counters()["aborts"] == 1
    assert not wire.packets


def test_a_stream_flows_as_fast_as_its_client_reads(daemon: Daemon, wire: Wire) -> None:
    serial = console(wire, flags=1)
    time.sleep(0.3)
    before = daemon.memory()
    wire.answer(serial)
    received = 0
    while received < 50_000_000:
        received += len(wire.packet()[1])
    assert daemon.memory() - before < 8 << 20
    wire.stream(DOMAIN_OPEN_CONSOLE, serial, ERROR)


def test_a_client_that_does_not_read_its_events_is_disconnected(daemon: Daemon, wire: Wire) -> None:
    wire.post(DOMAIN_SUSPEND, DomainSuspendArgs(DOMAIN))
    assert daemon.logs("does not read its events")
    assert wire.ended()
