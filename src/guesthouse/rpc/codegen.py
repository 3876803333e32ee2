"""Compiles the codecs of XDR structs: writes the Python that one would write by hand for a type, and executes it.

Runs of values of fixed size, with the count word of the variable value that follows them, are fused into one
`struct.Struct`; nested structs are inlined. `Struct` calls `constructor`, `encoder` and `decoder` once per type.

The generated decoder of `DomainGetStateArgs`, for example, is:

    def decode(data, offset=0):
        try:
            p = offset
            n1, = s1(data, p)
            if n1 > 4194304: too_long('DomainGetStateArgs.dom.name', n1, 4194304)
            ...

A type that is more than its fields (the tagged union of a typed parameter) brings its own codec: `encode_into(parts)`
appends its bytes to a list, and the static method `decode_from(data, offset)` returns the value and the offset behind
it.
"""

from __future__ import annotations

import struct

from guesthouse.rpc.xdr import Kind, StructType, XdrError, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from guesthouse.rpc.xdr import Constructor, Decoder, Encoder

#: Padding that follows n bytes of data, at index n & 3.
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

#: Kinds of fixed size: struct code, and what a decoder does with the number (`{}`).
_FIXED = {
    "i": ("i", ""),
    "I": ("I", ""),
    "q": ("q", ""),
    "Q": ("Q", ""),
    "d": ("d", ""),
    "bool": ("i", "{} != 0"),
    "char": ("i", "({} & 255 ^ 128) - 128"),
    "uchar": ("I", "{} & 255"),
    "ushort": ("I", "{} & 65535"),
    "uuid": ("16s", ""),
}

#: What an encoder checks before it packs a value, where struct would not: condition that must hold.
_CHECKS = {
    "char": "-128 <= {} <= 127",
    "uchar": "0 <= {} <= 255",
    "ushort": "0 <= {} <= 65535",
    "uuid": "len({}) == 16",
}


def _too_long(where: str, count: int, limit: int) -> NoReturn:
    raise XdrError(f"{where} has {count} elements, more than the {limit} that the protocol allows")


def _short(where: str) -> NoReturn:
    raise XdrError(f"{where}: the data ends too early")


def _bad(where: str, value: object) -> NoReturn:
    raise XdrError(f"{where}: value {value!r} is out of range")


def _nul(where: str) -> NoReturn:
    raise XdrError(f"{where}: a string may not contain NUL")


def _chars_out(values: bytes) -> bytes:
    """Bytes as XDR chars: sign-extended to 4 bytes each."""
    return struct.pack(f">{len(values)}i", *((value ^ 128) - 128 for value in values))


def _chars_in(data: bytes | memoryview, offset: int, count: int) -> bytes:
    """XDR chars as bytes."""
    return bytes(value & 255 for value in struct.unpack_from(f">{count}I", data, offset))


_SCOPE: dict[str, object] = {
    "join": b"".join,
    "pad": PADDING,
    "new": object.__new__,
    "too_long": _too_long,
    "short": _short,
    "bad": _bad,
    "nul": _nul,
    "pack": struct.pack,
    "unpack_from": struct.unpack_from,
    "chars_out": _chars_out,
    "chars_in": _chars_in,
    "StructError": struct.error,
    "XdrError": XdrError,
}


class _Writer:
    """Source lines of one function, and the names that they use."""

    def __init__(self, cls: StructType) -> None:
        self.cls = cls
        self.lines: list[str] = []
        self.depth = 2
        self.scope = dict(_SCOPE)
        self.count = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def name(self, prefix: str) -> str:
        """A fresh variable name."""
        self.count += 1
        return f"{prefix}{self.count}"

    def constant(self, prefix: str, value: object) -> str:
        """A fresh name for a value of the scope."""
        name = self.name(prefix)
        self.scope[name] = value
        return name

    def function(self, name: str) -> object:
        """Execute the lines and return the function."""
        code = compile("\n".join(self.lines), f"<{name} of {self.cls.__name__}>", "exec")
        exec(code, self.scope)  # noqa: S102 - source made above, from our own declarations
        return self.scope[name]


