"""Checking the typed parameters of a call against those that it has.

Texts: libvirt's (https://libvirt.org/html/libvirt-libvirt-common.html#virTypedParameter).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from guesthouse.drivers.domain.typed import BOOLEAN, DOUBLE, INT, LLONG, STRING, UINT, ULLONG, Param
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin

_TYPES: Final = {
    INT: "int",
    UINT: "uint",
    LLONG: "llong",
    ULLONG: "ullong",
    DOUBLE: "double",
    BOOLEAN: "boolean",
    STRING: "string",
}

#: The parameters that a call has: name to type.
Known: TypeAlias = Mapping[str, int]

Values: TypeAlias = "dict[str, int | float | str | bool]"


def checked(params: Iterable[Param], known: Known) -> Values:
    """The values by name, in the order in which they were given.

    Raises `InvalidArgumentError` for another type or a name that comes twice, error 74 for an unknown name.
    """
    values: Values = {}
    for name, type_, value in params:
        if name not in known:
            raise LibvirtError(f"parameter '{name}' not supported", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.NONE)
        if type_ != known[name]:
            given, wanted = _TYPES.get(type_, "unknown"), _TYPES[known[name]]
            raise InvalidArgumentError(f"invalid type '{given}' for parameter '{name}', expected '{wanted}'")
        if name in values:
            raise InvalidArgumentError(f"parameter '{name}' occurs multiple times")
        values[name] = value
    return values


def numbers(params: Iterable[Param], known: Known) -> dict[str, int]:
    """As `checked`, for a call all of whose parameters are whole numbers."""
    return {name: int(value) for name, value in checked(params, known).items()}
