"""Clients that mean no good, or do not know better: the others are served, and memory and descriptors stay flat."""

from __future__ import annotations

import array
import contextlib
import os
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.rpc.packet import CALL, encode_packet
from guesthouse.rpc.procedure import QEMU_PROGRAM, REMOTE_PROGRAM
from guesthouse.rpc.procedures.connect import (
    CONNECT_GET_CAPABILITIES,
    CONNECT_GET_LIB_VERSION,
    CONNECT_OPEN,
    ConnectOpenArgs,
)
from guesthouse.rpc.procedures.domain_devices import DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs
from guesthouse.rpc.programs import QEMU, REMOTE
from tests.real.server.serverkit import DOMAIN, Daemon, Wire

MEGABYTE = 1 << 20
FUZZ_MESSAGES = 100_000
SEED = 20110703


@pytest.fixture
def flat(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that answers afterwards, and has grown by less than 8 MB and by no descriptor."""
    with Wire(daemon.socket) as wire:
        wire.open()
        wire.call(CONNECT_GET_CAPABILITIES)
        descriptors, memory = wire.counters()["fds"], daemon.memory()
        yield daemon
        until = time.monotonic() + 5
        while time.monotonic() < until and (
            wire.counters()["fds"] > descriptors or daemon.memory() - memory > 8 * MEGABYTE
        ):
            time.sleep(0.05)
        assert wire.counters()["fds"] == descriptors
        assert daemon.memory() - memory < 8 * MEGABYTE
    raised = set(re.findall(r"^\w+(?:Error|Exception|Exit)\b.*$", daemon.log.read_text(), re.MULTILINE))
    assert raised <= {"ValueError: a mistake in the driver", "ValueError: no such console"}  # the sample driver's own


def header(length: int) -> bytes:
    return struct.pack(">IIIiiIi", length, REMOTE_PROGRAM, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("length", [0, 3, 4, 27, 33554433 + 4, 0x7FFFFFFF, 0xFFFFFFFF])
def test_impossible_lengths_end_the_connection(flat: Daemon, length: int) -> None:
    with Wire(flat.socket) as wire:
        wire.socket.sendall(header(length))
        assert wire.ended()
        assert not wire.packets


def test_garbage_ends_the_connection(flat: Daemon) -> None:
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 4096, os.urandom(70000)):
        with Wire(flat.socket) as wire:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.socket.sendall(garbage)
            wire.socket.settimeout(3)
            assert wire.ended()


def test_silence_after_half_a_header_holds_up_nobody(flat: Daemon) -> None:
    with contextlib.ExitStack() as stack:
        for size in (0, 1, 4, 15, 27):
            for _ in range(20):
                stack.enter_context(Wire(flat.socket)).socket.sendall(header(28)[:size])
        with Wire(flat.socket) as wire:
            assert wire.open().counters()


def test_promised_bytes_that_never_come_cost_nothing(flat: Daemon) -> None:
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(flat.socket)).open() for _ in range(50)]
        before = flat.memory()
        for wire in wires:
            wire.socket.sendall(header(33554432))
        time.sleep(0.2)
        assert flat.memory() - before < 4 * MEGABYTE


def test_unfinished_packets_have_a_budget(flat: Daemon) -> None:
    """Twenty clients send nearly 32 MB each and stop: some have to go, all memory comes back."""
    packet = header(33554432) + bytes(30 * MEGABYTE)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            wire = stack.enter_context(Wire(flat.readonly_socket)).open()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.socket.sendall(packet)
        assert flat.memory() < 420 * MEGABYTE
        with Wire(flat.socket) as other:
            assert other.open().counters()


def test_much_before_open_is_refused(flat: Daemon) -> None:
    with Wire(flat.socket) as wire:
        name = ConnectOpenArgs("x" * 4000000)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.post(CONNECT_OPEN, name)
        assert wire.ended()


def test_a_client_that_asks_much_and_reads_nothing(flat: Daemon) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            wire = stack.enter_context(Wire(flat.socket)).open()
            wire.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                for _ in range(3000):
                    wire.post(CONNECT_GET_CAPABILITIES)
        assert flat.memory() < 120 * MEGABYTE
        with Wire(flat.socket) as other:
            start = time.monotonic()
            assert other.open().counters()
            assert time.monotonic() - start < 0.5


def test_streams_that_are_never_read(flat: Daemon) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            wire = stack.enter_context(Wire(flat.socket)).open()
            wire.post(DOMAIN_OPEN_CONSOLE, DomainOpenConsoleArgs(DOMAIN, None, 1))
        time.sleep(0.3)
        assert flat.memory() < 120 * MEGABYTE
        with Wire(flat.socket) as other:
            assert other.open().counters()


def test_a_thousand_connections_come_and_go(flat: Daemon) -> None:
    for turn in range(1000):
        with Wire(flat.socket) as wire:
            if turn % 3 == 1:
                wire.open()
            elif turn % 3 == 2:
                wire.post(CONNECT_GET_LIB_VERSION)


def test_floods_of_descriptors(flat: Daemon) -> None:
    with Wire(flat.socket) as wire, open(os.devnull) as null:
        wire.open()
        many = array.array("i", [null.fileno()] * 200)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            wire.socket.settimeout(2)
            for _ in range(500):
                call = encode_packet(REMOTE_PROGRAM, 1, CONNECT_GET_LIB_VERSION.number, CALL, 1)
                wire.socket.sendmsg([call], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)])
                wire.packet()
        with Wire(flat.socket) as other:
            assert other.open().counters()["fds"] < 150


def test_max_clients(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "etc").mkdir(parents=True)
    (root / "etc/libvirtd.conf").write_text("max_clients = 5\n")
    daemon = Daemon(root).wait_ready()
    try:
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(Wire(daemon.socket)).open() for _ in range(4)]
            idle = stack.enter_context(Wire(daemon.socket))
            wires.append(stack.enter_context(Wire(daemon.socket)).open())  # the idle one makes room
            assert idle.ended()
            late = stack.enter_context(Wire(daemon.socket))
            late.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.open()
            wires[0].socket.close()
            late.socket.settimeout(5)
            late.packet()
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def fuzz_messages(random_: random.Random) -> Iterator[bytes]:
    """Calls of every procedure with random arguments, and well-formed ones with bytes changed, lost and added.

    Lengths are mostly right, because a wrong one ends the connection.
    """
    numbers = [(REMOTE_PROGRAM, each.number) for each in REMOTE.procedures()]
    numbers += [(QEMU_PROGRAM, each.number) for each in QEMU.procedures()]
    whole = [
        encode_packet(REMOTE_PROGRAM, 1, CONNECT_OPEN.number, CALL, 1, 0, ConnectOpenArgs("qemu:///system").encode()),
        encode_packet(REMOTE_PROGRAM, 1, 201, CALL, 1, 0, DomainOpenConsoleArgs(DOMAIN, None, 0).encode()),
        encode_packet(REMOTE_PROGRAM, 1, 60, CALL, 1, 0, b"\0\0\0\x0a"),
    ]
    number = 0
    while True:
        number += 1
        if number % 1000 == 0:
            yield random_.randbytes(random_.randrange(1, 40))
        elif number % 3 == 0:
            program, procedure = random_.choice(numbers)
            payload = random_.randbytes(random_.choice((0, 4, 8, 24, 60, 200)))
            kind = random_.choice((0, 0, 0, 0, 1, 2, 3, 3, 6, 9, -1))
            words = (program, 1, procedure, kind, random_.randrange(9), random_.choice((0, 0, 0, 1, 2, 7)))
            yield struct.pack(">IIIiiIi", 28 + len(payload), *words) + payload
        elif number % 3 == 1:
            message = bytearray(random_.choice(whole))
            for _ in range(random_.randrange(1, 4)):
                message[random_.randrange(4, len(message))] = random_.randrange(256)
            yield bytes(message)
        else:
            chosen = [random_.choice((0, 1, 2, 66, 0x20008086, 0x6B656570, 0xFFFFFFFF)) for _ in range(6)]
            payload = struct.pack(">I", random_.choice((0, 1, 0xFFFFFFFF, 1 << 24))) * random_.randrange(8)
            yield struct.pack(">7I", 28 + len(payload), *chosen) + payload


def deliver(wire: Wire, data: bytes) -> bool:
    """Send all of it, reading what comes meanwhile; False if the connection ends, or takes nothing more."""
    until = time.monotonic() + 1
    while data and time.monotonic() < until:
        try:
            data = data[wire.socket.send(data) :]
        except BlockingIOError:
            time.sleep(0.0005)
        except (BrokenPipeError, ConnectionResetError):
            return False
        with contextlib.suppress(BlockingIOError):
            try:
                if not wire.socket.recv(MEGABYTE):
                    return False
            except ConnectionResetError:
                return False
    return not data


def test_a_hundred_thousand_odd_messages(flat: Daemon) -> None:
    messages = fuzz_messages(random.Random(SEED))
    arrived = connections = 0
    while arrived < FUZZ_MESSAGES:
        with Wire(flat.socket) as wire:
            wire.open().socket.setblocking(False)
            connections += 1
            for _ in range(100):
                batch = [next(messages) for _ in range(20)]
                if not deliver(wire, b"".join(batch)):
                    break
                arrived += len(batch)
    assert connections > 50
