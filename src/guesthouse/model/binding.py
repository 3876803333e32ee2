"""How a class maps to an XML element.

An element is a class under `@element("tag")`, and every field says by its specifier what it is in XML::

    @element("rng")
    class Rng:
        model: str = attr(one_of("virtio", "virtio-transitional"))
        rate: Rate | None = one(Rate)
        backend: Backend = must(Backend)
        name: str | None = opt_leaf(TEXT)              # <name>text</name>
        readonly: bool = flag()                        # <readonly/>
        period: int | None = opt(UINT, within="stats") # <stats period='10'/>

The rules of this file:

- Reading is strict. What no field claims is refused by name and line, because a setting must never be ignored. What is
  printed by libvirt and void on input is named in the class's `drops`.
- Writing follows the order of the declarations: attributes first, then children. `live=True` marks what only a running
  guest shows, `secure=True` what only `VIR_DOMAIN_XML_SECURE` shows.
- `parsed()`, if a class has it, runs after its element was read: checks that span fields.
- An element whose attribute says which form it has (`<address type='pci' …/>`) is a `choice`: one class a form.
- A class is compiled once, on first use, into tables of slots; reading and writing then walk the tables.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast, dataclass_transform, runtime_checkable

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.kinds import ON_OFF, Kind
from guesthouse.model.xmltext import Lines, escape

T = TypeVar("T")
C = TypeVar("C")

_SLOT: Final = "guesthouse.slot"
#: What XML takes for white space; Python's `strip` would take more.
_SPACE: Final = " \t\r\n"


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
class _Slot:
    """What a field is in XML. `role` picks the row of `_BINDERS`."""

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


def _specify(slot: _Slot, default: object = dataclasses.MISSING, factory: object = dataclasses.MISSING) -> object:
    extra: dict[str, object] = {}
    if default is not dataclasses.MISSING:
        extra["default"] = default
    if factory is not dataclasses.MISSING:
        extra["default_factory"] = factory
    return dataclasses.field(metadata={_SLOT: slot}, **extra)  # type: ignore[call-overload]  # one of the two


def attr(kind: Kind[T], name: str | None = None, *, within: str | None = None) -> T:
    """An attribute that must be there; `within` names a child element that carries it."""
    return cast(T, _specify(_Slot("attribute", name, cast(Kind[object], kind), within=within, required=True)))


def opt(
    kind: Kind[T], name: str | None = None, *, within: str | None = None, live: bool = False, secure: bool = False
) -> T | None:
    """An attribute that may be there."""
    slot = _Slot("attribute", name, cast(Kind[object], kind), within=within, live=live, secure=secure)
    return cast(T | None, _specify(slot, None))


def default(kind: Kind[T], value: T, name: str | None = None, *, within: str | None = None) -> T:
    """An attribute that is always written, and has this value where a document leaves it out."""
    return cast(T, _specify(_Slot("attribute", name, cast(Kind[object], kind), within=within), value))


def content(kind: Kind[T]) -> T:
    """The element's own text, which must be there."""
    return cast(T, _specify(_Slot("content", None, cast(Kind[object], kind), required=True)))


def opt_content(kind: Kind[T]) -> T | None:
    """The element's own text, which may be missing."""
    return cast(T | None, _specify(_Slot("content", None, cast(Kind[object], kind)), None))


def leaf(kind: Kind[T], tag: str | None = None, *, factory: Callable[[], T] | None = None) -> T:
    """A child element with nothing but text, which must be there unless `factory` can make it."""
    slot = _Slot("leaf", tag, cast(Kind[object], kind), required=factory is None)
    return cast(T, _specify(slot, factory=factory or dataclasses.MISSING))


def opt_leaf(kind: Kind[T], tag: str | None = None, *, live: bool = False) -> T | None:
    """A child element with nothing but text, which may be missing."""
    return cast(T | None, _specify(_Slot("leaf", tag, cast(Kind[object], kind), live=live), None))


def leaves(kind: Kind[T], tag: str) -> list[T]:
    """Any number of child elements with nothing but text."""
    return cast(list[T], _specify(_Slot("leaves", tag, cast(Kind[object], kind)), factory=list))


def flag(tag: str | None = None) -> bool:
    """An empty child element: there or not there."""
    return cast(bool, _specify(_Slot("flag", tag), False))


