"""What is declared about element classes, and what their generated functions call while they read. See `binding`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.kinds import ON_OFF, Kind

T = TypeVar("T")

SLOT: Final = "guesthouse.slot"
#: What XML takes for white space; Python's `strip` would take more.
SPACE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Style:
    """What a document is written for. The defaults are those of a definition file; `status` is for a status file."""

    live: bool = False
    secure: bool = True
    migratable: bool = False
    status: bool = False


@dataclass(slots=True)
class Reading:
    """How a document is read. With `validate`, what nobody claims is a schema error (code 92), else code 67.

    `status` is for what the daemon itself has written of a running guest: elsewhere nobody claims what belongs there.
    """

    validate: bool = False
    status: bool = False

    def refuse(self, node: etree._Element, what: str, at: etree._Element | None = None) -> LibvirtError:
        """The error for something in `node` that no field claims; `at` is that element, where it is one."""
        line = (node if at is None else at).sourceline
        detail = f"{what} in '{path_of(node)}' is not supported (line {line})"
        if self.validate:
            return LibvirtError(
                f"Unable to validate doc against schema: {detail}", code=Code.XML_INVALID_SCHEMA, domain=Origin.XML
            )
        return UnsupportedConfigError(detail)


def path_of(node: etree._Element) -> str:
    """Where `node` stands: the names from the root on, with slashes."""
    names = [str(node.tag)]
    names.extend(str(parent.tag) for parent in node.iterancestors())
    return "/".join(reversed(names))


@dataclass(frozen=True, slots=True)
class Slot:
    """What a field is in XML. `role` picks the methods of `element_fields` that read and write it."""

    role: str
    name: str | None = None
    kind: Kind[object] | None = None
    child: type[object] | None = None
    within: str | None = None
    required: bool = False
    explicit: bool = False
    live: bool = False
    secure: bool = False
    status: bool = False
    show: Callable[[object], bool] | None = None
    keep: Callable[[object], bool] | None = None
    by: str = ""
    forms: dict[str, type[object]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an element class: its name there, its name in XML, and what it is; no slot if it is not in XML."""

    name: str
    xml: str
    slot: Slot | None
    default: object
    factory: Callable[[], object] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is declared about an element class."""

    cls: type[object]
    tag: str
    omit_empty: bool
    drops: frozenset[str]
    two_lines: bool = False

    def fields(self) -> list[Field]:
        """The fields in the order of their declaration."""
        found = []
        for field in dataclasses.fields(self.cls):  # type: ignore[arg-type] # made a dataclass by `element`
            slot = cast(Slot | None, field.metadata.get(SLOT))
            name = (slot.name if slot else None) or field.name.rstrip("_")
            factory = None if field.default_factory is dataclasses.MISSING else field.default_factory
            found.append(Field(field.name, name, slot, field.default, factory))
        return found


PLANS: dict[type[object], Plan] = {}


def take_twice(node: etree._Element) -> XmlError:
    """The error for a child element that is there already."""
    return XmlError(f"element '{node.tag}' is given twice in '{path_of(node).rpartition('/')[0]}'")


def convert(kind: Kind[T], text: str, node: etree._Element, name: str | None) -> T:
    """`text` as a value of the kind; `name` is the attribute's. Raises `XmlError` that names element and line."""
    try:
        return kind.parse(text)
    except ValueError:
        raise _wrong_value(kind.name, text, node, name) from None


def _wrong_value(expected: str, text: str, node: etree._Element, name: str | None) -> XmlError:
    where = f"attribute '{name}' in element" if name else "element"
    return XmlError(
        f"Invalid value for {where} '{node.tag}': '{text[:200]}'", hint=f"it takes {expected}; line {node.sourceline}"
    )


def not_of_kind(plan: Plan, within: str | None, node: etree._Element, name: str, text: str) -> XmlError:
    """The error for an attribute; the kind is looked up only now, so that reading need not carry it."""
    slots = [field.slot for field in plan.fields() if field.slot is not None and field.xml == name]
    slot = next(slot for slot in reversed(slots) if slot.role == "attribute" and slot.within == within)
    return _wrong_value(cast(Kind[object], slot.kind).name, text, node, name)


def missing(node: etree._Element, message: str) -> XmlError:
    """The error for what must be there; `{}` in the message stands for the element."""
    return XmlError(f"{message.format(node.tag)} (line {node.sourceline})")


def no_content(node: etree._Element, reading: Reading) -> None:
    """Refuse attributes and children of an element that has none."""
    for name in node.keys():  # noqa: SIM118 - an element is no mapping: `in node` are its children
        raise reading.refuse(node, f"attribute '{name!s}'")
    no_children(node, reading)


def no_children(node: etree._Element, reading: Reading) -> None:
    """Refuse children of an element that has none."""
    if len(node):
        tag = str(node[0].tag)
        raise reading.refuse(node, f"element '{tag}'", node[0])


def read_leaf(node: etree._Element, reading: Reading, kind: Kind[T]) -> T:
    """The value of an element with nothing but text."""
    no_content(node, reading)
    text = node.text or ""
    return convert(kind, text if kind.keeps_space else text.strip(SPACE), node, None)


def read_switch(node: etree._Element, reading: Reading, explicit: bool) -> bool:
    """The value of an element with nothing but an attribute `state`."""
    attributes = node.items()
    if explicit and "state" not in dict(attributes):
        raise XmlError(f"Missing required attribute 'state' in element '{node.tag}' (line {node.sourceline})")
    state = True
    for name, text in attributes:
        if name != "state":
            raise reading.refuse(node, f"attribute '{name!s}'")
        state = convert(ON_OFF, str(text), node, "state")
    no_children(node, reading)
    return state


def form_of(node: etree._Element, reading: Reading, slot: Slot) -> type[object]:
    """The class of a `choice`, by the attribute that says it."""
    form = node.get(slot.by)
    if form is None:
        raise XmlError(f"Missing required attribute '{slot.by}' in element '{node.tag}' (line {node.sourceline})")
    child = slot.forms.get(str(form))
    if child is None:
        raise reading.refuse(node, f"{slot.by} '{str(form)[:200]}'")
    return child


def fragment_text(node: etree._Element) -> str:
    """A subtree as text that stands by itself: its namespaces declared on it, nothing after it.

    Text of several lines is kept on one, so that indenting the lines never changes it.
    """
    node.tail = None
    around = node.getparent()
    if around is not None and around.nsmap:
        # Only a tree of its own can be freed of the namespaces that the document around it declares.
        node = etree.fromstring(etree.tostring(node))
        etree.cleanup_namespaces(node)
    if any("\n" in (part.text or "") or "\n" in (part.tail or "") for part in node.iter()):
        return etree.tostring(node, encoding="unicode").replace("\n", "&#10;")
    return etree.tostring(node, encoding="unicode", pretty_print=True).rstrip("\n")


def fragment_lines(fragment: str, indent: str) -> list[str]:
    """A piece of somebody else's XML, indented."""
    return [indent + line for line in fragment.rstrip("\n").split("\n")]
