"""The syntax of libvirt's `*.conf` files: `key = value` lines, with strings, integers and lists of them.

    # a comment
    unix_sock_group = "libvirt"     # 'single', "double" and triple-double quotes
    max_clients = 5000
    access_drivers = [ "polkit" ]   # lists may span lines and end with a comma

Statements are separated by ends of lines or `;`. There are no escapes in strings. The grammar is that of the comments
in libvirt's own `libvirtd.conf` and `qemu.conf`, read as libvirt 11.3 reads them; a key that is set twice, where
libvirt takes the first, is an error here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guesthouse.errors import Code, LibvirtError, Origin

Value = int | str | list["Value"]

_BLANK = re.compile(r"[ \t]*")
_BLANK_AND_EOL = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_COMMENT = re.compile(r"#[^\r\n]*")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_STRING = re.compile(r'"""(?P<long>.*?)"""|"(?P<double>[^"\r\n]*)"|\'(?P<single>[^\'\r\n]*)\'', re.DOTALL)
_INT64 = 1 << 63
_DEPTH = 8


class ConfSyntaxError(LibvirtError):
    """A line of a configuration file that cannot be read; the text names the file and the line."""

    code = Code.CONF_SYNTAX
    domain = Origin.CONF


@dataclass(frozen=True, slots=True)
class Assignment:
    """What stands to the right of a key, and on which line (from 1) the key stands."""

    value: Value
    line: int


def parse(text: str, filename: str) -> dict[str, Assignment]:
    """Read the text of a configuration file; `filename` serves the messages only.

    Raises `ConfSyntaxError` on a malformed line and on a key that is set twice.
    """
    return _Parser(text, filename).parse()


class _Parser:
    """One pass over one text."""

    def __init__(self, text: str, filename: str) -> None:
        self._text = text
        self._filename = filename
        self._at = 0

    def parse(self) -> dict[str, Assignment]:
        found: dict[str, Assignment] = {}
        while True:
            self._skip(_BLANK_AND_EOL)
            if self._at >= len(self._text):
                return found
            if self._take(_COMMENT) is None:
                self._statement(found)
            self._separator()

    def _statement(self, found: dict[str, Assignment]) -> None:
        line = self._line()
        name = self._take(_NAME)
        if name is None:
            raise self._error("expecting a name")
        self._skip(_BLANK)
        if not self._literal("="):
            raise self._error("expecting an assignment")
        value = self._value(0)
        if name in found:
            raise self._error(f"{name} is set twice, first on line {found[name].line}")
        found[name] = Assignment(value, line)
        self._skip(_BLANK)
        self._take(_COMMENT)

    def _value(self, depth: int) -> Value:
        self._skip(_BLANK)
        here = self._text[self._at : self._at + 1]
        if here in ('"', "'") and here:
            return self._string()
        if here == "[":
            return self._list(depth)
        if here.isdigit() or here in ("+", "-"):
            return self._number()
        raise self._error("expecting a value")

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            raise self._error("unterminated string")
        self._at = match.end()
        return match[match.lastgroup or 0]

    def _number(self) -> int:
        digits = self._take(_NUMBER)
        if digits is None:
            raise self._error("unterminated number")
        if len(digits) > 20 or abs(int(digits)) >= _INT64:
            raise self._error("numeric overflow in conf value")
        return int(digits)

    def _list(self, depth: int) -> list[Value]:
        if depth >= _DEPTH:
            raise self._error("lists are nested too deeply")
        self._at += 1
        items: list[Value] = []
        while True:
            self._skip(_BLANK_AND_EOL)
            if self._literal("]"):
                return items
            if self._at >= len(self._text):
                raise self._error("list is not closed with ]")
            if items:
                if not self._literal(","):
                    raise self._error("expecting a separator in list")
                self._skip(_BLANK_AND_EOL)
                if self._literal("]"):
                    return items
            items.append(self._value(depth + 1))

    def _separator(self) -> None:
        self._skip(_BLANK)
        if self._at < len(self._text) and self._text[self._at] not in "\r\n;#":
            raise self._error("expecting a separator")
        self._literal(";")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]

    def _literal(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _error(self, what: str) -> ConfSyntaxError:
        return ConfSyntaxError(f"{self._filename}:{self._line()}: {what}")