def switch(tag: str | None = None, *, explicit: bool = False) -> bool | None:
    """A child element with one attribute `state`, on or off. Where that is missing it is on, unless `explicit`."""
    return cast(bool | None, _specify(_Slot("switch", tag, explicit=explicit), None))


def one(
    child: type[C],
    *,
    live: bool = False,
    secure: bool = False,
    show: Callable[[C], bool] | None = None,
    keep: Callable[[C], bool] | None = None,
) -> C | None:
    """A child element that may be there. `show` decides by its value whether it is written.

    `keep` says which values are written to a definition too, although the element is `live`.
    """
    visible = cast(Callable[[object], bool] | None, show)
    kept = cast(Callable[[object], bool] | None, keep)
    slot = _Slot("one", None, child=child, live=live, secure=secure, show=visible, keep=kept)
    return cast(C | None, _specify(slot, None))


def itself(*, live: bool = False, keep: Callable[[C], bool] | None = None) -> C | None:
    """A child element of the class that declares it, which may be there: a chain."""
    kept = cast(Callable[[object], bool] | None, keep)
    return cast(C | None, _specify(_Slot("one", None, live=live, keep=kept), None))


def choice(by: str, forms: dict[str, type[C]]) -> C | None:
    """A child element that may be there, and whose attribute `by` says which of the classes it is; all have one tag.

    Each class claims the attribute itself, so that it is written.
    """
    return cast(C | None, _specify(_Slot("choice", None, by=by, forms=cast(dict[str, type[object]], forms)), None))


def must(child: type[C]) -> C:
    """A child element that must be there."""
    return cast(C, _specify(_Slot("one", None, child=child, required=True)))


def always(child: type[C], factory: Callable[[], C] | None = None) -> C:
    """A child element that the object always has: `factory`, or the class, makes it where a document leaves it out."""
    return cast(C, _specify(_Slot("one", None, child=child), factory=factory or child))


def many(
    child: type[C],
    *,
    live: bool = False,
    secure: bool = False,
    show: Callable[[C], bool] | None = None,
    keep: Callable[[C], bool] | None = None,
) -> list[C]:
    """Any number of child elements of one tag. `show` and `keep` as for `one`."""
    visible = cast(Callable[[object], bool] | None, show)
    kept = cast(Callable[[object], bool] | None, keep)
    slot = _Slot("many", None, child=child, live=live, secure=secure, show=visible, keep=kept)
    return cast(list[C], _specify(slot, factory=list))


def raw(tag: str) -> list[str]:
    """The child elements of `<tag>`, each kept as text: somebody else's XML, such as metadata."""
    return cast(list[str], _specify(_Slot("raw", tag), factory=list))


def unbound(value: T) -> T:
    """A field that is not in XML at all."""
    return dataclasses.field(default=value)


@dataclass_transform(kw_only_default=True, field_specifiers=(
    attr, opt, default, content, opt_content, leaf, opt_leaf, leaves, flag, switch, one, itself, choice, must, always,
    many, raw, unbound,
))  # fmt: skip
def element(tag: str, *, omit_empty: bool = False, drops: Sequence[str] = ()) -> Callable[[type[C]], type[C]]:
    """Make a class an XML element: a keyword-only dataclass with slots that `read` and `write` know.

    With `omit_empty` nothing is written for an element without attributes and children. `drops` names child elements
    and attributes (as `@name`) that are accepted and void on input.
    """

    def decorate(cls: type[C]) -> type[C]:
        made = dataclass(kw_only=True, slots=True)(cls)
        _PLANS[made] = _Plan(made, tag, omit_empty, frozenset(drops))
        return made

    return decorate


def new(cls: type[C], /, **values: object) -> C:
    """A new element with these fields, the others at their defaults.

    The class itself can be called too, but to a type checker every field is then required: it cannot see the defaults
    that specifiers carry.
    """
    return cls(**values)


Values = dict[str, object]
_Reader = Callable[[etree._Element, Values, Reading], None]
#: Gets the field's value, which is not None, and the object that has it.
_Writer = Callable[[object, object, Lines, Style], None]


def _take(values: Values, field: str, value: object, node: etree._Element) -> None:
    if field in values:
        raise XmlError(f"element '{node.tag}' is given twice in '{path_of(node).rpartition('/')[0]}'")
    values[field] = value


