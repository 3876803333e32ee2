"""Structs that many procedures share: how objects are named on the wire, typed parameters, and the error.

Source: the data types at the head of libvirt's `remote_protocol.x`, and of `virnetprotocol.x` for the error.
"""

from __future__ import annotations

import struct

from guesthouse.errors import PHRASES, LibvirtError
from guesthouse.rpc.xdr import STRING_MAX, Struct, Uuid, XdrError


class Encoded(Struct):
    """A reply whose bytes are known already: a driver answers a frequent question from a cache of encoded parts.

    Whoever makes one answers for its form; it goes out as it is, whatever the procedure's reply is declared to be.
    """

    data: bytes

    def encode(self) -> bytes:
        """The bytes."""
        return self.data


class NonnullDomain(Struct):
    """A guest. The UUID identifies it; name and id (-1 while it is off) are hints."""

    name: str
    uuid: Uuid
    id: int


class NonnullNetwork(Struct):
    """A virtual network; the UUID identifies it."""

    name: str
    uuid: Uuid


class NonnullNetworkPort(Struct):
    """A port of a virtual network."""

    net: NonnullNetwork
    uuid: Uuid


class NonnullNwfilter(Struct):
    """A network filter; the UUID identifies it."""

    name: str
    uuid: Uuid


class NonnullNwfilterBinding(Struct):
    """A network filter at work on a host interface, which identifies it."""

    portdev: str
    filtername: str


class NonnullInterface(Struct):
    """A host interface, identified by name."""

    name: str
    mac: str


class NonnullStoragePool(Struct):
    """A storage pool; the UUID identifies it."""

    name: str
    uuid: Uuid


class NonnullStorageVol(Struct):
    """A storage volume, identified by pool and name; `key` is a hint."""

    pool: str
    name: str
    key: str


class NonnullNodeDevice(Struct):
    """A device of the host, identified by name."""

    name: str


class NonnullSecret(Struct):
    """A secret; the UUID identifies it. `usageType` is one of libvirt's `virSecretUsageType`."""

    uuid: Uuid
    usageType: int
    usageID: str


class NonnullDomainCheckpoint(Struct):
    """A checkpoint of a guest, identified by its name within the guest."""

    name: str
    dom: NonnullDomain


class NonnullDomainSnapshot(Struct):
    """A snapshot of a guest, identified by its name within the guest."""

    name: str
    dom: NonnullDomain


#: Types of a typed parameter (libvirt's `virTypedParameterType`).
PARAM_INT, PARAM_UINT, PARAM_LLONG, PARAM_ULLONG, PARAM_DOUBLE, PARAM_BOOLEAN, PARAM_STRING = range(1, 8)

