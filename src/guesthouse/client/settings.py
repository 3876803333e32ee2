"""`libvirt.conf`: the client's own settings, in libvirt's configuration syntax.

Syntax: `KEY = VALUE` lines, where a value is a number, a quoted string or a list of strings in brackets; `#` begins a
comment. Keys that matter here: `uri_aliases`, `uri_default`, `remote_mode`
(https://libvirt.org/uri.html#uri-aliases).
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError, Origin

Value = str | list[str]
ALIAS_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def load(path: str) -> dict[str, Value]:
    """The settings of a file; none where there is no such file. Raises LibvirtError where it cannot be understood."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LibvirtError(
            f"Failed to open file '{path}': {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.CONF
        ) from None
    return parse(text, path)


def parse(text: str, path: str) -> dict[str, Value]:
    """The settings that the text of a file makes; `path` is for the error."""
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return {}
    return _Reader(text, path).settings()


class _Reader:
    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._at = 0

    def settings(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self._skip():
            start = self._at
            while self._peek() in ALIAS_CHARACTERS and self._peek():
                self._at += 1
            key = self._text[start : self._at]
            if not key:
                raise self._error("expecting a name")
            self._skip()
            if self._peek() != "=":
                raise self._error("expecting an assignment")
            self._at += 1
            self._skip()
            found[key] = self._list() if self._peek() == "[" else self._scalar()
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> bool:
        """Go to the next character that means something; False at the end."""
        while char := self._peek():
            if char == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif char.isspace():
                self._at += 1
            else:
                return True
        return False

    def _list(self) -> list[str]:
        self._at += 1
        items: list[str] = []
        while self._skip():
            if self._peek() == "]":
                self._at += 1
                return items
            items.append(self._scalar())
            self._skip()
            if self._peek() == ",":
                self._at += 1
        raise self._error("list is not closed with ]")

    def _scalar(self) -> str:
        mark = self._peek()
        if mark in ('"', "'") and mark:
            end = self._text.find(mark, self._at + 1)
            if end < 0:
                raise self._error("unterminated string")
            value = self._text[self._at + 1 : end]
            self._at = end + 1
            return value
        start = self._at
        while self._peek().isdigit() or (self._at == start and self._peek() == "-"):
            self._at += 1
        if start == self._at:
            raise self._error("expecting a value")
        return self._text[start : self._at]

    def _error(self, what: str) -> LibvirtError:
        line = self._text.count("\n", 0, self._at) + 1
        return LibvirtError(f"{self._path}:{line}: {what}", code=Code.CONF_SYNTAX, domain=Origin.CONF)


def resolve_alias(settings: dict[str, Value], name: str) -> str:
    """The URI that `name` is an alias of, or `name` itself."""
    aliases = settings.get("uri_aliases")
    if not isinstance(aliases, list):
        return name
    for entry in aliases:
        alias, sign, target = entry.partition("=")
        if not sign:
            raise LibvirtError(
                f"Malformed 'uri_aliases' config entry '{entry}', expected 'alias=uri://host/path'",
                code=Code.CONF_SYNTAX,
            )
        if not set(alias) <= ALIAS_CHARACTERS:
            raise LibvirtError(
                f"Malformed 'uri_aliases' config entry '{entry}', aliases may only contain 'a-Z, 0-9, _, -'",
                code=Code.CONF_SYNTAX,
            )
        if alias == name:
            return target
    return name