def _convert(kind: Kind[T], text: str, node: etree._Element, name: str | None) -> T:
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
    slot = cast(_Slot, next(item for item in dataclasses.fields(cls) if item.name == field).metadata[_SLOT])  # type: ignore[arg-type] # an element
    return _wrong_value(cast(Kind[object], slot.kind).name, text, node, name)


def _no_content(node: etree._Element, reading: Reading) -> None:
    for name in node.attrib:
        raise reading.refuse(node, f"attribute '{name!s}'")
    for child in node:
        raise reading.refuse(node, f"element '{child.tag}'")


_Form = Callable[[object], str]
_Getter = Callable[[object], tuple[object, ...]]
_Guard = Callable[[Style], bool]
#: By whether a field is for running guests and whether it is secret: the test of the style.
_GUARDS: Final[dict[tuple[bool, bool], _Guard | None]] = {
    (False, False): None,
    (True, False): lambda style: style.live,
    (False, True): lambda style: style.secure,
    (True, True): lambda style: style.live and style.secure,
}


def _written(kind: Kind[object]) -> _Form:
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


class _Plan:
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
        self.children: dict[str, _Reader] = {}
        self.content: tuple[str, Kind[object]] | None = None
        self.required: list[tuple[str, str]] = []
        self.attribute_values: _Getter = _nothing
        self.attribute_forms: list[tuple[str, _Form, _Guard | None]] = []
        self.child_values: _Getter = _nothing
        self.writers: list[_Writer] = []
        self._attribute_fields: list[str] = []
        self._writer_fields: list[str] = []
        self.has_parsed = hasattr(cls, "parsed")
        self.names: tuple[str, ...] = ()

    def compile(self) -> None:
        """Fill the tables from the class's fields."""
        inner: dict[str, list[tuple[str, str, _Slot]]] = {}
        self.names = tuple(field.name for field in dataclasses.fields(self.cls))  # type: ignore[arg-type] # see below
        for field in dataclasses.fields(self.cls):  # type: ignore[arg-type] # made a dataclass by `element`
            slot = cast(_Slot | None, field.metadata.get(_SLOT))
            if slot is None:
                continue
            name = slot.name or field.name.rstrip("_")
            if slot.required:
                self.required.append((field.name, self._describe(slot, name)))
            if slot.within:
                if slot.within not in inner:
                    inner[slot.within] = []
                    # Several fields: the writer takes them from the object itself, which always has a class.
                    self.add_writer("__class__", _write_within(slot.within, inner[slot.within]))
                    self.children[slot.within] = _read_within(inner[slot.within])
                inner[slot.within].append((field.name, name, slot))
            else:
                _BINDERS[slot.role](self, field.name, name, slot)
        self.attribute_values = _getter(self._attribute_fields)
        self.child_values = _getter(self._writer_fields)
        self.ready = True

    def add_attribute(self, field: str, name: str, form: _Form, guard: _Guard | None) -> None:
        """Write a field as an attribute; `guard` says by the style whether it is written."""
        self._attribute_fields.append(field)
        self.attribute_forms.append((name, form, guard))

    def add_writer(self, field: str, writer: _Writer) -> None:
        """Call `writer` with a field's value whenever it is not None."""
        self._writer_fields.append(field)
        self.writers.append(writer)

    @staticmethod
    def _describe(slot: _Slot, name: str) -> str:
        if slot.role == "attribute":
            return f"Missing required attribute '{name}' in element '{slot.within or '{}'}'"
        if slot.role == "content":
            return "Missing text in element '{}'"
        tag = name if slot.child is None else _PLANS[slot.child].tag
        return f"Missing required element '{tag}' in element '{{}}'"


_PLANS: dict[type[object], _Plan] = {}


def _plan(cls: type[object]) -> _Plan:
    plan = _PLANS[cls]
    if not plan.ready:
        plan.compile()
    return plan


def tag_of(cls: type[object]) -> str:
    """The tag of an element class."""
    return _PLANS[cls].tag


def _bind_attribute(plan: _Plan, field: str, name: str, slot: _Slot) -> None:
    kind = cast(Kind[object], slot.kind)
    plan.attributes[name] = (field, kind.parse)
    guard = _GUARDS[slot.live, slot.secure]
    plan.add_attribute(field, name, _written(kind), guard)