class _DecoderWriter(_Writer):
    """Writes a decoder. `p` is the offset; `run` the fixed values not yet read; `after` waits for them."""

    def __init__(self, cls: StructType) -> None:
        super().__init__(cls)
        self.run: list[tuple[str, str]] = []
        self.after: list[str] = []

    def flush(self) -> None:
        """Read the run, then do what waited for it."""
        if self.run:
            layout = struct.Struct(">" + "".join(code for code, _ in self.run))
            unpack = self.constant("s", layout.unpack_from)
            self.line(f"{', '.join(target for _, target in self.run)}, = {unpack}(data, p)")
            self.line(f"p += {layout.size}")
            self.run = []
        for text in self.after:
            self.line(text)
        self.after = []

    def counted(self, limit: int, where: str) -> str:
        """Read a count together with the run before it, and check it. Returns its variable."""
        count = self.name("n")
        self.run.append(("I", count))
        self.flush()
        self.line(f"if {count} > {limit}: too_long({where!r}, {count}, {limit})")
        return count

    def value(self, kind: Kind, target: str, where: str) -> None:
        """Read one value into the variable `target`."""
        if kind.what in _FIXED:
            code, convert = _FIXED[kind.what]
            self.run.append((code, target))
            if convert:
                self.after.append(f"{target} = {convert.format(target)}")
            return
        getattr(self, "_" + kind.what)(kind, target, where)

    def _string(self, kind: Kind, target: str, where: str) -> None:
        count = self.counted(kind.limit, where)
        self.line(f"{target} = str(data[p:p + {count}], 'utf-8', 'surrogateescape')")
        self.line(f"if '\\0' in {target}: nul({where!r})")
        self.line(f"p += {count} + 3 & -4")

    def _opaque(self, kind: Kind, target: str, where: str) -> None:
        count = self.counted(kind.limit, where)
        self.line(f"{target} = bytes(data[p:p + {count}])")
        self.line(f"p += {count} + 3 & -4")

    def _chars(self, kind: Kind, target: str, where: str) -> None:
        count = self.counted(kind.limit, where)
        self.line(f"{target} = chars_in(data, p, {count})")
        self.line(f"p += 4 * {count}")

    def _charfield(self, kind: Kind, target: str, where: str) -> None:
        self.flush()
        self.line(f"{target} = chars_in(data, p, {kind.limit}).rstrip(b'\\0')")
        self.line(f"p += {4 * kind.limit}")

    def _optional(self, kind: Kind, target: str, where: str) -> None:
        flag = self.name("f")
        self.run.append(("I", flag))
        self.flush()
        self.line(f"{target} = None")
        self.line(f"if {flag}:")
        self._block(_of(kind), target, where)

    def _array(self, kind: Kind, target: str, where: str) -> None:
        count = self.counted(kind.limit, where)
        element = _of(kind)
        if element.what in _FIXED and not _FIXED[element.what][1]:
            layout = struct.calcsize(">" + _FIXED[element.what][0])
            self.line(f"{target} = list(unpack_from('>%d{_FIXED[element.what][0]}' % {count}, data, p))")
            self.line(f"p += {layout} * {count}")
            return
        item = self.name("e")
        self.line(f"{target} = []")
        self.line(f"for _ in range({count}):")
        self._block(element, item, where, f"{target}.append({item})")

    def _block(self, kind: Kind, target: str, where: str, last: str = "") -> None:
        """Read one value in an indented block of its own."""
        self.depth += 1
        self.value(kind, target, where)
        if last:
            self.after.append(last)
        self.flush()
        self.depth -= 1

    def _struct(self, kind: Kind, target: str, where: str) -> None:
        cls = kind.of
        own = getattr(cls, "decode_from", None)
        if own is not None:
            self.flush()
            self.line(f"{target}, p = {self.constant('d', own)}(data, p)")
            return
        if not isinstance(cls, StructType):
            raise TypeError(f"{where} is not a struct")
        values = []
        for field, inner in kinds(cls).items():
            variable = self.name("v")
            self.value(inner, variable, f"{where}.{field}")
            values.append((field, variable))
        self.after.append(f"{target} = new({self.constant('c', cls)})")
        self.after.extend(f"{target}.{field} = {variable}" for field, variable in values)

    def write(self) -> None:
        where = self.cls.__name__
        self.lines += ["def decode(data, offset=0):", "    try:"]
        self.line("p = offset")
        self.value(Kind("struct", where, self.cls), "value", where)
        self.flush()
        self.lines += [
            "    except StructError:",
            f"        short({where!r})",
            "    if p > len(data):",
            f"        short({where!r})",
            "    return value",
        ]


