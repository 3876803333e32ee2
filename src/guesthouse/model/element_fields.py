"""The kinds of fields that an element class can have: how each is read and written. See `binding`."""

from __future__ import annotations

from typing import cast

from lxml import etree

from guesthouse.errors import XmlError
from guesthouse.model.element_plans import (
    BINDERS,
    GUARDS,
    PLANS,
    SPACE,
    Inner,
    Plan,
    Reader,
    Reading,
    Slot,
    Style,
    Values,
    Writer,
    convert,
    no_content,
    read,
    take,
    write,
    written,
)
from guesthouse.model.kinds import ON_OFF, Kind
from guesthouse.model.xmltext import Lines


def _bind_attribute(plan: Plan, field: str, name: str, slot: Slot) -> None:
    if slot.within:
        _bind_within(plan, field, name, slot, slot.within)
        return
    kind = cast(Kind[object], slot.kind)
    plan.attributes[name] = (field, kind.parse)
    plan.add_attribute(field, name, written(kind), GUARDS[slot.live, slot.secure])


def _bind_within(plan: Plan, field: str, name: str, slot: Slot, within: str) -> None:
    inner = plan.inner.get(within)
    if inner is None:
        inner = plan.inner[within] = Inner()
        # Several fields: the writer takes them from the object itself, which always has a class.
        plan.add_writer("__class__", _write_within(within, inner))
        plan.children[within] = _read_within(inner)
    kind = cast(Kind[object], slot.kind)
    inner.kinds[name] = (field, kind)
    inner.forms.append((field, name, written(kind), GUARDS[slot.live, slot.secure]))


def _bind_content(plan: Plan, field: str, _name: str, slot: Slot) -> None:
    plan.content = (field, cast(Kind[object], slot.kind))


def _bind_leaf(plan: Plan, field: str, tag: str, slot: Slot) -> None:
    kind = cast(Kind[object], slot.kind)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        no_content(node, reading)
        text = node.text or ""
        take(values, field, convert(kind, text if kind.keeps_space else text.strip(SPACE), node, None), node)

    form = written(kind)

    def writer(value: object, _item: object, lines: Lines, style: Style) -> None:
        if style.live or not slot.live:
            lines.leaf(tag, "", form(value))

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_leaves(plan: Plan, field: str, tag: str, slot: Slot) -> None:
    kind = cast(Kind[object], slot.kind)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        no_content(node, reading)
        entry = convert(kind, (node.text or "").strip(SPACE), node, None)
        cast(list[object], values.setdefault(field, [])).append(entry)

    form = written(kind)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        for entry in cast(list[object], value):
            lines.leaf(tag, "", form(entry))

    plan.children[tag] = reader
    plan.add_writer(field, writer, empty=False)


def _bind_flag(plan: Plan, field: str, tag: str, _slot: Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        no_content(node, reading)
        values[field] = True

    def writer(_value: object, _item: object, lines: Lines, _style: Style) -> None:
        lines.leaf(tag)

    plan.children[tag] = reader
    plan.add_writer(field, writer, empty=False)


def _bind_switch(plan: Plan, field: str, tag: str, slot: Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        state = True
        if slot.explicit and "state" not in node.attrib:
            raise XmlError(f"Missing required attribute 'state' in element '{tag}' (line {node.sourceline})")
        for name, text in node.attrib.items():
            if name != "state":
                raise reading.refuse(node, f"attribute '{name!s}'")
            state = convert(ON_OFF, str(text), node, "state")
        for child in node:
            raise reading.refuse(node, f"element '{child.tag}'")
        take(values, field, state, node)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        lines.leaf(tag, " state='on'" if value else " state='off'")

    plan.children[tag] = reader
    plan.add_writer(field, writer)


def _bind_one(plan: Plan, field: str, _name: str, slot: Slot) -> None:
    child = slot.child or plan.cls

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        take(values, field, read(child, node, reading), node)

    plan.children[PLANS[child].tag] = reader
    plan.add_writer(field, _write_one(slot))


def _write_one(slot: Slot) -> Writer:
    def always_visible(value: object, _item: object, lines: Lines, style: Style) -> None:
        write(value, lines, style)

    def sometimes_visible(value: object, _item: object, lines: Lines, style: Style) -> None:
        if _visible(slot, value, style):
            write(value, lines, style)

    return sometimes_visible if slot.live or slot.secure or slot.show is not None else always_visible


def _bind_choice(plan: Plan, field: str, _name: str, slot: Slot) -> None:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        form = node.get(slot.by)
        if form is None:
            raise XmlError(f"Missing required attribute '{slot.by}' in element '{node.tag}' (line {node.sourceline})")
        child = slot.forms.get(str(form))
        if child is None:
            raise reading.refuse(node, f"{slot.by} '{str(form)[:200]}'")
        take(values, field, read(child, node, reading), node)

    for child in slot.forms.values():
        plan.children[PLANS[child].tag] = reader
    plan.add_writer(field, _write_one(slot))


def _bind_many(plan: Plan, field: str, _name: str, slot: Slot) -> None:
    child = cast(type[object], slot.child)

    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        cast(list[object], values.setdefault(field, [])).append(read(child, node, reading))

    write_entry = _write_one(slot)

    def writer(value: object, item: object, lines: Lines, style: Style) -> None:
        for entry in cast(list[object], value):
            write_entry(entry, item, lines, style)

    plan.children[PLANS[child].tag] = reader
    plan.add_writer(field, writer, empty=False)


def _bind_raw(plan: Plan, field: str, tag: str, _slot: Slot) -> None:
    def reader(node: etree._Element, values: Values, _reading: Reading) -> None:
        take(values, field, [fragment_text(child) for child in node], node)

    def writer(value: object, _item: object, lines: Lines, _style: Style) -> None:
        lines.open(tag)
        for fragment in cast(list[str], value):
            lines.verbatim(fragment)
        lines.close(tag)

    plan.children[tag] = reader
    plan.add_writer(field, writer, empty=False)


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


def _visible(slot: Slot, value: object, style: Style) -> bool:
    if slot.live and not style.live and (slot.keep is None or not slot.keep(value)):
        return False
    if slot.secure and not style.secure:
        return False
    return slot.show is None or slot.show(value)


def _read_within(inner: Inner) -> Reader:
    def reader(node: etree._Element, values: Values, reading: Reading) -> None:
        for name, text in node.attrib.items():
            entry = inner.kinds.get(str(name))
            if entry is None:
                raise reading.refuse(node, f"attribute '{name!s}'")
            take(values, entry[0], convert(entry[1], str(text), node, str(name)), node)
        for child in node:
            raise reading.refuse(node, f"element '{child.tag}'")

    return reader


def _write_within(tag: str, inner: Inner) -> Writer:
    def writer(_value: object, item: object, lines: Lines, style: Style) -> None:
        attributes = ""
        for field, name, form, guard in inner.forms:
            value = getattr(item, field)
            if value is not None and (guard is None or guard(style)):
                attributes += f" {name}='{form(value)}'"
        if attributes:
            lines.leaf(tag, attributes)

    return writer


BINDERS.update(
    {
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
)
