"""What snapshots and checkpoints have in common: a name, a parent, and the guest's definition of that time.

Format: https://libvirt.org/formatsnapshot.html and https://libvirt.org/formatcheckpoint.html
"""

from __future__ import annotations

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.model.binding import Reading, Style, element, leaf
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, read_domain
from guesthouse.model.kinds import TEXT, UUID
from guesthouse.model.xmltext import Lines


@element("parent")
class MomentParent:
    """The moment before this one."""

    name: str = leaf(TEXT)


def check_name(name: str | None, what: str) -> None:
    """Refuse a name that cannot be that of a file; `what` is `snapshot` or `checkpoint`."""
    if name is None:
        return
    wrong = "can't contain '/'" if "/" in name else "can't start with '.'" if name.startswith(".") else None
    if wrong is not None:
        raise LibvirtError(f"invalid {what} name '{name}': name {wrong}", code=Code.XML_DETAIL, domain=Origin.DOMAIN)


def take_domain(root: etree._Element, tag: str, reading: Reading, *, read: bool) -> tuple[Domain | None, str | None]:
    """Remove `<domain>`, or another tag with the same inside, from a document and return the guest.

    Old documents have nothing but the guest's UUID there, which is the second value. Unless `read` is set the element
    is void. Raises what `parse_domain` raises.
    """
    node = root.find(tag)
    if node is None:
        return None, None
    try:
        if not read:
            return None, None
        if tag == "domain" and node.get("type") is None:
            text = (node.findtext("uuid") or "").strip()
            try:
                return None, UUID.parse(text)
            except ValueError:
                raise XmlError(f"malformed uuid element '{text[:200]}' (line {node.sourceline})") from None
        node.tag = "domain"
        return read_domain(node, reading), None
    finally:
        root.remove(node)


def write_domain(domain: Domain | None, uuid: str | None, lines: Lines, tag: str, *, secure: bool) -> None:
    """Append the guest, under the tag."""
    if domain is not None:
        text = format_domain(domain, Style(secure=secure)).rstrip("\n")
        lines.verbatim(f"<{tag}" + text.removeprefix("<domain").removesuffix("domain>") + f"{tag}>")
    elif uuid is not None:
        lines.open(tag)
        lines.leaf("uuid", text=uuid)
        lines.close(tag)
