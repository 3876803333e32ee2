"""Definitions that mean no good, over the socket: each is accepted or refused, and the daemon stays as it was."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.errors import Code
from guesthouse.rpc.procedures.connect import CONNECT_BASELINE_CPU, ConnectBaselineCpuArgs
from guesthouse.rpc.procedures.domain import (
    DOMAIN_DEFINE_XML,
    DOMAIN_UNDEFINE_FLAGS,
    DomainDefineXmlArgs,
    DomainDefineXmlRet,
    DomainUndefineFlagsArgs,
)
from tests.real.server.serverkit import Failed, Wire
from tests.support.daemon import Daemon

pytestmark = pytest.mark.real

DOCUMENTS = sorted((Path(__file__).parent.parent / "pure/model").rglob("*.xml"))
DEFINITIONS = 10_000
MEGABYTE = 1 << 20
ODD_VALUES = ["", "-1", "0", "99999999999999999999", "0x", "é", "a,b=c", "..", "/", "%s", "\n", "x" * 5000, "&#x2028;"]
BOMB = '<!DOCTYPE domain [<!ENTITY a "aaaaaaaaaa">{}]><domain type="qemu"><name>&j;</name></domain>'.format(
    "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True))
)
OUTSIDE = '<!DOCTYPE domain [<!ENTITY f SYSTEM "file:///etc/hostname">]><domain type="qemu"><name>&f;</name></domain>'
DEEP = "<domain>" * 100_000


def mutated(chance: random.Random) -> Iterator[str]:
    """Real documents with something wrong in each, or nothing."""
    texts = [path.read_text() for path in DOCUMENTS]
    while True:
        text = chance.choice(texts)
        for _ in range(chance.randrange(1, 4)):
            text = chance.choice(MUTATIONS)(chance, text)
        yield text


def other_value(chance: random.Random, text: str) -> str:
    found = chance.choice(list(re.finditer(r"'([^'<>]*)'|\"([^\"<>]*)\"|>([^<>]+)<", text)) or [None])
    if found is None:
        return text
    group = found.lastindex or 0
    return text[: found.start(group)] + chance.choice(ODD_VALUES) + text[found.end(group) :]


def other_element(chance: random.Random, text: str) -> str:
    names = list(re.finditer(r"</?([a-z]+)", text))
    if not names:
        return text
    one, two = chance.choice(names), chance.choice(names)
    return text[: one.start(1)] + two.group(1) + text[one.end(1) :]


def repeated_part(chance: random.Random, text: str) -> str:
    lines = text.splitlines()
    start = chance.randrange(len(lines)) if lines else 0
    part = lines[start : start + chance.randrange(1, 6)]
    where = chance.randrange(len(lines) + 1)
    return "\n".join(lines[:where] + part * chance.choice((1, 2, 50)) + lines[where:])


def missing_part(chance: random.Random, text: str) -> str:
    lines = text.splitlines()
    start = chance.randrange(len(lines)) if lines else 0
    return "\n".join(lines[:start] + lines[start + chance.randrange(1, 6) :])


def missing_tail(chance: random.Random, text: str) -> str:
    return text[: chance.randrange(len(text))] if text else text


MUTATIONS = [other_value, other_value, other_value, other_element, repeated_part, missing_part, missing_tail]


def define(wire: Wire, text: str) -> Failed | None:
    """Define, and undefine what was accepted; the failure of the first, if it failed."""
    try:
        dom = DomainDefineXmlRet.decode(wire.call(DOMAIN_DEFINE_XML, DomainDefineXmlArgs(text))).dom
    except Failed as failure:
        return failure
    wire.call(DOMAIN_UNDEFINE_FLAGS, DomainUndefineFlagsArgs(dom, 4))
    return None


def memory(daemon: Daemon) -> int:
    return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def tracebacks(daemon: Daemon) -> list[str]:
    return re.findall(r"^Traceback.*$", daemon.output, re.MULTILINE)


@pytest.mark.timeout(300)
def test_mutated_definitions(daemon: Daemon) -> None:
    documents = mutated(random.Random(1910))
    codes: dict[int | None, int] = {}
    with Wire(daemon.socket) as wire:
        wire.open()
        for number in range(DEFINITIONS):
            text = next(documents)
            failure = define(wire, text)
            code = failure.code if failure else None
            codes[code] = codes.get(code, 0) + 1
            assert not tracebacks(daemon), (text, daemon.output)
            if number == DEFINITIONS // 5:
                settled = memory(daemon)
        assert memory(daemon) - settled < 8 * MEGABYTE
    assert codes[None] > 100
    assert codes.get(Code.INTERNAL_ERROR, 0) < DEFINITIONS // 100, codes


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, DEEP, "", "<", "<domain/>" * 2], ids=range(6))
def test_documents_that_attack_the_parser(daemon: Daemon, text: str) -> None:
    with Wire(daemon.socket) as wire:
        wire.open()
        before = memory(daemon)
        for _ in range(3):
            failure = define(wire, text)
            assert failure is not None
            assert failure.code in {Code.XML_ERROR, Code.XML_DETAIL, Code.INVALID_ARG, Code.CONFIG_UNSUPPORTED}, failure
            with pytest.raises(Failed):
                wire.call(CONNECT_BASELINE_CPU, ConnectBaselineCpuArgs([text], 0))
        assert memory(daemon) - before < 32 * MEGABYTE
        assert not tracebacks(daemon), daemon.output
