"""QEMU's machine protocol, sans-IO: bytes in, messages out; commands in, bytes out.

    QEMU                                     we
    {"QMP": {...}}            greeting  ->
                                        <-   {"execute": "qmp_capabilities", "id": "libvirt-1"}
    {"return": {}, "id": ...}    reply  ->
    {"error": {...}, "id": ...}         ->   a command that failed
    {"event": ..., "data": ...}  event  ->   at any time

Rules:

1. One message a line. QEMU ends each with CR LF and never writes a line break inside of one.
2. QEMU answers in the order of the commands, but we match by `id`, as the specification demands.
3. Commands may be written before the greeting has come: QEMU reads them after it. That saves a round trip.
4. What is not JSON, too long, too deep or of the wrong shape is a `QmpProtocolError`, after which nothing that the
   peer says can be trusted; the connection must be closed.

Source: QEMU's `docs/interop/qmp-spec.rst`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, encode, text_of

#: The longest message that is taken, in bytes: what libvirt takes. The whole of `query-qmp-schema` needs 200 kB.
MESSAGE_LIMIT = 10 * 1024 * 1024

#: The deepest nesting of lists and objects. The deepest answer of QEMU 10 has 14 levels without long backing chains.
DEPTH_LIMIT = 400


class QmpProtocolError(LibvirtError):
    """QEMU sent what is not QMP. QEMU's fault; the connection is of no further use."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU


@dataclass(frozen=True, slots=True)
class Greeting:
    """QEMU's first message. `version` is (major, minor, micro); `package` the distribution's name for its build."""

    version: tuple[int, int, int]
    package: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's success. `raw` is the whole message as QEMU sent it."""

    id: str
    value: Json
    raw: JsonObject


@dataclass(frozen=True, slots=True)
class Failure:
    """A command's failure. `id` is empty when QEMU could not even read the command."""

    id: str
    class_: str
    desc: str
    raw: JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in QEMU: `name` in capitals, `data`, and when (Unix time; -1 when QEMU does not know)."""

    name: str
    data: JsonObject
    seconds: int
    microseconds: int


Message: TypeAlias = Greeting | Reply | Failure | Event


class Decoder:
    """Turns the bytes from QEMU into messages, at whatever boundaries they arrive."""

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises `QmpProtocolError`."""
        if not self._buffer and data.endswith(b"\n") and data.find(b"\n") == len(data) - 1:
            self._check_length(len(data))
            return [decode(data)] if not data.isspace() else []
        self._buffer += data
        messages = []
        start = 0
        while (end := self._buffer.find(b"\n", max(start, self._searched))) >= 0:
            self._check_length(end - start)
            line = bytes(self._buffer[start:end])
            if line and not line.isspace():
                messages.append(decode(line))
            start = end + 1
        del self._buffer[:start]
        self._searched = len(self._buffer)
        self._check_length(self._searched)
        return messages

    def _check_length(self, length: int) -> None:
        if length > self._limit:
            raise QmpProtocolError(f"QEMU monitor reply exceeds buffer size ({self._limit} bytes)")


def decode(line: bytes) -> Message:
    """One line as a message. Raises `QmpProtocolError`."""
    message = parse_object(line)
    if "event" in message:
        return _event(message)
    if "return" in message:
        return Reply(text_of(message, "id"), message["return"], message)
    error = message.get("error")
    if isinstance(error, dict):
        class_ = text_of(error, "class", "GenericError")
        return Failure(text_of(message, "id"), class_, text_of(error, "desc", class_), message)
    if isinstance(message.get("QMP"), dict):
        return _greeting(message)
    raise QmpProtocolError(f"Unknown JSON reply '{_shown(line)}'")


def parse_object(line: bytes) -> JsonObject:
    """One line as a JSON object of sane depth. Raises `QmpProtocolError`."""
    if line.count(b"[") + line.count(b"{") > DEPTH_LIMIT:
        _check_depth(line)
    try:
        value: Json = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QmpProtocolError(f"Unexpected JSON reply '{_shown(line)}'") from error
    if not isinstance(value, dict):
        raise QmpProtocolError(f"Parsed JSON reply '{_shown(line)}' isn't an object")
    return value


def encode_command(name: str, arguments: Mapping[str, Sendable] | None, id_: str) -> bytes:
    """A command as a line, ready to send."""
    command: dict[str, Sendable] = {"execute": name}
    if arguments:
        command["arguments"] = arguments
    command["id"] = id_
    return encode(command) + b"\r\n"


_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))


def _check_depth(line: bytes) -> None:
    """Refuse deep nesting before the JSON reader, whose own limit is the interpreter's stack, meets it."""
    depth = deepest = 0
    skip = quoted = False
    for byte in line.translate(None, _BRACKETS) if b"\\" not in line else line:
        if skip:
            skip = False
        elif byte == 0x5C:  # backslash
            skip = quoted
        elif byte == 0x22:  # quotation mark
            quoted = not quoted
        elif not quoted and byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif not quoted and byte in b"]}":
            depth -= 1
    if deepest > DEPTH_LIMIT:
        raise QmpProtocolError(f"QEMU monitor reply is nested deeper than {DEPTH_LIMIT} levels")


def _event(message: JsonObject) -> Event:
    data = message.get("data")
    stamp = message.get("timestamp")
    stamp = stamp if isinstance(stamp, dict) else {}
    seconds, microseconds = stamp.get("seconds"), stamp.get("microseconds")
    return Event(
        text_of(message, "event"),
        data if isinstance(data, dict) else {},
        seconds if isinstance(seconds, int) else -1,
        microseconds if isinstance(microseconds, int) else -1,
    )


def _greeting(message: JsonObject) -> Greeting:
    content = message["QMP"]
    version = content.get("version") if isinstance(content, dict) else None
    numbers = version.get("qemu") if isinstance(version, dict) else None
    if not isinstance(content, dict) or not isinstance(version, dict) or not isinstance(numbers, dict):
        raise QmpProtocolError("QEMU greeting names no version")
    parts = [numbers.get(key) for key in ("major", "minor", "micro")]
    major, minor, micro = (part if isinstance(part, int) else 0 for part in parts)
    offered = content.get("capabilities")
    names = tuple(name for name in offered if isinstance(name, str)) if isinstance(offered, list) else ()
    return Greeting((major, minor, micro), text_of(version, "package"), names)


def _shown(line: bytes) -> str:
    return line[:200].decode("utf-8", "replace").strip()
