"""What commands need of XML: looking into a guest's definition, and printing the parts that an XPath picks."""

from __future__ import annotations

from lxml import etree

from guesthouse.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.client.domain import Domain

    Element = etree._Element


def parse(text: str, *, indented: bool = True) -> Element:
    """The root of a document that the daemon sent; entities and networks stay out of it.

    Without `indented` the blanks between elements are left out, so that a part can be indented anew.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_blank_text=not indented)
    try:
        return etree.fromstring(text.encode("utf-8", "surrogateescape"), parser)
    except etree.XMLSyntaxError as error:
        raise CommandError(f"the daemon sent a document that is no XML: {error}") from None


def definition(context: Context, found: Domain, flags: int = 0) -> Element:
    """The root of a guest's definition."""
    with context.during("Failed to get domain description xml"):
        text = found.xml(flags)
    return parse(text)


def first(element: Element, *paths: str) -> str:
    """The first of these that is there: `name/@attribute` below `element`, or `name` for its text; else empty.

    What several paths find is taken in the order of the document's nodes, as XPath's union does it.
    """
    found = element.xpath("|".join(f"./{path}" for path in paths))
    if not isinstance(found, list) or not found:
        return ""
    node = found[0]
    return str(node.xpath("string()")) if isinstance(node, etree._Element) else str(node)


def number(text: str) -> int | None:
    """The number that a value is, or None."""
    try:
        return int(text)
    except ValueError:
        return None


def picked(text: str, path: str, *, wrap: bool) -> str:
    """The nodes of a document that an XPath picks, one after the other, or below one `nodes` element."""
    root = parse(text, indented=False)
    try:
        found = root.getroottree().xpath(path)
    except etree.XPathError as error:
        raise CommandError(f"XPath '{path}' cannot be evaluated: {error}") from None
    if not isinstance(found, list):
        raise CommandError(f"XPath '{path}' picks a value, not nodes")
    if not wrap:
        return "".join(_serialized(node) + "\n" for node in found)
    parent = etree.Element("nodes")
    for node in found:
        if isinstance(node, etree._Element):
            parent.append(node)
    return _serialized(parent) + "\n"


def serialized(element: Element) -> str:
    """An element alone, with the blanks that it has in its document."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def _serialized(node: object) -> str:
    if isinstance(node, etree._Element):
        return etree.tostring(node, encoding="unicode", pretty_print=True, with_tail=False).removesuffix("\n")
    if isinstance(node, etree._ElementUnicodeResult) and node.is_attribute:
        return f' {node.attrname!s}="{node!s}"'
    return str(node)


def tree(element: Element) -> dict[str, Json]:
    """An element as plain data: its tag, attributes, text and children."""
    return {
        "tag": str(element.tag),
        "attributes": {str(name): str(value) for name, value in element.attrib.items()},
        "text": element.text or "",
        "children": [tree(child) for child in element if isinstance(child.tag, str)],
    }
