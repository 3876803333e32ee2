"""Element classes compiled: the tables that reading and writing walk, and the walks themselves. See `binding`."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast, runtime_checkable

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.kinds import Kind
from guesthouse.model.xmltext import Lines, escape

T = TypeVar("T")
C = TypeVar("C")

SLOT: Final = "guesthouse.slot"
#: What XML takes for white space; Python's `strip` would take more.
SPACE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Style:
    """What a document is written for. The defaults are those of a definition file."""

    live: bool = False
    secure: bool = True
    migratable: bool = False


@dataclass(slots=True)
class Reading:
    """How a document is read. With `validate`, what nobody claims is a schema error (code 92), else code 67."""

    validate: bool = False

    def refuse(self, node: etree._Element, what: str) -> LibvirtError:
        """The error for something in `node` that no field claims."""
        detail = f"{what} in '{path_of(node)}' is not supported (line {node.sourceline})"
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
    """What a field is in XML. `role` picks the row of `BINDERS`."""

    role: str
    name: str | None = None
    kind: Kind[object] | None = None
    child: type[object] | None = None
    within: str | None = None
    required: bool = False
    explicit: bool = False
    live: bool = False
    secure: bool = False
    show: Callable[[object], bool] | None = None
    keep: Callable[[object], bool] | None = None
    by: str = ""
    forms: dict[str, type[object]] = dataclasses.field(default_factory=dict)


@runtime_checkable
class _Parsed(Protocol):
    def parsed(self) -> None: ...


Values = dict[str, object]
Reader = Callable[[etree._Element, Values, Reading], None]
#: Gets the field's value, which is not None, and the object that has it.
Writer = Callable[[object, object, Lines, Style], None]


def take(values: Values, field: str, value: object, node: etree._Element) -> None:
    """Keep the value of a child element. Raises `XmlError` where there is one already."""
    if field in values:
        raise XmlError(f"element '{node.tag}' is given twice in '{path_of(node).rpartition('/')[0]}'")
    values[field] = value


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


def _not_of_kind(cls: type[object], field: str, node: etree._Element, name: str, text: str) -> XmlError:
    """The error for an attribute; the kind is looked up only now, so that reading need not carry it."""
    slot = cast(Slot, next(item for item in dataclasses.fields(cls) if item.name == field).metadata[SLOT])  # type: ignore[arg-type] # an element
    return _wrong_value(cast(Kind[object], slot.kind).name, text, node, name)


def no_content(node: etree._Element, reading: Reading) -> None:
    """Refuse attributes and children of an element that has none."""
    for name in node.attrib:
        raise reading.refuse(node, f"attribute '{name!s}'")
    for child in node:
        raise reading.refuse(node, f"element '{child.tag}'")


_Form = Callable[[object], str]
_Getter = Callable[[object], tuple[object, ...]]
_Guard = Callable[[Style], bool]
#: By whether a field is for running guests and whether it is secret: the test of the style.
GUARDS: Final[dict[tuple[bool, bool], _Guard | None]] = {
    (False, False): None,
    (True, False): lambda style: style.live,
    (False, True): lambda style: style.secure,
    (True, True): lambda style: style.live and style.secure,
}


def written(kind: Kind[object]) -> _Form:
    """How a value of the kind stands in a document: escaped where that may be needed."""
    if kind.plain:
        return kind.format
    if kind.format is str:
        return cast(_Form, escape)
    return lambda value: escape(kind.format(value))


def _nothing(_item: object) -> tuple[object, ...]:
    return ()


def _getter(fields: list[str]) -> _Getter:
    """A function that takes these fields from an object, as a tuple."""
    if not fields:
        return _nothing
    found = operator.attrgetter(*fields)
    if len(fields) == 1:
        return lambda item: (found(item),)
    return cast(_Getter, found)


class Inner:
    """A child element that only carries attributes of another: how they are read and written.

    `kinds` is by the attribute's name, with the field; `forms` has field, name, form and guard.
    """

    __slots__ = ("forms", "kinds")

    def __init__(self) -> None:
        self.kinds: dict[str, tuple[str, Kind[object]]] = {}
        self.forms: list[tuple[str, str, _Form, _Guard | None]] = []


class Plan:
    """The compiled form of an element class."""

    __slots__ = (
        "_attribute_fields",
        "_writer_fields",
        "attribute_forms",
        "attribute_values",
        "attributes",
        "child_values",
        "children",
        "cls",
        "content",
        "drops",
        "has_parsed",
        "inner",
        "names",
        "omit_empty",
        "ready",
        "required",
        "tag",
        "writers",
    )  # fmt: skip

    def __init__(self, cls: type[object], tag: str, omit_empty: bool, drops: frozenset[str]) -> None:
        self.cls = cls
        self.tag = tag
        self.omit_empty = omit_empty
        self.drops = drops
        self.ready = False
        self.attributes: dict[str, tuple[str, Callable[[str], object]]] = {}
        self.children: dict[str, Reader] = {}
        self.content: tuple[str, Kind[object]] | None = None
        self.required: list[tuple[str, str]] = []
        self.attribute_values: _Getter = _nothing
        self.attribute_forms: list[tuple[str, _Form, _Guard | None]] = []
        self.child_values: _Getter = _nothing
        #: With each, whether it writes something for an empty value (0, False, no text) too.
        self.writers: list[tuple[Writer, bool]] = []
        #: Child elements that only carry attributes of this one, by tag.
        self.inner: dict[str, Inner] = {}
        self._attribute_fields: list[str] = []
        self._writer_fields: list[str] = []
        self.has_parsed = hasattr(cls, "parsed")
        self.names: tuple[str, ...] = ()

    def compile(self) -> None:
        """Fill the tables from the class's fields."""
        self.names = tuple(field.name for field in dataclasses.fields(self.cls))  # type: ignore[arg-type] # see below
        for field in dataclasses.fields(self.cls):  # type: ignore[arg-type] # made a dataclass by `element`
            slot = cast(Slot | None, field.metadata.get(SLOT))
            if slot is None:
                continue
            name = slot.name or field.name.rstrip("_")
            if slot.required:
                self.required.append((field.name, self._describe(slot, name)))
            BINDERS[slot.role](self, field.name, name, slot)
        self.attribute_values = _getter(self._attribute_fields)
        self.child_values = _getter(self._writer_fields)
        self.ready = True

    def add_attribute(self, field: str, name: str, form: _Form, guard: _Guard | None) -> None:
        """Write a field as an attribute; `guard` says by the style whether it is written."""
        self._attribute_fields.append(field)
        self.attribute_forms.append((name, form, guard))

    def add_writer(self, field: str, writer: Writer, *, empty: bool = True) -> None:
        """Call `writer` with a field's value unless it is None, or, without `empty`, False or without entries."""
        self._writer_fields.append(field)
        self.writers.append((writer, empty))

    @staticmethod
    def _describe(slot: Slot, name: str) -> str:
        if slot.role == "attribute":
            return f"Missing required attribute '{name}' in element '{slot.within or '{}'}'"
        if slot.role == "content":
            return "Missing text in element '{}'"
        tag = name if slot.child is None else PLANS[slot.child].tag
        return f"Missing required element '{tag}' in element '{{}}'"


