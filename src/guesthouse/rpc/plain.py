"""The codecs of XDR structs, straight from the declaration: slow per value, but there at once.

A short-lived command encodes and decodes most types once or twice, and compiling a codec (`guesthouse.rpc.codegen`)
costs as much as some hundred uses of these. So the first few uses of a type come here. Both do exactly the same; the
tests hold one against the other.
"""

from __future__ import annotations

import struct

from guesthouse.rpc.xdr import Kind, Struct, StructType, XdrError, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Data = bytes | memoryview
    Put = Callable[[Kind, object, list[bytes], str], None]
    Get = Callable[[Kind, Data, int, str], tuple[object, int]]

#: Kinds of fixed size.
_LAYOUTS = {
    "i": struct.Struct(">i"),
    "I": struct.Struct(">I"),
    "q": struct.Struct(">q"),
    "Q": struct.Struct(">Q"),
    "d": struct.Struct(">d"),
    "bool": struct.Struct(">i"),
    "char": struct.Struct(">i"),
    "uchar": struct.Struct(">I"),
    "ushort": struct.Struct(">I"),
}

#: Values of the kinds that are smaller than their 4 bytes.
_RANGES = {"char": range(-128, 128), "uchar": range(256), "ushort": range(65536)}

_COUNT = struct.Struct(">I")

