"""Every declared procedure is called on a real daemon: each answers in time, and what no driver answers says so.

The arguments are made from the declarations: empty ones, then the handle of a guest that is off, of one that runs, and
odd values. What is answered does not matter here; that it is, and that the daemon raised nothing unforeseen, does.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.drivers.connect.procedures import TABLE as CONNECT_TABLE
from guesthouse.drivers.domain.procedures.table import TABLE as DOMAIN_TABLE
from guesthouse.drivers.interface.procedures import TABLE as INTERFACE_TABLE
from guesthouse.drivers.network.procedures import TABLE as NETWORK_TABLE
from guesthouse.drivers.nodedev.procedures import TABLE as NODEDEV_TABLE
from guesthouse.drivers.nwfilter.procedures import TABLE as NWFILTER_TABLE
from guesthouse.drivers.secret.procedures import TABLE as SECRET_TABLE
from guesthouse.drivers.storage.procedures import TABLE as STORAGE_TABLE
from guesthouse.errors import PHRASES, Code
from guesthouse.rpc.packet import CALL, encode_packet
from guesthouse.rpc.procedure import ADMIN_PROGRAM, Procedure
from guesthouse.rpc.procedures.connect import CONNECT_OPEN
from guesthouse.rpc.procedures.domain import (
    DOMAIN_CREATE_XML,
    DOMAIN_DEFINE_XML,
    DOMAIN_DESTROY,
    DomainCreateXmlArgs,
    DomainCreateXmlRet,
    DomainDefineXmlArgs,
    DomainDefineXmlRet,
    DomainDestroyArgs,
)
from guesthouse.rpc.programs import ADMIN, QEMU, REMOTE
from guesthouse.rpc.types import NonnullDomain, TypedParam, int_param, string_param
from guesthouse.rpc.xdr import Kind, Struct, StructType, kinds
from guesthouse.server.builtin import TABLE as BUILTIN_TABLE
from tests.real.server.serverkit import Failed, Wire
from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.real

ANSWERED = {
    *BUILTIN_TABLE,
    *CONNECT_TABLE,
    *DOMAIN_TABLE,
    *INTERFACE_TABLE,
    *NETWORK_TABLE,
    *NODEDEV_TABLE,
    *NWFILTER_TABLE,
    *SECRET_TABLE,
    *STORAGE_TABLE,
}
CALLS = [
    procedure for program in (REMOTE, QEMU, ADMIN) for procedure in program.procedures() if procedure.kind == "call"
]
ROUNDS = 60
STRINGS = ["", "x", "../../etc", "a\nb", "\x7f%s%n", "é" * 100, "-1", "<domain/>", "<a>&lol;</a>", "vda", "q" * 70000]
INTEGERS = {
    "i": [0, 1, -1, 2, 5, 0x7FFFFFFF, -0x80000000],
    "I": [0, 1, 2, 3, 64, 0x80000000, 0xFFFFFFFF],
    "q": [0, 1, -1, 1 << 40, (1 << 63) - 1, -(1 << 63)],
    "Q": [0, 1, 7, 1 << 40, (1 << 64) - 1],
    "char": [0, 127, -128],
    "uchar": [0, 255],
    "ushort": [0, 65535],
}


class Values:
    """Makes arguments: empty ones without a source of chance, odd ones with it."""

    def __init__(self, domain: NonnullDomain | None, chance: random.Random | None) -> None:
        self.domain = domain
        self.chance = chance

    def struct(self, cls: StructType) -> object:
        if cls is NonnullDomain and self.domain is not None:
            return self.domain
        if cls is TypedParam:
            return string_param("cpu_shares", "x") if self.chance else int_param("", 0)
        return cls(*[self.value(kind) for kind in kinds(cls).values()])

    def value(self, kind: Kind) -> object:
        pick = self.chance
        if kind.what == "struct":
            assert isinstance(kind.of, StructType)
            return self.struct(kind.of)
        if kind.what == "optional":
            assert isinstance(kind.of, Kind)
            return self.value(kind.of) if pick and pick.random() < 0.7 else None
        if kind.what == "array":
            assert isinstance(kind.of, Kind)
            length = min(pick.randrange(4), kind.limit) if pick else 0
            return [self.value(kind.of) for _ in range(length)]
        return self.scalar(kind)

    def scalar(self, kind: Kind) -> object:
        pick = self.chance
        if kind.what in INTEGERS:
            return pick.choice(INTEGERS[kind.what]) if pick else 0
        if kind.what == "string":
            return pick.choice(STRINGS)[: min(kind.limit, 70000)] if pick else ""
        if kind.what == "uuid":
            return pick.randbytes(16) if pick else bytes(16)
        if kind.what == "charfield":
            return bytes(kind.limit)
        if kind.what in {"opaque", "chars"}:
            return pick.randbytes(pick.randrange(9))[: kind.limit or 9] if pick else b""
        return {"bool": False, "d": 0.0}[kind.what]


@contextlib.contextmanager
def guests(daemon: Daemon, number: int) -> Iterator[tuple[NonnullDomain, NonnullDomain]]:
    """A guest that is off, and one that runs."""
    with Wire(daemon.socket) as wire:
        wire.open()
        definition = DomainDefineXmlArgs(tiny_xml(f"off{number}", memory=64))
        off = DomainDefineXmlRet.decode(wire.call(DOMAIN_DEFINE_XML, definition)).dom
        on = DomainCreateXmlRet.decode(
            wire.call(DOMAIN_CREATE_XML, DomainCreateXmlArgs(tiny_xml(f"on{number}"), 0))
        ).dom
        yield off, on
        for domain in (off, on):
            with contextlib.suppress(Failed):
                wire.call(DOMAIN_DESTROY, DomainDestroyArgs(domain))


def ask(daemon: Daemon, procedure: Procedure, payload: bytes) -> Failed | None:
    """Make one call on a connection of its own; its failure, or None where it succeeded. Fails on silence."""
    with Wire(daemon.socket) as wire:
        if procedure not in {CONNECT_OPEN}:
            wire.open()
        wire.serial += 1
        wire.socket.sendall(encode_packet(procedure.program, 1, procedure.number, CALL, wire.serial, 0, payload))
        try:
            wire.answer(wire.serial)
        except Failed as failure:
            return failure
        except (TimeoutError, EOFError) as error:
            raise AssertionError(f"{procedure!r} with {payload[:60]!r}: {error!r}") from error
    return None


def arguments(procedure: Procedure, values: Values) -> bytes:
    if procedure.args is None:
        return b""
    made = values.struct(procedure.args)
    assert isinstance(made, Struct)
    return made.encode()


def unforeseen(daemon: Daemon) -> set[str]:
    """The exceptions that the daemon logged with a traceback."""
    return set(re.findall(r"^(?:Traceback|\w+(?:Error|Exception|Exit)\b).*$", daemon.output, re.MULTILINE))


def memory(daemon: Daemon, field: str) -> int:
    """Kibibytes of the daemon: VmRSS now, VmHWM at the most."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.findall(rf"^{field}:\s*(\d+) kB$", status, re.MULTILINE)[0])


