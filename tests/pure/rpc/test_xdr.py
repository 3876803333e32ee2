"""XDR: one table of bytes for encoders and decoders, and what they refuse."""

from __future__ import annotations

import pytest

from guesthouse.rpc import codegen, plain
from guesthouse.rpc.types import (
    NonnullDomain,
    TypedParam,
    bool_param,
    double_param,
    int_param,
    llong_param,
    string_param,
    uint_param,
    ullong_param,
)
from guesthouse.rpc.xdr import (
    COMPILE_AFTER,
    Annotated,
    Char,
    CharField,
    Chars,
    Hyper,
    Struct,
    UChar,
    UHyper,
    UInt,
    UShort,
    Uuid,
    XdrError,
)


class Numbers(Struct):
    number: int
    count: UInt
    big: Hyper
    huge: UHyper


class Small(Struct):
    char: Char
    byte: UChar
    short: UShort
    flag: bool
    real: float


class Text(Struct):
    text: str
    note: str | None = None


class Blobs(Struct):
    uuid: Uuid
    data: Annotated[bytes, 5]


class CharArrays(Struct):
    label: Annotated[Chars, 3]
    model: Annotated[CharField, 2]


class Lists(Struct):
    numbers: Annotated[list[UHyper], 2]
    names: Annotated[list[str], 2]
    domains: Annotated[list[NonnullDomain], 2]
    flags: Annotated[list[bool], 2]
    ret: UInt


class Nested(Struct):
    dom: NonnullDomain | None
    params: Annotated[list[TypedParam], 8]
    flags: UInt = 0


class Tier:
    """One of the two ways to encode and decode, which must not differ."""

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, value: Struct) -> bytes:
        return plain.encode(value) if self.name == "plain" else codegen.encoder(type(value))(value)

    def decode(self, struct: type[Struct], data: bytes, offset: int = 0) -> object:
        return plain.decode(struct, data, offset) if self.name == "plain" else codegen.decoder(struct)(data, offset)


@pytest.fixture(params=["plain", "compiled"])
def tier(request: pytest.FixtureRequest) -> Tier:
    return Tier(request.param)


UUID = bytes(range(16))
HEX_UUID = UUID.hex()

#: Value and its bytes.
TABLE: list[tuple[Struct, str]] = [
    (Numbers(-1, 2**32 - 1, -2, 2**64 - 1), "ffffffff ffffffff fffffffffffffffe ffffffffffffffff"),
    (Numbers(1, 2, 3, 4), "00000001 00000002 0000000000000003 0000000000000004"),
    (Small(-1, 255, 65535, True, 0.5), "ffffffff 000000ff 0000ffff 00000001 3fe0000000000000"),
    (Text(""), "00000000 00000000"),
    (Text("abcd", ""), "00000004 61626364 00000001 00000000"),
    (Text("é", "abc"), "00000002 c3a90000 00000001 00000003 61626300"),
    (Text("\udcff"), "00000001 ff000000 00000000"),
    (Blobs(UUID, b""), f"{HEX_UUID} 00000000"),
    (Blobs(UUID, b"\0\1\2\3\4"), f"{HEX_UUID} 00000005 00010203 04000000"),
    (CharArrays(b"\0", b""), "00000001 00000000 00000000 00000000"),
    (CharArrays(b"a\xff", b"xy"), "00000002 00000061 ffffffff 00000078 00000079"),
    (Lists([], [], [], [], 7), "00000000 00000000 00000000 00000000 00000007"),
    (
        Lists([1, 2], ["a", "bcdef"], [NonnullDomain("w", UUID, -1)], [True, False], 1),
        "00000002 0000000000000001 0000000000000002"
        " 00000002 00000001 61000000 00000005 6263646566000000"
        f" 00000001 00000001 77000000 {HEX_UUID} ffffffff"
        " 00000002 00000001 00000000 00000001",
    ),
    (Nested(None, []), "00000000 00000000 00000000"),
    (
        Nested(NonnullDomain("w", UUID, 3), [int_param("i", -1), uint_param("u", 1)], flags=9),
        f"00000001 00000001 77000000 {HEX_UUID} 00000003 00000002"
        " 00000001 69000000 00000001 ffffffff 00000001 75000000 00000002 00000001 00000009",
    ),
    (
        Nested(None, [llong_param("l", -1), ullong_param("ul", 1), double_param("d", 0.5)]),
        "00000000 00000003 00000001 6c000000 00000003 ffffffffffffffff"
        " 00000002 756c0000 00000004 0000000000000001 00000001 64000000 00000005 3fe0000000000000 00000000",
    ),
    (
        Nested(None, [bool_param("b", True), string_param("s", "text!")]),
        "00000000 00000002 00000001 62000000 00000006 00000001"
        " 00000001 73000000 00000007 00000005 7465787421000000 00000000",
    ),
]


@pytest.mark.parametrize(("value", "wire"), TABLE, ids=str)
def test_bytes(tier: Tier, value: Struct, wire: str) -> None:
    data = bytes.fromhex(wire)
    assert tier.encode(value) == data
    assert tier.decode(type(value), data) == value
    assert tier.decode(type(value), b"xx" + data + b"trailing", 2) == value