#: Padding that follows n bytes of data, at index n & 3.
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def construct(target: Struct, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    """Set the fields as a constructor does. Raises TypeError for arguments that do not fit them."""
    cls = type(target)
    names = list(cls.fields)
    given = dict(zip(names, args, strict=False))
    values = {**cls.defaults, **given, **kwargs}
    if len(args) > len(names) or given.keys() & kwargs.keys() or values.keys() != cls.fields.keys():
        raise TypeError(f"{cls.__name__} needs each of {', '.join(names)} once")
    for name in names:
        setattr(target, name, values[name])


def encode(value: Struct) -> bytes:
    """The struct's bytes; see `Struct.encode`."""
    cls = type(value)
    parts: list[bytes] = []
    try:
        _put_struct(Kind("struct", "", cls), value, parts, cls.__name__)
    except (struct.error, AttributeError, TypeError, ValueError) as error:
        raise XdrError(f"{cls.__name__}: a value is of a wrong type or out of range: {error}") from error
    return b"".join(parts)


def decode(cls: StructType, data: Data, offset: int) -> object:
    """The struct that starts at `offset`; see `Struct.decode`."""
    try:
        value, end = _get_struct(Kind("struct", "", cls), data, offset, cls.__name__)
    except struct.error:
        value, end = None, len(data) + 1
    if end > len(data):
        raise XdrError(f"{cls.__name__}: the data ends too early")
    return value


def _checked(count: int, kind: Kind, where: str) -> int:
    """A count that is within the limit of its kind."""
    if count > kind.limit:
        raise XdrError(f"{where} has {count} elements, more than the {kind.limit} that the protocol allows")
    return count


def _count(kind: Kind, data: Data, offset: int, where: str) -> int:
    """The count at `offset`."""
    return _checked(_COUNT.unpack_from(data, offset)[0], kind, where)


def _put_number(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    if kind.what in _RANGES and value not in _RANGES[kind.what]:
        raise XdrError(f"{where}: value {value!r} is out of range")
    parts.append(_LAYOUTS[kind.what].pack(value))


def _get_number(kind: Kind, data: Data, offset: int, _where: str) -> tuple[object, int]:
    layout = _LAYOUTS[kind.what]
    (number,) = layout.unpack_from(data, offset)
    if kind.what == "bool":
        number = number != 0
    elif kind.what == "char":
        number = (number & 255 ^ 128) - 128
    elif kind.what in _RANGES:
        number &= len(_RANGES[kind.what]) - 1
    return number, offset + layout.size


def _put_uuid(_kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    data = bytes(memoryview(value))  # type: ignore[arg-type]  # anything else is the TypeError that `encode` reports
    if len(data) != 16:
        raise XdrError(f"{where}: value {value!r} is out of range")
    parts.append(data)


def _get_uuid(_kind: Kind, data: Data, offset: int, _where: str) -> tuple[object, int]:
    return struct.unpack_from("16s", data, offset)[0], offset + 16


def _put_string(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    data = value.encode("utf-8", "surrogateescape")  # type: ignore[attr-defined]  # as above: an AttributeError
    if 0 in data:
        raise XdrError(f"{where}: a string may not contain NUL")
    _put_opaque(kind, data, parts, where)


def _get_string(kind: Kind, data: Data, offset: int, where: str) -> tuple[object, int]:
    found, offset = _get_opaque(kind, data, offset, where)
    text = str(found, "utf-8", "surrogateescape")
    if "\0" in text:
        raise XdrError(f"{where}: a string may not contain NUL")
    return text, offset


def _put_opaque(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    data = bytes(memoryview(value))  # type: ignore[arg-type]
    count = _checked(len(data), kind, where)
    parts += (_COUNT.pack(count), data, _PADDING[count & 3])


def _get_opaque(kind: Kind, data: Data, offset: int, where: str) -> tuple[bytes, int]:
    count = _count(kind, data, offset, where)
    start = offset + 4
    return bytes(data[start : start + count]), start + (count + 3 & -4)


def _put_chars(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    data = bytes(memoryview(value))  # type: ignore[arg-type]
    count = _checked(len(data), kind, where)
    if kind.what == "charfield":
        data = data.ljust(kind.limit, b"\0")
    else:
        parts.append(_COUNT.pack(count))
    parts.append(struct.pack(f">{len(data)}i", *((byte ^ 128) - 128 for byte in data)))


def _get_chars(kind: Kind, data: Data, offset: int, where: str) -> tuple[object, int]:
    count, padded = kind.limit, kind.what == "charfield"
    if not padded:
        count = _count(kind, data, offset, where)
        offset += 4
    chars = bytes(number & 255 for number in struct.unpack_from(f">{count}I", data, offset))
    return chars.rstrip(b"\0") if padded else chars, offset + 4 * count


def _put_optional(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    parts.append(_COUNT.pack(value is not None))
    if value is not None:
        _put(kind.of, value, parts, where)


def _get_optional(kind: Kind, data: Data, offset: int, where: str) -> tuple[object, int]:
    (flag,) = _COUNT.unpack_from(data, offset)
    return _get(kind.of, data, offset + 4, where) if flag else (None, offset + 4)


def _put_array(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    items = list(value)  # type: ignore[call-overload]
    parts.append(_COUNT.pack(_checked(len(items), kind, where)))
    for item in items:
        _put(kind.of, item, parts, where)


def _get_array(kind: Kind, data: Data, offset: int, where: str) -> tuple[object, int]:
    count = _count(kind, data, offset, where)
    offset += 4
    items = []
    for _ in range(count):
        item, offset = _get(kind.of, data, offset, where)
        items.append(item)
    return items, offset


def _put_struct(kind: Kind, value: object, parts: list[bytes], where: str) -> None:
    own = getattr(kind.of, "encode_into", None)
    if own is not None:
        own(value, parts)
        return
    for name, inner in kinds(kind.of).items():  # type: ignore[arg-type]  # the kind of a struct holds its class
        _PUT[inner.what](inner, getattr(value, name), parts, f"{where}.{name}")


def _get_struct(kind: Kind, data: Data, offset: int, where: str) -> tuple[object, int]:
    own = getattr(kind.of, "decode_from", None)
    if own is not None:
        found: tuple[object, int] = own(data, offset)
        return found
    cls = kind.of
    value: Struct = object.__new__(cls)  # type: ignore[arg-type]  # the kind of a struct holds its class
    for name, inner in kinds(cls).items():  # type: ignore[arg-type]
        field, offset = _GET[inner.what](inner, data, offset, f"{where}.{name}")
        setattr(value, name, field)
    return value, offset


def _put(kind: Kind | StructType | None, value: object, parts: list[bytes], where: str) -> None:
    """Write an array's element or an optional's value."""
    _PUT[kind.what](kind, value, parts, where)  # type: ignore[union-attr, arg-type]  # such kinds hold a kind


def _get(kind: Kind | StructType | None, data: Data, offset: int, where: str) -> tuple[object, int]:
    """Read an array's element or an optional's value."""
    return _GET[kind.what](kind, data, offset, where)  # type: ignore[union-attr, arg-type]  # such kinds hold a kind


_PUT: dict[str, Put] = {
    **dict.fromkeys(_LAYOUTS, _put_number),
    "uuid": _put_uuid,
    "string": _put_string,
    "opaque": _put_opaque,
    "chars": _put_chars,
    "charfield": _put_chars,
    "optional": _put_optional,
    "array": _put_array,
    "struct": _put_struct,
}

_GET: dict[str, Get] = {
    **dict.fromkeys(_LAYOUTS, _get_number),
    "uuid": _get_uuid,
    "string": _get_string,
    "opaque": _get_opaque,
    "chars": _get_chars,
    "charfield": _get_chars,
    "optional": _get_optional,
    "array": _get_array,
    "struct": _get_struct,
}