def test_what_no_driver_answers_says_so(daemon: Daemon) -> None:
    unanswered = [procedure for procedure in CALLS if procedure not in ANSWERED]
    assert unanswered
    for procedure in unanswered:
        failure = ask(daemon, procedure, arguments(procedure, Values(None, None)))
        assert failure is not None, procedure
        assert failure.text is not None
        if procedure.program == ADMIN_PROGRAM:  # libvirt's daemons serve it on a socket of its own
            assert (failure.code, failure.text[:19]) == (Code.RPC, "Cannot find program"), (procedure, failure)
            continue
        assert failure.code == Code.NO_SUPPORT, (procedure, failure)
        assert failure.text.startswith(PHRASES[Code.NO_SUPPORT][0]), (procedure, failure)


@pytest.mark.timeout(300)
def test_what_is_answered_answers_in_time(daemon: Daemon) -> None:
    answered = [procedure for procedure in CALLS if procedure in ANSWERED]
    with guests(daemon, 0) as (off, on):
        for domain in (None, off, on):
            for procedure in answered:
                ask(daemon, procedure, arguments(procedure, Values(domain, None)))
                assert not unforeseen(daemon), (procedure, unforeseen(daemon))
    assert daemon.process is not None
    assert daemon.process.poll() is None


@pytest.mark.timeout(300)
def test_odd_arguments_raise_nothing_unforeseen(daemon: Daemon) -> None:
    chance = random.Random(20110703)
    answered = [procedure for procedure in CALLS if procedure in ANSWERED]
    before = memory(daemon, "VmRSS")
    for number in range(ROUNDS):
        chance.shuffle(answered)
        with guests(daemon, number) as domains:
            for procedure in answered:
                payload = arguments(procedure, Values(chance.choice([None, *domains]), chance))
                ask(daemon, procedure, payload)
                assert not unforeseen(daemon), (number, procedure, payload, unforeseen(daemon))
    assert memory(daemon, "VmHWM") - before < 64 * 1024
    with Wire(daemon.socket) as wire:
        wire.open()
        ret = wire.call(DOMAIN_DEFINE_XML, DomainDefineXmlArgs(tiny_xml("afterwards", memory=64)))
        assert DomainDefineXmlRet.decode(ret).dom.name == "afterwards"
