"""100,000 hostile messages: the server's side answers, drops or closes, and does nothing else."""

from __future__ import annotations

import random

from guesthouse.rpc.packet import CALL, Framer, FramingError, encode_packet
from guesthouse.rpc.programs import ADMIN, QEMU, REMOTE
from guesthouse.rpc.server import Refused, ServerProtocol

PROGRAMS = {program.number: program for program in (REMOTE, QEMU, ADMIN)}
PROCEDURES = [procedure for program in PROGRAMS.values() for procedure in program.procedures()]


def arguments(rng: random.Random) -> bytes:
    """Words that look like counts, flags and text more often than random bytes would."""
    words = (0, 0, 1, 1, 2, 4, 16, 255, 16384, 4194304, 4194305, 0x61626364, 0x7FFFFFFF, 0xFFFFFFFF)
    return b"".join(rng.choice(words).to_bytes(4) for _ in range(rng.randrange(16))) + rng.randbytes(rng.randrange(5))


def message(rng: random.Random) -> bytes:
    """A call that is well framed."""
    procedure = rng.choice(PROCEDURES)
    type_ = CALL if rng.random() < 0.8 else rng.randrange(-1, 8)
    status = 0 if rng.random() < 0.9 else rng.randrange(-1, 4)
    return encode_packet(procedure.program, 1, procedure.number, type_, rng.randrange(2**32), status, arguments(rng))


def mutated(rng: random.Random, data: bytes) -> bytes:
    """`data` with some bytes changed, cut out or put in."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(changed) + 1)
        choice = rng.randrange(3)
        if choice == 0 and at < len(changed):
            changed[at] = rng.randrange(256)
        elif choice == 1:
            del changed[at : at + rng.randrange(1, 8)]
        else:
            changed[at:at] = rng.randbytes(rng.randrange(1, 8))
    return bytes(changed)


def hostile(rng: random.Random) -> bytes:
    """Well framed nonsense, damaged messages with and without a length that fits, and noise."""
    choice = rng.randrange(10)
    if choice < 5:
        return message(rng)
    if choice == 9:
        return rng.randbytes(rng.randrange(80))
    data = mutated(rng, message(rng))
    return len(data).to_bytes(4) + data[4:] if choice < 8 else data


def test_hostile_messages_do_no_harm() -> None:
    rng = random.Random(20120601)
    protocol = ServerProtocol(PROGRAMS)
    outcomes = {"served": 0, "refused": 0, "closed": 0, "waiting": 0}
    for _ in range(100_000):
        before = sum(outcomes.values())
        try:
            for event in protocol.receive(hostile(rng)):
                if isinstance(event, Refused):
                    outcomes["refused"] += 1
                    assert len(Framer().feed(event.packet)) == 1
                else:
                    outcomes["served"] += 1
        except FramingError:
            outcomes["closed"] += 1
            protocol = ServerProtocol(PROGRAMS)
        if sum(outcomes.values()) == before:
            outcomes["waiting"] += 1
            protocol = ServerProtocol(PROGRAMS)
    assert min(outcomes.values()) > 5_000, outcomes
