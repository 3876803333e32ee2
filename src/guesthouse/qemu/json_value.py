"""JSON values with types, and accessors that check the shape of what QEMU or a guest sent.

A QEMU that was taken over, and every guest agent, is hostile: nothing in their answers may be assumed. The accessors
raise `UnexpectedJsonError`, which names where the value stood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from guesthouse.errors import Code, LibvirtError, Origin

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
JsonObject: TypeAlias = dict[str, Json]

#: What may be sent: anything that `json` can write; mappings and sequences need not be of exact types.
Sendable: TypeAlias = bool | int | float | str | Sequence["Sendable"] | Mapping[str, "Sendable"] | None


class UnexpectedJsonError(LibvirtError):
    """An answer has another shape than its documentation says. QEMU's or the agent's fault."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU


class CommandTextError(LibvirtError):
    """A command that a client wrote as JSON text is none. The client's fault."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU


def parse_command(text: str) -> JsonObject:
    """A client's command, written as a JSON object. Raises `CommandTextError`."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandTextError(f"cannot parse json {text[:200]}: {error}") from error
    if not isinstance(value, dict):
        raise CommandTextError(f"a command must be a JSON object, not {_kind(value)}", hint='{"execute": "..."}')
    return value


def encode(value: Sendable) -> bytes:
    """One line of JSON without blanks and without its end, in ASCII."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def as_object(value: Json, where: str) -> JsonObject:
    """`value` as an object; `where` says what it is, for the error."""
    if not isinstance(value, dict):
        raise _unexpected(where, "an object", value)
    return value


def as_list(value: Json, where: str) -> list[Json]:
    """`value` as a list."""
    if not isinstance(value, list):
        raise _unexpected(where, "a list", value)
    return value


def as_text(value: Json, where: str) -> str:
    """`value` as a string."""
    if not isinstance(value, str):
        raise _unexpected(where, "a string", value)
    return value


def as_int(value: Json, where: str) -> int:
    """`value` as a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unexpected(where, "a number", value)
    return value


def objects(value: Json, where: str) -> list[JsonObject]:
    """`value` as a list of objects."""
    return [as_object(item, where) for item in as_list(value, where)]


def text_of(value: JsonObject, key: str, default: str = "") -> str:
    """The string at `key`, or `default` when it is missing or something else."""
    found = value.get(key)
    return found if isinstance(found, str) else default


def _unexpected(where: str, wanted: str, value: Json) -> UnexpectedJsonError:
    return UnexpectedJsonError(f"unexpected answer: {where} should be {wanted}, not {_kind(value)}")


def _kind(value: Json) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")
