"""XML as text: reading hostile documents safely, and writing lines as libvirt writes them.

libvirt's form is two spaces a level, attributes in single quotes, empty elements closed at once. Documents come from
sockets: entities, document types and network access are refused, and libxml2's limits on depth and size stay on.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, XmlError

#: The longest document that we read; the protocol cannot carry a longer string either.
MAX_DOCUMENT: Final = 4 * 1024 * 1024

#: How much of a faulty line is shown on either side of the trouble.
_SHOWN: Final = 80

#: What lxml adds to libxml2's messages.
_POSITION: Final = re.compile(r", line [0-9]+, column [0-9]+$")

_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"}
    | {chr(code): "" for code in range(0x20) if chr(code) not in "\t\n\r"}
)


def escape(text: str) -> str:
    """`text` as it stands in an attribute or an element. Control characters, which XML cannot carry, are dropped."""
    return text if text.isalnum() else text.translate(_ESCAPES)


def parse_document(text: str, root: str, what: str) -> etree._Element:
    """The root element of `text`, which must be a `root` element; `what` names the document in messages.

    Raises `LibvirtError` with code 35 where the text is not well formed, and `XmlError` for another root, a document
    type declaration or a text that is too long.
    """
    node = parse_any(text, what)
    if node.tag != root:
        raise XmlError(f"expecting root element of '{root}', not '{node.tag}'")
    return node


def parse_any(text: str, what: str) -> etree._Element:
    """As `parse_document`, for documents whose root element says what they are."""
    if len(text) > MAX_DOCUMENT:
        raise XmlError(f"({what}): the document is longer than {MAX_DOCUMENT} characters")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise XmlError(f"({what}): document type declarations are not accepted", hint="remove the DOCTYPE")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_blank_text=True, remove_comments=True, remove_pis=True
    )
    body = _without_declaration(text)
    try:
        # As bytes: a text with an encoding declaration would be refused, and the declaration is void in a string.
        node = etree.fromstring(body.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        raise LibvirtError(_complaint(error, body), code=Code.XML_DETAIL, domain=Origin.XML) from None
    except (UnicodeError, ValueError) as error:
        raise LibvirtError(f"({what}): {error}", code=Code.XML_DETAIL, domain=Origin.XML) from None
    return node


def _complaint(error: etree.XMLSyntaxError, body: str) -> str:
    """Where a document is not well formed: the message, the line (its part before the trouble), and a pointer to it."""
    line, column = error.lineno or 1, error.offset or 0
    message = _POSITION.sub("", str(error.msg)).rstrip()
    shown = (body.split("\n")[line - 1 :] or [""])[0]
    start = max(0, column - _SHOWN)
    pointer = "".join("\t" if letter == "\t" else "-" for letter in shown[start:column])
    return f"at line {line}: {message}\n{shown[start : start + 2 * _SHOWN]}\n{pointer}^"


def _without_declaration(text: str) -> str:
    stripped = text.lstrip()
    if stripped.startswith("<?xml"):
        end = stripped.find("?>")
        if end > 0:
            return stripped[end + 2 :]
    return stripped


class Lines:
    """Lines of a document in the making: `open`, `close` and `leaf` keep the indentation, `indent`."""

    __slots__ = ("indent", "lines")

    def __init__(self, level: int = 0) -> None:
        self.lines: list[str] = []
        self.indent = "  " * level

    def leaf(self, tag: str, attributes: str = "", text: str | None = None) -> None:
        """`<tag attributes/>`, or with text `<tag attributes>text</tag>`. Both arguments are escaped already."""
        if text is None:
            self.lines.append(f"{self.indent}<{tag}{attributes}/>")
        else:
            self.lines.append(f"{self.indent}<{tag}{attributes}>{text}</{tag}>")

    def open(self, tag: str, attributes: str = "") -> None:
        """`<tag attributes>`, and one level deeper from here."""
        self.lines.append(f"{self.indent}<{tag}{attributes}>")
        self.indent += "  "

    def close(self, tag: str) -> None:
        """One level up, and `</tag>`."""
        self.indent = self.indent[:-2]
        self.lines.append(f"{self.indent}</{tag}>")

    def verbatim(self, fragment: str) -> None:
        """A piece of somebody else's XML, indented to this level."""
        self.lines.extend(self.indent + line for line in fragment.rstrip("\n").split("\n"))

    def text(self) -> str:
        """The whole, with a newline at its end."""
        return "\n".join(self.lines) + "\n"
