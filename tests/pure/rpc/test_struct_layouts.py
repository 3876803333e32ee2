"""Every declared struct: its wire layout is pinned, and what is written is read back.

`GUESTHOUSE_REGENERATE=1 pytest tests/pure/rpc/test_struct_layouts.py` writes the golden file anew; review its diff.
"""

from __future__ import annotations

import string
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from guesthouse.rpc import codegen, plain
from guesthouse.rpc.programs import ADMIN, GUESTHOUSE, KEEPALIVE, QEMU, REMOTE
from guesthouse.rpc.types import RemoteError, TypedParam
from guesthouse.rpc.xdr import Kind, Struct, StructType, XdrError, kinds
from tests.support import golden

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).with_name("layouts.txt")

PROCEDURES = [
    procedure for program in (REMOTE, QEMU, GUESTHOUSE, ADMIN, KEEPALIVE) for procedure in program.procedures()
]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    [string.ascii_letters, "\udcff\udc80 not UTF-8"]
)

#: Kind to its values, for all that are not made of others.
VALUES: dict[str, st.SearchStrategy[object]] = {
    "i": st.integers(-(2**31), 2**31 - 1),
    "I": st.integers(0, 2**32 - 1),
    "q": st.integers(-(2**63), 2**63 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "d": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "char": st.integers(-128, 127),
    "uchar": st.integers(0, 255),
    "ushort": st.integers(0, 65535),
    "uuid": st.binary(min_size=16, max_size=16),
    "string": TEXT,
    "opaque": st.binary(max_size=9),
    "chars": st.binary(max_size=9),
    "charfield": st.binary(max_size=9).map(lambda data: data.rstrip(b"\0")),
}


@st.composite
def typed_params(draw: st.DrawFn) -> TypedParam:
    type_, kind = draw(st.sampled_from(list(enumerate(("i", "I", "q", "Q", "d", "bool", "string"), start=1))))
    value = draw(VALUES[kind])
    assert isinstance(value, int | float | str)
    return TypedParam(draw(TEXT), type_, value)


def values(kind: Kind) -> st.SearchStrategy[object]:
    """Values of one kind."""
    if kind.what in VALUES:
        return VALUES[kind.what]
    if isinstance(kind.of, Kind):
        inner = values(kind.of)
        return st.none() | inner if kind.what == "optional" else st.lists(inner, max_size=3)
    assert isinstance(kind.of, StructType)
    return instances(kind.of)


def instances(struct: StructType) -> st.SearchStrategy[object]:
    """Instances of one struct."""
    if struct is TypedParam:
        return typed_params()
    return st.tuples(*map(values, kinds(struct).values())).map(lambda fields: struct(*fields))


def within(struct: StructType) -> Iterator[StructType]:
    """The struct and all that it holds."""
    yield struct
    if struct is TypedParam:
        return
    for kind in kinds(struct).values():
        while isinstance(kind.of, Kind):
            kind = kind.of
        if isinstance(kind.of, StructType):
            yield from within(kind.of)


def name(struct: StructType) -> str:
    """The struct's name with its module's."""
    return f"{struct.__module__.rpartition('.')[2]}.{struct.__name__}"


def layout(struct: StructType) -> str:
    """One line: the fields in RFC 4506 notation."""
    return f"{name(struct)}: " + "; ".join(f"{kind.text} {field}" for field, kind in kinds(struct).items())


NAMED: list[StructType] = [RemoteError]
NAMED += [struct for procedure in PROCEDURES for struct in (procedure.args, procedure.ret) if struct is not None]
STRUCTS = sorted({inner for struct in NAMED for inner in within(struct)} - {TypedParam}, key=name)


def test_layouts_are_pinned() -> None:
    lines = [layout(struct) for struct in STRUCTS]
    lines += [
        f"{procedure.program:#010x} {procedure.number:3} {procedure.name} {procedure.kind}"
        f" {procedure.args.__name__ if procedure.args else 'void'}"
        f" -> {procedure.ret.__name__ if procedure.ret else 'void'}"
        f" since {procedure.since} stream {procedure.stream}{' priority' if procedure.priority else ''}"
        for procedure in PROCEDURES
    ]
    golden.compare(GOLDEN, "\n".join(lines) + "\n")


@pytest.mark.parametrize("struct", [*STRUCTS, TypedParam], ids=name)
def test_what_is_written_is_read_back(struct: type[Struct]) -> None:
    compiled_encode, compiled_decode = codegen.encoder(struct), codegen.decoder(struct)

    @settings(
        max_examples=4,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(instances(struct), st.binary(max_size=5))
    def check(value: Struct, trailing: bytes) -> None:
        data = value.encode()
        assert len(data) % 4 == 0
        assert compiled_encode(value) == plain.encode(value) == data
        for decode in (struct.decode, compiled_decode, partial(plain.decode, struct)):
            assert decode(data, 0) == value
            assert decode(memoryview(b"head" + data + trailing), 4) == value
            with pytest.raises(XdrError):
                decode(data[:-1], 0)

    check()


def test_the_whole_protocol_is_declared() -> None:
    assert [procedure.number for procedure in REMOTE.procedures()] == list(range(1, 454))
    assert [procedure.number for procedure in QEMU.procedures()] == list(range(1, 8))
    assert [procedure.number for procedure in ADMIN.procedures()] == list(range(1, 21))
    assert sum(procedure.priority for procedure in REMOTE.procedures()) == 187
    assert len({procedure.name for procedure in REMOTE.procedures()}) == 453