def _bind_content(plan: _Plan, field: str, _name: str, slot: _Slot) -> None:
    plan.content = (field, cast(Kind[object], slot.kind))


def _bind_leaf(plan: _Plan, field: str, tag: str, slot: _Slot) -> None:
    kind = cast(Kind[object], slot.kind)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        _no_content(node, reading)
        text = node.text or ""
        _take(values, field, _convert(kind, text if kind.keeps_space else text.strip(_SPACE), node, None), node)

    form = _written(kind)

    def writer(value: object, _item: object, lines: Lines, style: Style) -> None:
        if style.live or not slot.live:
            lines.leaf(tag, "", form(value))

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_leaves(plan: _Plan, field: str, tag: str, slot: _Slot) -> None:
    kind = cast(Kind[object], slot.kind)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        _no_content(node, reading)
        entry = _convert(kind, (node.text or "").strip(_SPACE), node, None)
        cast(list[object], values.setdefault(field, [])).append(entry)

    form = _written(kind)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        for entry in cast(list[object], value):
            lines.leaf(tag, "", form(entry))

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_flag(plan: _Plan, field: str, tag: str, _slot: _Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        _no_content(node, reading)
        values[field] = True

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        if value:
            lines.leaf(tag)

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_switch(plan: _Plan, field: str, tag: str, slot: _Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        state = True
        if slot.explicit and "state" not in node.attrib:
            raise XmlError(f"Missing required attribute 'state' in element '{tag}' (line {node.sourceline})")
        for name, text in node.attrib.items():
            if name != "state":
                raise reading.refuse(node, f"attribute '{name!s}'")
            state = _convert(ON_OFF, str(text), node, "state")
        for child in node:
            raise reading.refuse(node, f"element '{child.tag}'")
        _take(values, field, state, node)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        lines.leaf(tag, " state='on'" if value else " state='off'")

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_one(plan: _Plan, field: str, _name: str, slot: _Slot) -> None:
    child = slot.child or plan.cls

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        _take(values, field, read(child, node, reading), node)

    plan.children[_PLANS[child].tag] = reader
    plan.add_writer(field, _write_one(slot))


def _write_one(slot: _Slot) -> _Writer:
    def always_visible(value: object, _item: object, lines: Lines, style: Style) -> None:
        write(value, lines, style)

    def sometimes_visible(value: object, _item: object, lines: Lines, style: Style) -> None:
        if _visible(slot, value, style):
            write(value, lines, style)

    return sometimes_visible if slot.live or slot.secure or slot.show is not None else always_visible


def _bind_choice(plan: _Plan, field: str, _name: str, slot: _Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        form = node.get(slot.by)
        if form is None:
            raise XmlError(f"Missing required attribute '{slot.by}' in element '{node.tag}' (line {node.sourceline})")
        child = slot.forms.get(str(form))
        if child is None:
            raise reading.refuse(node, f"{slot.by} '{str(form)[:200]}'")
        _take(values, field, read(child, node, reading), node)

    for child in slot.forms.values():
        plan.children[_PLANS[child].tag] = reader
    plan.add_writer(field, _write_one(slot))


def _bind_many(plan: _Plan, field: str, _name: str, slot: _Slot) -> None:
    child = cast(type[object], slot.child)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        cast(list[object], values.setdefault(field, [])).append(read(child, node, reading))

    write_entry = _write_one(slot)

    def writer(value: object, item: object, lines: Lines, style: Style) -> None:
        for entry in cast(list[object], value):
            write_entry(entry, item, lines, style)

    plan.children[_PLANS[child].tag] = reader
    plan.add_writer(field, writer)


def _bind_raw(plan: _Plan, field: str, tag: str, _slot: _Slot) -> None:
    def reader(node: etree._Element, values: Values, _reading: Reading) -> None:
        _take(values, field, [fragment_text(child) for child in node], node)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        if value:
            lines.open(tag)
            for fragment in cast(list[str], value):
                lines.verbatim(fragment)
            lines.close(tag)

    plan.children[tag] = reader
    plan.add_writer(field, writer)


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


def _visible(slot: _Slot, value: object, style: Style) -> bool:
    if slot.live and not style.live and (slot.keep is None or not slot.keep(value)):
        return False
    if slot.secure and not style.secure:
        return False
    return slot.show is None or slot.show(value)


def _read_within(slots: list[tuple[str, str, _Slot]]) -> _Reader:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        table = {name: (field, cast(Kind[object], slot.kind)) for field, name, slot in slots}
        for name, text in node.attrib.items():
            entry = table.get(str(name))
            if entry is None:
                raise reading.refuse(node, f"attribute '{name!s}'")
            _take(values, entry[0], _convert(entry[1], str(text), node, str(name)), node)
        for child in node:
            raise reading.refuse(node, f"element '{child.tag}'")

    return reader


def _write_within(tag: str, slots: list[tuple[str, str, _Slot]]) -> _Writer:
    def writer(_value: object, item: object, lines: Lines, style: Style) -> None:
        parts = [
            f" {name}='{escape(cast(Kind[object], slot.kind).format(value))}'"
            for field, name, slot in slots
            if (value := getattr(item, field)) is not None and _visible(slot, value, style)
        ]
        if parts:
            lines.leaf(tag, "".join(parts))

    return writer


_BINDERS: Final[dict[str, Callable[[_Plan, str, str, _Slot], None]]] = {
    "attribute": _bind_attribute,
    "content": _bind_content,
    "leaf": _bind_leaf,
    "leaves": _bind_leaves,
    "flag": _bind_flag,
    "switch": _bind_switch,
    "one": _bind_one,
    "choice": _bind_choice,
    "many": _bind_many,
    "raw": _bind_raw,
}


def read(cls: type[C], node: etree._Element, reading: Reading) -> C:
    """The object that `node` describes.

    Raises `XmlError` for a value that is not of its kind or missing, `UnsupportedConfigError` (or a schema error, code
    92, under `reading.validate`) for an element or attribute that no field claims.
    """
    plan = _plan(cls)
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
    if body is not None and (body := body.strip(_SPACE)):
        if plan.content is None:
            raise reading.refuse(node, f"the text '{body[:40]}'")
        values[plan.content[0]] = _convert(plan.content[1], body, node, None)
    for field, message in plan.required:
        if field not in values:
            raise XmlError(f"{message.format(node.tag)} (line {node.sourceline})")
    made = cls(**values)
    if plan.has_parsed:
        cast(_Parsed, made).parsed()
    return made


def write(item: object, lines: Lines, style: Style) -> None:
    """Append `item`'s element to `lines`."""
    plan = _plan(type(item))
    tag = plan.tag
    head = tag
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
    lines.indent = indent + "  "
    for value, writer in zip(plan.child_values(item), plan.writers, strict=True):
        if value is not None:
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
    plan = _plan(type(item))
    return type(item)(**{name: _clone_value(getattr(item, name)) for name in plan.names})


def _clone_value(value: object) -> object:
    if type(value) in _PLANS:
        return clone(value)
    if type(value) is list:
        return [_clone_value(entry) for entry in value]
    return value


def elements() -> dict[type[object], str]:
    """Every element class that is declared, with its tag: what the support matrix is made from."""
    return {cls: plan.tag for cls, plan in _PLANS.items()}


def accepted_names(cls: type[object]) -> tuple[set[str], set[str]]:
    """The attributes and the child elements that are accepted in `cls`: those of its fields, and those it drops."""
    plan = _plan(cls)
    dropped = {name.removeprefix("@") for name in plan.drops if name.startswith("@")}
    return {*plan.attributes, *dropped}, {*plan.children, *(name for name in plan.drops if not name.startswith("@"))}


def children_of(cls: type[object]) -> list[tuple[str, type[object] | None, frozenset[str]]]:
    """The child elements that `cls` claims: tag, the class of the child if it has one, and the attributes it takes."""
    children: list[tuple[str, type[object] | None, frozenset[str]]] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # made a dataclass by `element`
        slot = cast(_Slot | None, field.metadata.get(_SLOT))
        if slot is None or slot.role == "content" or (slot.role == "attribute" and not slot.within):
            continue
        name = slot.name or field.name.rstrip("_")
        if slot.within:
            children.append((slot.within, None, frozenset((name,))))
        elif slot.forms:
            children.extend((_PLANS[form].tag, form, frozenset()) for form in slot.forms.values())
        elif slot.role in ("one", "many"):
            child = slot.child or cls
            children.append((_PLANS[child].tag, child, frozenset()))
        else:
            children.append((name, None, frozenset(("state",) if slot.role == "switch" else ())))
    return children
