"""XDR (RFC 4506): structs declared as classes, with codecs that are compiled on first use.

A struct is a class whose annotations are its wire format, in wire order:

    class DomainGetStateArgs(Struct):
        dom: NonnullDomain
        flags: UInt = 0

The words that an annotation may use, and what they are on the wire:

==========================  =====================================================================
`int`, `UInt`               4 bytes, signed and unsigned
`Hyper`, `UHyper`           8 bytes, signed and unsigned
`Char`, `UChar`, `UShort`   small integers; 4 bytes each, as rpcgen encodes them
`bool`, `float`             4 bytes; 8 bytes
`str`                       counted, padded UTF-8, at most `STRING_MAX` bytes
`Uuid`                      16 raw bytes, without a count
`Annotated[bytes, n]`       opaque: counted, padded, at most n bytes
`Annotated[Chars, n]`       array of char: every byte takes 4 bytes on the wire, at most n of them
`Annotated[CharField, n]`   exactly n chars of 4 bytes; shorter values are padded with NULs, which decoding strips
`Annotated[list[T], n]`     array of T, at most n elements
`T | None`                  optional: a flag of 4 bytes, then the value
a `Struct`                  its fields
==========================  =====================================================================

Annotations are never evaluated when a class is made, which keeps hundreds of declarations cheap. The first few uses of
a type read its declaration as they go (`guesthouse.rpc.plain`); after `COMPILE_AFTER` of them, `encode`, `decode` and
the constructor are compiled for that type when next called (`guesthouse.rpc.codegen`).

Strings may hold any bytes but NUL, as in C; bytes that are not UTF-8 become surrogate escapes, as Python does for
file names. Nonzero padding and bytes after the struct are accepted, as libvirtd does.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, Self, TypeVar, dataclass_transform

    T = TypeVar("T")

    class Encoder(Protocol):
        """A compiled encoder."""

        def __call__(self, value: Struct, /) -> bytes: ...  # noqa: D102

    class Constructor(Protocol):
        """A compiled constructor."""

        def __call__(self, value: Struct, /, *args: object, **kwargs: object) -> None: ...  # noqa: D102

    class Decoder(Protocol):
        """A compiled decoder."""

        def __call__(self, data: bytes | memoryview, offset: int = 0, /) -> Struct: ...  # noqa: D102

else:

    def dataclass_transform() -> Callable[[T], T]:
        """Stand in for the decorator that only type checkers read; `typing` is too slow to import."""
        return lambda decorated: decorated


#: Longest string in bytes (`REMOTE_STRING_MAX` of libvirt's remote protocol).
STRING_MAX = 4194304


#: Uses of a type before its codecs are compiled: a command that lives for milliseconds should not compile any.
COMPILE_AFTER = 24


class XdrError(Exception):
    """Data that is short, over a limit or not of the declared form; in either direction."""


class StructType(type):
    """Turns annotations into slots. Values in the class body are the constructor's defaults (immutable ones only)."""

    #: Field name to annotation, in wire order.
    fields: dict[str, str]
    #: Field name to the constructor's default.
    defaults: dict[str, object]
    #: Field name to kind, once it was asked for: see `kinds`.
    layout: dict[str, Kind] | None
    #: Uses of the type so far.
    uses: int

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> StructType:
        """Make the class; its codecs come later."""
        annotations: dict[str, str] = namespace.get("__annotations__", {})  # type: ignore[assignment]
        namespace["fields"] = annotations
        namespace["defaults"] = {field: namespace.pop(field) for field in annotations if field in namespace}
        namespace["layout"] = None
        namespace["uses"] = 0
        namespace["__slots__"] = tuple(annotations)
        return type.__new__(mcs, name, bases, namespace)


