"""A guest's title, description and the documents that applications keep in its `<metadata>`.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetMetadata
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from guesthouse.drivers import flags
from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, OperationInvalidError, Origin
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainMetadataType`.
DESCRIPTION, TITLE, ELEMENT = range(3)

_PLAIN = {DESCRIPTION: "description", TITLE: "title"}


def chosen(guest: Guest, impact: int) -> tuple[bool, bool]:
    """Whether a change is for the running guest, and whether it is for its definition. 0 means what is current.

    Raises `OperationInvalidError` for the running state of a guest that is off, or the definition of one that has none.
    """
    live = bool(impact & flags.LIVE) or (not impact and guest.active)
    config = bool(impact & flags.CONFIG) or (not impact and not guest.active)
    if live and not guest.active:
        raise OperationInvalidError("domain is not running", domain=Origin.DOMAIN)
    if config and not guest.persistent:
        raise OperationInvalidError("transient domains do not have any persistent config")
    return live, config


def one_definition(guest: Guest, impact: int) -> Domain:
    """The definition that a query is about. Raises as `chosen`, and for a query about both at once."""
    flags.exclusive(impact, flags.LIVE, flags.CONFIG, ("VIR_DOMAIN_AFFECT_LIVE", "VIR_DOMAIN_AFFECT_CONFIG"))
    live, _ = chosen(guest, impact)
    return guest.current if live else guest.next_boot


def get(guest: Guest, kind: int, uri: str | None, impact: int) -> str:
    """The title, the description or a document. Raises error 80 when there is none."""
    domain = one_definition(guest, impact)
    if kind in _PLAIN:
        text = domain.title if kind == TITLE else domain.description
        if text is None:
            raise _missing()
        return text
    if kind != ELEMENT:
        raise _unknown(kind)
    for document in domain.metadata:
        if _namespace(document) == uri:
            return _without_namespace(document, uri)
    raise _missing()


async def set_(
    driver: Guests, guest: Guest, kind: int, text: str | None, key: str | None, uri: str | None, impact: int
) -> None:
    """Set, or with None remove, a title, description or document of namespace `uri` (whose prefix becomes `key`)."""
    flags.check(impact, flags.LIVE | flags.CONFIG, "qemuDomainSetMetadata")
    document = _document(kind, text, key, uri)
    async with modifying(guest):
        live, config = chosen(guest, impact)
        if live:
            _apply(guest.live().live, kind, document, uri)
            guest.changed()
            statusfile.save(driver, guest, guest.live())
        if config and guest.definition is not None:
            domain = copy(guest.definition)
            _apply(domain, kind, document, uri)
            await definitions.replace(driver, guest, domain)
    driver.events.publish(EventId.METADATA_CHANGE, guest, kind, uri)


def _document(kind: int, text: str | None, key: str | None, uri: str | None) -> str | None:
    """What is to be stored. Raises for a title of several lines, or a document without a namespace."""
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
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, UnicodeError) as error:
        raise LibvirtError(f"(metadata_xml):1: {error}", code=Code.XML_DETAIL, domain=Origin.XML) from None
    return _in_namespace(root, key, uri)


def _in_namespace(root: etree._Element, key: str, uri: str) -> str:
    """The document with its root (and what had no namespace) in `uri`, under the prefix `key`."""
    if etree.QName(root).namespace == uri:
        return etree.tostring(root, encoding="unicode", with_tail=False)
    moved = etree.Element(f"{{{uri}}}{etree.QName(root).localname}", nsmap={key: uri})
    moved.text = root.text
    moved.attrib.update(root.attrib)
    moved.extend(list(root))
    return etree.tostring(moved, encoding="unicode", with_tail=False)


def _without_namespace(document: str, uri: str | None) -> str:
    """The document as the application gave it: what it has of its own namespace is plain again."""
    root = etree.fromstring(document.encode())
    for node in root.iter(f"{{{uri}}}*"):
        node.tag = etree.QName(node).localname
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode", with_tail=False)


def _apply(domain: Domain, kind: int, text: str | None, uri: str | None) -> None:
    if kind == TITLE:
        domain.title = text or None
    elif kind == DESCRIPTION:
        domain.description = text or None
    else:
        kept = [document for document in domain.metadata if _namespace(document) != uri]
        domain.metadata = [*kept, text] if text is not None else kept


def _namespace(document: str) -> str | None:
    try:
        return etree.QName(etree.fromstring(document.encode())).namespace
    except etree.XMLSyntaxError:
        return None


def _unknown(kind: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"unknown metadata type '{kind}'", domain=Origin.DOMAIN)


def _missing() -> LibvirtError:
    text = "Requested metadata element is not present"
    return LibvirtError(text, code=Code.NO_DOMAIN_METADATA, domain=Origin.DOMAIN)