_COUNT = struct.Struct(">I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

#: Type to the layout of its number.
_NUMBERS = {
    PARAM_INT: struct.Struct(">i"),
    PARAM_UINT: struct.Struct(">I"),
    PARAM_LLONG: struct.Struct(">q"),
    PARAM_ULLONG: struct.Struct(">Q"),
    PARAM_DOUBLE: struct.Struct(">d"),
    PARAM_BOOLEAN: struct.Struct(">i"),
}
_PACK = {type_: layout.pack for type_, layout in _NUMBERS.items()}

#: What comes before the value of a parameter, by field and type: statistics repeat few names for many guests.
_heads: dict[tuple[str, int], bytes] = {}

#: Heads to keep; then the cache starts anew.
_HEADS_MAX = 4096


def _head(field: str, type_: int) -> bytes:
    """The field's name and the type as bytes; kept for the next time."""
    if type_ != PARAM_STRING and type_ not in _NUMBERS:
        raise XdrError(f"typed parameter {field!r}: unknown type {type_}")
    name = _bytes(field)
    head = _COUNT.pack(len(name)) + name + _PADDING[len(name) & 3] + _COUNT.pack(type_)
    if len(_heads) >= _HEADS_MAX:
        _heads.clear()
    if len(name) < 80:
        _heads[field, type_] = head
    return head


def _text(data: bytes | memoryview, offset: int) -> tuple[str, int]:
    """A string at `offset`, and the offset behind its padding."""
    (count,) = _COUNT.unpack_from(data, offset)
    if count > STRING_MAX:
        raise XdrError(f"typed parameter: a string of {count} bytes, more than the {STRING_MAX} allowed")
    start = offset + 4
    text = str(data[start : start + count], "utf-8", "surrogateescape")
    if "\0" in text:
        raise XdrError("typed parameter: a string may not contain NUL")
    return text, start + (count + 3 & -4)


def _bytes(text: str) -> bytes:
    """A string as the bytes that follow its count."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > STRING_MAX or 0 in data:
        raise XdrError(f"typed parameter: a string of {len(data)} bytes is too long or contains NUL")
    return data


class TypedParam(Struct):
    """A named value whose type is told on the wire: `remote_typed_param`. `type` is one of the PARAM constants.

    An unknown type makes libvirt's client refuse the whole reply; so do field names over 79 bytes.
    """

    field: str
    type: int
    value: int | float | str | bool

    def encode_into(self, parts: list[bytes]) -> None:
        """Append the parameter's bytes to `parts`."""
        type_ = self.type
        head = _heads.get((self.field, type_)) or _head(self.field, type_)
        if type_ == PARAM_STRING:
            data = _bytes(self.value)  # type: ignore[arg-type]  # anything else has no encode: an XdrError of the caller
            size = len(data)
            parts += (head, _COUNT.pack(size), data, _PADDING[size & 3])
        else:
            parts += (head, _PACK[type_](self.value))

    @staticmethod
    def decode_from(data: bytes | memoryview, offset: int) -> tuple[TypedParam, int]:
        """Read the parameter at `offset`. Returns it and the offset behind it."""
        name, offset = _text(data, offset)
        (type_,) = _COUNT.unpack_from(data, offset)
        offset += 4
        if type_ == PARAM_STRING:
            text, offset = _text(data, offset)
            return TypedParam(name, type_, text), offset
        layout = _NUMBERS.get(type_)
        if layout is None:
            raise XdrError(f"typed parameter {name!r}: unknown type {type_}")
        (number,) = layout.unpack_from(data, offset)
        return TypedParam(name, type_, number != 0 if type_ == PARAM_BOOLEAN else number), offset + layout.size


def int_param(field: str, value: int) -> TypedParam:
    """A signed parameter of 32 bits."""
    return TypedParam(field, PARAM_INT, value)


def uint_param(field: str, value: int) -> TypedParam:
    """An unsigned parameter of 32 bits."""
    return TypedParam(field, PARAM_UINT, value)


def llong_param(field: str, value: int) -> TypedParam:
    """A signed parameter of 64 bits."""
    return TypedParam(field, PARAM_LLONG, value)


def ullong_param(field: str, value: int) -> TypedParam:
    """An unsigned parameter of 64 bits."""
    return TypedParam(field, PARAM_ULLONG, value)


def double_param(field: str, value: float) -> TypedParam:
    """A floating point parameter."""
    return TypedParam(field, PARAM_DOUBLE, value)


def bool_param(field: str, value: bool) -> TypedParam:
    """A boolean parameter."""
    return TypedParam(field, PARAM_BOOLEAN, value)


def string_param(field: str, value: str) -> TypedParam:
    """A string parameter. Only for clients that said (by a flag of the call) that they know strings."""
    return TypedParam(field, PARAM_STRING, value)


#: `level` of an error that ended the call (libvirt's `VIR_ERR_ERROR`).
LEVEL_ERROR = 2


class ReportedError(LibvirtError):
    """An error that the other side reported, with its own text."""

    def __init__(self, text: str, code: int, domain: int) -> None:
        self.text = text
        super().__init__(text, code=code, domain=domain)

    @property
    def message(self) -> str:
        """The text as it came."""
        return self.text


class RemoteError(Struct):
    """What a failed call is answered with. Clients print `message` and branch on `code`."""

    code: int
    domain: int
    message: str | None = None
    level: int = LEVEL_ERROR
    dom: NonnullDomain | None = None
    str1: str | None = None
    str2: str | None = None
    str3: str | None = None
    int1: int = -1
    int2: int = -1
    net: NonnullNetwork | None = None

    @classmethod
    def from_exception(cls, error: LibvirtError) -> RemoteError:
        """The error as libvirtd fills it: the whole text, the phrase of the code as template, the detail."""
        bare, framed = PHRASES.get(error.code, ("", "{}"))
        detail = _plain(error.detail)
        template = framed.replace("{}", "%s") if detail else bare
        return cls(error.code, error.domain, _plain(error.message), str1=template, str2=detail or None)

    def to_exception(self) -> LibvirtError:
        """The error to raise on the client's side."""
        return ReportedError(self.message or f"error {self.code} without a text", self.code, self.domain)


def _plain(text: str) -> str:
    """`text` such that it can always be encoded: an error must not fail for its wording."""
    return text.replace("\0", " ")[:65536].encode("utf-8", "backslashreplace").decode()
