"""A guest's definition as a document: XML in, XML out, copies.

Format: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.binding import Reading, Style, clone, read, write
from guesthouse.model.domain import qemu_namespace
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.qemu_namespace import PassThrough
from guesthouse.model.xmltext import Lines, parse_document

#: Path of what a definition cannot do without, to the error code and text where it is missing.
_NEEDED: Final[tuple[tuple[str, int, str], ...]] = (
    ("name", Code.NO_NAME, ""),
    ("os/type", Code.XML_ERROR, "an os <type> must be specified"),
)


def parse_domain(xml: str, *, validate: bool = False, live: bool = False) -> Domain:
    """The guest that `xml` defines, as it stands there; `complete` adds what it leaves out.

    With `validate`, what no field claims is a schema error (code 92). `live` is for a status file: what a running
    guest has (its id and all aliases) is kept; else it is dropped, but for aliases of the user's, which begin with
    `ua-`, and what belongs to status files alone is refused.

    Raises `LibvirtError` with libvirt's codes: not well formed (35), a wrong value (27), something that Guesthouse does
    not support (67).
    """
    reading = Reading(validate=validate, status=live)
    return read_domain(parse_document(xml, "domain", "domain_definition"), reading, live=live)


def read_domain(node: etree._Element, reading: Reading, *, live: bool = False) -> Domain:
    """As `parse_domain`, for an element of another document, such as a snapshot."""
    for path, code, text in _NEEDED:
        if node.find(path) is None:
            raise LibvirtError(text, code=code, domain=Origin.DOMAIN)
    if not live:
        _drop_aliases(node)
        _drop_labels(node)
    _tidy_metadata(node)
    pass_through = qemu_namespace.take(node, reading)
    domain = read(Domain, node, reading)
    domain.pass_through = pass_through
    if not live:
        domain.id = None
    return domain


def _drop_labels(root: etree._Element) -> None:
    """What a running guest's security driver chose: void for the next start."""
    for label in root.findall("seclabel"):
        own = [] if label.get("type") == "static" else label.findall("label")
        for chosen in (*own, *label.findall("imagelabel")):
            label.remove(chosen)


def _drop_aliases(root: etree._Element) -> None:
    devices = root.find("devices")
    if devices is None:
        return
    for device in devices:
        alias = device.find("alias")
        if alias is not None and not (alias.get("name") or "").startswith("ua-"):
            device.remove(alias)


def _tidy_metadata(root: etree._Element) -> None:
    """Keep one element a namespace, the first, and none without: that is what `<metadata>` may hold."""
    metadata = root.find("metadata")
    if metadata is None:
        return
    seen: set[str] = set()
    for child in list(metadata):
        namespace = etree.QName(child).namespace
        if namespace is None or namespace in seen:
            metadata.remove(child)
        else:
            seen.add(namespace)


def format_domain(domain: Domain, style: Style) -> str:
    """The definition as libvirt writes it: its order of elements, two spaces a level, a newline at the end."""
    lines = Lines()
    write(domain, lines, style)
    if domain.pass_through is not None:
        _add_pass_through(domain.pass_through, lines)
    return lines.text()


def _add_pass_through(extra: PassThrough, lines: Lines) -> None:
    """Declare the namespace on `<domain>`, and write its element last."""
    head, tail = lines.lines[0], lines.lines.pop()
    lines.lines[0] = f"{head.removesuffix('>')}{qemu_namespace.DECLARATION}>"
    lines.indent = "  "
    extra.write(lines)
    lines.indent = ""
    lines.lines.append(tail)


def copy(domain: Domain) -> Domain:
    """A copy that shares nothing changeable with `domain`."""
    return clone(domain)
