"""A title, a description, and documents that applications keep in `<metadata>`: what guests and networks have alike.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetMetadata
"""

from __future__ import annotations

from typing import Final, Protocol

from lxml import etree

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin

#: `virDomainMetadataType` and `virNetworkMetadataType`.
DESCRIPTION, TITLE, ELEMENT = range(3)

_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
_PLAIN: Final = {DESCRIPTION: "description", TITLE: "title"}


class Described(Protocol):
    """What has all three."""

    title: str | None
    description: str | None
    metadata: list[str]


def get(described: Described, kind: int, uri: str | None) -> str | None:
    """The title, the description or the document of a namespace, if there is one.

    Raises `InvalidArgumentError` for an unknown kind.
    """
    if kind in _PLAIN:
        return described.title if kind == TITLE else described.description
    if kind != ELEMENT:
        raise _unknown(kind)
    found = next((one for one in described.metadata if _namespace(one) == uri), None)
    return _without_namespace(found, uri) if found is not None else None


def to_store(kind: int, text: str | None, key: str | None, uri: str | None) -> str | None:
    """What is to be stored. Raises for a title of two lines, a document without a namespace, or one that is none."""
    if kind == TITLE and text and "\n" in text:
        raise InvalidArgumentError("metadata title can't contain newlines")
    if kind in _PLAIN:
        return text
    if kind != ELEMENT:
        raise _unknown(kind)
    if not uri:
        raise InvalidArgumentError("uri must not be NULL")
    if text is None:
        return None
    if not key:
        raise InvalidArgumentError("key must not be NULL")
    try:
        root = etree.fromstring(text.encode(), _PARSER)
    except (etree.XMLSyntaxError, UnicodeError) as error:
        raise LibvirtError(f"(metadata_xml):1: {error}", code=Code.XML_DETAIL, domain=Origin.XML) from None
    return _in_namespace(root, key, uri)


def store(described: Described, kind: int, text: str | None, uri: str | None) -> None:
    """Put there what `to_store` gave; None removes it."""
    if kind == TITLE:
        described.title = text or None
    elif kind == DESCRIPTION:
        described.description = text or None
    else:
        kept = [document for document in described.metadata if _namespace(document) != uri]
        described.metadata = [*kept, text] if text is not None else kept


def _in_namespace(root: etree._Element, key: str, uri: str) -> str:
    """The document with all that had no namespace in `uri`, under the prefix `key`, a line an element."""
    if etree.QName(root).namespace != uri:
        for node in root.iter("{}*"):
            node.tag = f"{{{uri}}}{etree.QName(node).localname}"
        moved = etree.Element(f"{{{uri}}}{etree.QName(root).localname}", nsmap={key: uri})
        moved.text = root.text
        moved.attrib.update(root.attrib)
        moved.extend(list(root))
        root = moved
    return _shown(root)


def _shown(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode", with_tail=False, pretty_print=True).rstrip("\n")


def _without_namespace(document: str, uri: str | None) -> str:
    """The document as the application gave it: what it has of its own namespace is plain again."""
    root = etree.fromstring(document.encode(), _PARSER)
    for node in root.iter(f"{{{uri}}}*"):
        node.tag = etree.QName(node).localname
    etree.cleanup_namespaces(root)
    return _shown(root)


def _namespace(document: str) -> str | None:
    try:
        return etree.QName(etree.fromstring(document.encode(), _PARSER)).namespace
    except etree.XMLSyntaxError:
        return None


def _unknown(kind: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"unknown metadata type '{kind}'", domain=Origin.DOMAIN)