Binder = Callable[[Plan, str, str, Slot], None]
#: Role of a slot to the function that adds it to a plan. Filled by `element_fields`.
BINDERS: Final[dict[str, Binder]] = {}
PLANS: dict[type[object], Plan] = {}


def plan_of(cls: type[object]) -> Plan:
    """The plan of an element class, compiled."""
    plan = PLANS[cls]
    if not plan.ready:
        plan.compile()
    return plan


def read(cls: type[C], node: etree._Element, reading: Reading) -> C:
    """The object that `node` describes.

    Raises `XmlError` for a value that is not of its kind or missing, `UnsupportedConfigError` (or a schema error, code
    92, under `reading.validate`) for an element or attribute that no field claims.
    """
    plan = plan_of(cls)
    values: Values = {}
    for name, text in cast(list[tuple[str, str]], node.items()):
        entry = plan.attributes.get(name)
        if entry is None:
            if "@" + name in plan.drops:
                continue
            raise reading.refuse(node, f"attribute '{name}'")
        field, parse = entry
        try:
            values[field] = parse(text)
        except ValueError:
            raise _not_of_kind(cls, field, node, name, text) from None
    children = plan.children
    for child in node:
        tag = child.tag
        reader = children.get(tag)
        if reader is not None:
            reader(child, values, reading)
        elif tag not in plan.drops:
            raise reading.refuse(node, f"element '{tag}'")
    body = node.text
    if body is not None and (body := body.strip(SPACE)):
        if plan.content is None:
            raise reading.refuse(node, f"the text '{body[:40]}'")
        values[plan.content[0]] = convert(plan.content[1], body, node, None)
    for field, message in plan.required:
        if field not in values:
            raise XmlError(f"{message.format(node.tag)} (line {node.sourceline})")
    made = cls(**values)
    if plan.has_parsed:
        cast(_Parsed, made).parsed()
    return made


def write(item: object, lines: Lines, style: Style) -> None:
    """Append `item`'s element to `lines`."""
    plan = PLANS[type(item)]
    if not plan.ready:
        plan.compile()
    tag = head = plan.tag
    if plan.attribute_forms:
        for value, (name, form, guard) in zip(plan.attribute_values(item), plan.attribute_forms, strict=True):
            if value is not None and (guard is None or guard(style)):
                head += f" {name}='{form(value)}'"
    indent = lines.indent
    out = lines.lines
    if plan.content is not None and (value := getattr(item, plan.content[0])) is not None:
        out.append(f"{indent}<{head}>{escape(plan.content[1].format(value))}</{tag}>")
        return
    place = len(out)
    out.append("")
    if plan.writers:
        lines.indent = f"{indent}  "
        for value, (writer, empty) in zip(plan.child_values(item), plan.writers, strict=True):
            if value or (empty and value is not None):
                writer(value, item, lines, style)
        lines.indent = indent
    if len(out) > place + 1:
        out[place] = f"{indent}<{head}>"
        out.append(f"{indent}</{tag}>")
    elif head is not tag or not plan.omit_empty:
        out[place] = f"{indent}<{head}/>"
    else:
        out.pop()


def clone(item: C) -> C:
    """A copy that shares nothing changeable with `item`: its elements and lists are copied, its values shared."""
    plan = plan_of(type(item))
    return type(item)(**{name: _clone_value(getattr(item, name)) for name in plan.names})


def _clone_value(value: object) -> object:
    if type(value) in PLANS:
        return clone(value)
    if type(value) is list:
        return [_clone_value(entry) for entry in value]
    return value