class _EncoderWriter(_Writer):
    """Writes an encoder. `run` holds the fixed values not yet packed, `parts` the expressions not yet in `out`."""

    def __init__(self, cls: StructType) -> None:
        super().__init__(cls)
        self.run: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.listed = False

    def flush(self) -> None:
        """Turn the run into a part."""
        if self.run:
            pack = self.constant("s", struct.Struct(">" + "".join(code for code, _ in self.run)).pack)
            self.parts.append(f"{pack}({', '.join(expression for _, expression in self.run)})")
            self.run = []

    def spill(self) -> None:
        """Put all parts into the list `out`, because a branch or a loop follows or ends."""
        self.flush()
        if self.parts:
            self.line(f"out += ({', '.join(self.parts)},)")
            self.parts = []

    def value(self, kind: Kind, source: str, where: str) -> None:
        """Write the value of the expression `source`."""
        if kind.what in _FIXED:
            if kind.what in _CHECKS:
                self.line(f"if not ({_CHECKS[kind.what].format(source)}): bad({where!r}, {source})")
            self.run.append((_FIXED[kind.what][0], source))
            return
        getattr(self, "_" + kind.what)(kind, source, where)

    def _blob(self, data: str, limit: int, where: str) -> None:
        """Write a count, the bytes in variable `data`, and padding."""
        count = self.name("n")
        self.line(f"{count} = len({data})")
        self.line(f"if {count} > {limit}: too_long({where!r}, {count}, {limit})")
        self.run.append(("I", count))
        self.flush()
        self.parts += [data, f"pad[{count} & 3]"]

    def _string(self, kind: Kind, source: str, where: str) -> None:
        data = self.name("b")
        self.line(f"{data} = {source}.encode('utf-8', 'surrogateescape')")
        self.line(f"if 0 in {data}: nul({where!r})")
        self._blob(data, kind.limit, where)

    def _opaque(self, kind: Kind, source: str, where: str) -> None:
        data = self.name("b")
        self.line(f"{data} = {source}")
        self._blob(data, kind.limit, where)

    def _chars(self, kind: Kind, source: str, where: str) -> None:
        data = self.name("b")
        self.line(f"{data} = chars_out({source})")
        self.line(f"if len({source}) > {kind.limit}: too_long({where!r}, len({source}), {kind.limit})")
        self.run.append(("I", f"len({source})"))
        self.flush()
        self.parts.append(data)

    def _charfield(self, kind: Kind, source: str, where: str) -> None:
        data = self.name("b")
        self.line(f"if len({source}) > {kind.limit}: too_long({where!r}, len({source}), {kind.limit})")
        self.line(f"{data} = chars_out({source}).ljust({4 * kind.limit}, b'\\0')")
        self.flush()
        self.parts.append(data)

    def _optional(self, kind: Kind, source: str, where: str) -> None:
        variable = self.name("v")
        self.spill()
        self.line(f"{variable} = {source}")
        self.line(f"if {variable} is None:")
        self.line("    out.append(b'\\0\\0\\0\\0')")
        self.line("else:")
        self.run.append(("i", "1"))
        self._block(_of(kind), variable, where)

    def _array(self, kind: Kind, source: str, where: str) -> None:
        items, count, element = self.name("a"), self.name("n"), _of(kind)
        self.line(f"{items} = {source}")
        self.line(f"{count} = len({items})")
        self.line(f"if {count} > {kind.limit}: too_long({where!r}, {count}, {kind.limit})")
        self.run.append(("I", count))
        self.flush()
        if element.what in _FIXED and element.what not in _CHECKS:
            self.parts.append(f"pack('>%d{_FIXED[element.what][0]}' % {count}, *{items})")
            return
        self.spill()
        item = self.name("e")
        self.line(f"for {item} in {items}:")
        self._block(element, item, where)

    def _block(self, kind: Kind, source: str, where: str) -> None:
        """Write one value in an indented block of its own."""
        self.listed = True
        self.depth += 1
        self.value(kind, source, where)
        self.spill()
        self.depth -= 1

    def _struct(self, kind: Kind, source: str, where: str) -> None:
        cls = kind.of
        if hasattr(cls, "encode_into"):
            self.listed = True
            self.spill()
            self.line(f"{source}.encode_into(out)")
            return
        if not isinstance(cls, StructType):
            raise TypeError(f"{where} is not a struct")
        if source != "self" and not source.isidentifier():
            variable = self.name("o")
            self.line(f"{variable} = {source}")
            source = variable
        for field, inner in kinds(cls).items():
            self.value(inner, f"{source}.{field}", f"{where}.{field}")

    def write(self) -> None:
        where = self.cls.__name__
        self.value(Kind("struct", where, self.cls), "self", where)
        head = ["def encode(self):", "    try:"]
        if self.listed:
            self.spill()
            head.append("        out = []")
            self.line("return join(out)")
        else:
            self.flush()
            self.line(f"return {self.parts[0]}" if len(self.parts) == 1 else f"return join(({', '.join(self.parts)}))")
        self.lines = [
            *head,
            *self.lines,
            "    except (StructError, AttributeError, TypeError, ValueError) as error:",
            f"        raise XdrError(f'{where}: a value is of a wrong type or out of range: {{error}}') from error",
        ]


def _of(kind: Kind) -> Kind:
    """The kind of an array's elements or of an optional's value."""
    if not isinstance(kind.of, Kind):
        raise TypeError(f"{kind.text} holds nothing")
    return kind.of


def decoder(cls: StructType) -> Decoder:
    """Compile the decoder of a struct."""
    writer = _DecoderWriter(cls)
    writer.write()
    return writer.function("decode")  # type: ignore[return-value]


def encoder(cls: StructType) -> Encoder:
    """Compile the encoder of a struct."""
    writer = _EncoderWriter(cls)
    writer.write()
    return writer.function("encode")  # type: ignore[return-value]


def constructor(cls: StructType) -> Constructor:
    """Compile the constructor of a struct."""
    writer = _Writer(cls)
    writer.depth = 1
    parameters = ["self"]
    for field in cls.fields:
        default = f"={writer.constant('k', cls.defaults[field])}" if field in cls.defaults else ""
        parameters.append(field + default)
        writer.line(f"self.{field} = {field}")
    writer.lines.insert(0, f"def __init__({', '.join(parameters)}):")
    return writer.function("__init__")  # type: ignore[return-value]
