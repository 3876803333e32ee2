"""Typed parameters for the front ends, which do not import the protocol themselves."""

from __future__ import annotations

from guesthouse.rpc.types import (
    PARAM_BOOLEAN,
    PARAM_DOUBLE,
    PARAM_INT,
    PARAM_LLONG,
    PARAM_STRING,
    PARAM_UINT,
    PARAM_ULLONG,
    TypedParam,
    bool_param,
    int_param,
    string_param,
    uint_param,
    ullong_param,
)

__all__ = [
    "TypedParam",
    "bool_param",
    "int_param",
    "parsed",
    "string_param",
    "uint_param",
    "ullong_param",
]

#: Type to the smallest and the largest value.
_RANGES = {
    PARAM_INT: (-(2**31), 2**31 - 1),
    PARAM_UINT: (0, 2**32 - 1),
    PARAM_LLONG: (-(2**63), 2**63 - 1),
    PARAM_ULLONG: (0, 2**64 - 1),
    PARAM_BOOLEAN: (0, 1),
}


def parsed(like: TypedParam, text: str) -> TypedParam | None:
    """A parameter with the name and type of `like` and the value that `text` says; None where it says none."""
    if like.type == PARAM_STRING:
        return TypedParam(like.field, like.type, text)
    try:
        number = float(text) if like.type == PARAM_DOUBLE else int(text, 10)
    except ValueError:
        return None
    low, high = _RANGES.get(like.type, (number, number))
    return TypedParam(like.field, like.type, number) if low <= number <= high else None