@pytest.mark.parametrize(("value", "wire"), TABLE, ids=str)
def test_every_shorter_piece_is_refused(tier: Tier, value: Struct, wire: str) -> None:
    data = bytes.fromhex(wire)
    for length in range(len(data)):
        with pytest.raises(XdrError):
            tier.decode(type(value), data[:length])


@pytest.mark.parametrize(
    ("struct", "wire", "value"),
    [
        (Text, "00000001 61ffffff 00000000", Text("a")),  # padding is not looked at
        (Text, "00000001 61000000 80000000 00000000", Text("a", "")),  # any flag but 0 counts
        (Small, "00000000 00000100 00010001 00000002 0000000000000000", Small(0, 0, 1, True, 0.0)),
    ],
)
def test_lenience(tier: Tier, struct: type[Struct], wire: str, value: Struct) -> None:
    assert tier.decode(struct, bytes.fromhex(wire)) == value


@pytest.mark.parametrize(
    ("struct", "wire", "text"),
    [
        (Text, "00400001", "Text.text has 4194305 elements, more than the 4194304"),
        (Text, "ffffffff", "Text.text has 4294967295 elements"),
        (Text, "00000001 00000000 00000000", "may not contain NUL"),
        (Blobs, f"{HEX_UUID} 00000006 000000000000 0000", "Blobs.data has 6 elements, more than the 5"),
        (CharArrays, "00000004", "CharArrays.label has 4 elements, more than the 3"),
        (Lists, "00000003", "Lists.numbers has 3 elements, more than the 2"),
        (Nested, "00000000 00000001 00000001 69000000 00000008 00000000", "unknown type 8"),
        (Nested, "00000000 00000001 00400001", "4194305 bytes"),
        (Nested, "00000000 00000001 00000001 00000000", "may not contain NUL"),
    ],
)
def test_hostile_data_is_refused(tier: Tier, struct: type[Struct], wire: str, text: str) -> None:
    with pytest.raises(XdrError, match=text):
        tier.decode(struct, bytes.fromhex(wire))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Numbers(2**31, 0, 0, 0), "out of range"),
        (Numbers(0, -1, 0, 0), "out of range"),
        (Numbers(0, 0, 0, 2**64), "out of range"),
        (Small(128, 0, 0, True, 0.0), "Small.char: value 128 is out of range"),
        (Small(0, 256, 0, True, 0.0), "Small.byte: value 256 is out of range"),
        (Small(0, 0, -1, True, 0.0), "Small.short: value -1 is out of range"),
        (Text("a" * 4194305), "Text.text has 4194305 elements"),
        (Text("a\0b"), "may not contain NUL"),
        (Text("\ud800"), "wrong type or out of range"),
        (Text(None), "wrong type"),  # type: ignore[arg-type]  # what a careless driver does
        (Blobs(b"short", b""), "Blobs.uuid"),
        (Blobs(UUID, b"123456"), "Blobs.data has 6 elements"),
        (CharArrays(b"1234", b""), "CharArrays.label has 4 elements"),
        (CharArrays(b"", b"123"), "CharArrays.model has 3 elements"),
        (Lists([1, 2, 3], [], [], [], 0), "Lists.numbers has 3 elements"),
        (Nested(None, [TypedParam("x", 9, 1)]), "unknown type 9"),
        (Nested(None, [TypedParam("x", 7, 1)]), "wrong type"),
        (Nested(None, [TypedParam("x", 1, 2**31)]), "out of range"),
        (Nested(None, [TypedParam("x\0", 1, 1)]), "contains NUL"),
    ],
)
def test_values_that_cannot_be_encoded(tier: Tier, value: Struct, text: str) -> None:
    with pytest.raises(XdrError, match=text):
        tier.encode(value)


def make(struct: type[Struct], constructor: str, *args: object, **kwargs: object) -> Struct:
    """Construct by one of the two constructors."""
    value: Struct = object.__new__(struct)
    if constructor == "plain":
        plain.construct(value, args, kwargs)
    else:
        codegen.constructor(struct)(value, *args, **kwargs)
    return value


@pytest.mark.parametrize("constructor", ["plain", "compiled"])
def test_constructor(constructor: str) -> None:
    assert make(Nested, constructor, None, params=[]) == make(Nested, constructor, dom=None, params=[], flags=0)
    assert make(Nested, constructor, None, []) != make(Nested, constructor, None, [], 1)
    for args, kwargs in (((), {}), ((None, [], 0, 1), {}), ((None,), {"dom": None, "params": []}), ((), {"color": 1})):
        with pytest.raises(TypeError):
            make(Nested, constructor, *args, **kwargs)


def test_values() -> None:
    assert Text("a") != Numbers(0, 0, 0, 0)
    assert repr(Text("a", note="b")) == "Text(text='a', note='b')"
    with pytest.raises(TypeError):
        hash(Text("a"))
    with pytest.raises(AttributeError):
        Text("a").color = 1  # type: ignore[attr-defined]


def test_a_type_that_is_used_often_is_compiled() -> None:
    class Often(Struct):
        number: int

    for number in range(COMPILE_AFTER):
        assert Often.decode(Often(number).encode()) == Often(number)
    assert {"__init__", "encode", "decode"} <= vars(Often).keys()
    assert Often.decode(Often(7).encode()) == Often(7)