@dataclass_transform()
class Struct(metaclass=StructType):
    """Base of all XDR structs. Instances compare by their fields and are made by position or by keyword."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        if _cold(type(self)):
            from guesthouse.rpc import plain

            plain.construct(self, args, kwargs)
        else:
            _compile(type(self), "constructor", "__init__")
            self.__init__(*args, **kwargs)  # type: ignore[misc]  # now the compiled one

    def encode(self) -> bytes:
        """The struct's bytes. Raises XdrError when a value is out of range, over its limit or of a wrong type."""
        if _cold(type(self)):
            from guesthouse.rpc import plain

            return plain.encode(self)
        return _compile(type(self), "encoder", "encode")(self)  # type: ignore[no-any-return, operator]

    @classmethod
    def decode(cls, data: bytes | memoryview, offset: int = 0) -> Self:
        """Read the struct that starts at `offset`; bytes after it are ignored.

        Raises XdrError when the data is short or a count is over its limit.
        """
        if _cold(cls):
            from guesthouse.rpc import plain

            return plain.decode(cls, data, offset)  # type: ignore[return-value]
        return _compile(cls, "decoder", "decode")(data, offset)  # type: ignore[no-any-return, operator]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).fields)
        return f"{type(self).__name__}({fields})"


def _cold(cls: StructType) -> bool:
    """Count a use; whether it is one of the first."""
    cls.uses += 1
    return cls.uses <= COMPILE_AFTER


def _compile(cls: StructType, what: str, attribute: str) -> object:
    """Compile one function for one type and put it in place of the inherited one."""
    from guesthouse.rpc import codegen

    function = getattr(codegen, what)(cls)
    setattr(cls, attribute, staticmethod(function) if what == "decoder" else function)
    return function


class Kind:
    """How one value looks on the wire. `text` is the kind in the notation of RFC 4506."""

    __slots__ = ("limit", "of", "text", "what")

    def __init__(self, what: str, text: str, of: Kind | StructType | None = None, limit: int = 0) -> None:
        self.what = what
        self.text = text
        self.of = of
        self.limit = limit

    def __or__(self, _none: None) -> Kind:
        return Kind("optional", f"*{self.text}", self)


class _ListWord:
    """`list[T]` in an annotation."""

    def __getitem__(self, item: object) -> Kind:
        kind = _kind(item)
        return Kind("array", kind.text, kind)


class _AnnotatedWord:
    """`Annotated[T, limit]` in an annotation."""

    def __getitem__(self, item: tuple[Kind, int]) -> Kind:
        kind, limit = item
        brackets = f"[{limit}]" if kind.what == "charfield" else f"<{limit}>"
        return Kind(kind.what, kind.text + brackets, kind.of, limit)


if TYPE_CHECKING:
    from typing import Annotated as Annotated

    UInt = int
    Hyper = int
    UHyper = int
    Char = int
    UChar = int
    UShort = int
    Uuid = bytes
    Chars = bytes
    CharField = bytes
else:
    Annotated = _AnnotatedWord()
    UInt = Kind("I", "unsigned int")
    Hyper = Kind("q", "hyper")
    UHyper = Kind("Q", "unsigned hyper")
    Char = Kind("char", "char")
    UChar = Kind("uchar", "unsigned char")
    UShort = Kind("ushort", "unsigned short")
    Uuid = Kind("uuid", "opaque[16]")
    Chars = Kind("chars", "char")
    CharField = Kind("charfield", "char")

#: What the builtins mean in an annotation.
_BUILTINS: dict[str, object] = {
    "int": Kind("i", "int"),
    "bool": Kind("bool", "bool"),
    "float": Kind("d", "double"),
    "str": Kind("string", f"string<{STRING_MAX}>", limit=STRING_MAX),
    "bytes": Kind("opaque", "opaque"),
    "list": _ListWord(),
}


def _kind(item: object) -> Kind:
    """The kind of an evaluated annotation."""
    if isinstance(item, Kind):
        return item
    if isinstance(item, StructType):
        return Kind("struct", item.__name__, item)
    of = _kind(item.__args__[0])  # type: ignore[attr-defined]  # `Struct | None`, a types.UnionType
    return Kind("optional", f"*{of.text}", of)


def kinds(cls: StructType) -> dict[str, Kind]:
    """Field name to kind, in wire order, of one struct."""
    if cls.layout is None:
        scope = {**vars(sys.modules[cls.__module__]), **_BUILTINS}
        found = {}
        for name, annotation in cls.fields.items():
            word = scope.get(annotation)
            found[name] = _kind(eval(annotation, scope) if word is None else word)  # noqa: S307 - our own source
        cls.layout = found
    return cls.layout
