"""Compiles element classes: writes the Python that one would write by hand for a class, and executes it. See `binding`.

A class gets three functions, each at its first use. Those of `<rng>`, for example, begin like this:

    def read(node, reading):
        v_model = unset
        v_rate = None
        ...
        for name, text in node.items():
            if name == 'model': v_model = k1(text)
            ...
        for child in node:
            tag = child.tag
            if tag == 'rate':
                value = readers[k2](child, reading)
                if v_rate is not None: raise take_twice(child)
                v_rate = value
            ...

    def write(item, out, indent, style):
        head = ''
        v = item.model
        if v is not None: head += f" model='{v!s}'"
        ...

A field is a local variable `v_NAME` until all is read. What a document leaves out is `unset` where something has to
follow (an error, or a value from a factory), and else has its default from the start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, TypeVar, cast

from lxml import etree

from guesthouse.model.element_plans import (
    PLANS,
    SPACE,
    Field,
    Plan,
    Reading,
    Slot,
    Style,
    convert,
    form_of,
    fragment_lines,
    fragment_text,
    missing,
    no_children,
    no_content,
    not_of_kind,
    read_leaf,
    read_switch,
    take_twice,
)
from guesthouse.model.kinds import Kind
from guesthouse.model.xmltext import Lines, escape

C = TypeVar("C")

Reader = Callable[[etree._Element, Reading], object]
Writer = Callable[[object, list[str], str, Style], None]
Cloner = Callable[[object], object]
#: Roles whose value is a fresh list in every object.
_GATHERED: Final = ("many", "mixed", "choices", "leaves")
#: The line that refuses a name that nobody claims.
_REFUSE: Final = "raise reading.refuse({}, f\"{} '{{{}}}'\", {})"


def _guard(slot: Slot) -> str:
    """The test of the style for a field: whether it is for running guests, secret, or only for a status file."""
    asked = {"live": slot.live, "secure": slot.secure, "status": slot.status}
    return "".join(f" and style.{name}" for name, needed in asked.items() if needed)


class _Source:
    """Source lines of one function of a class, and the names that they use."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.fields = plan.fields()
        self.lines: list[str] = []
        self.depth = 1
        self.scope = {**_SCOPE, "cls": plan.cls, "plan": plan}

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def block(self, lines: list[str]) -> None:
        """Lines one level deeper."""
        self.lines += ["    " * (self.depth + 1) + text for text in lines]

    def constant(self, value: object) -> str:
        """A fresh name for a value of the scope."""
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def function(self, head: str) -> object:
        """Execute the lines below their head and return the function."""
        code = compile("\n".join([f"def {head}:", *self.lines]), f"<{head} of {self.plan.cls.__name__}>", "exec")
        exec(code, self.scope)  # noqa: S102 - source made here, from our own declarations
        return self.scope.pop(head.partition("(")[0])


class _ReaderSource(_Source):
    """Writes a reader. `children` has the lines for each tag; of fields that share one, the last has it."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.attributes: dict[str, list[str]] = {}
        self.children: dict[str, list[str]] = {}
        self.inner: dict[str, dict[str, list[str]]] = {}
        self.content: tuple[Field, Kind[object]] | None = None

    def write(self) -> None:
        for field in self.fields:
            self.line(f"v_{field.name} = {self.initial(field)}")
            if field.slot is not None:
                getattr(self, "_" + field.slot.role)(field, field.slot)
        self.read_attributes()
        self.read_children()
        self.read_content()
        self.finish()

    def initial(self, field: Field) -> str:
        """What the variable is before anything is read."""
        slot = field.slot
        if slot is not None and slot.role in _GATHERED:
            return "[]"
        if field.default is None:
            return "None"
        waits = field.default is dataclasses.MISSING or (slot is not None and slot.within is not None)
        return "unset" if waits else self.constant(field.default)

    def once(self, field: Field, value: str) -> list[str]:
        """Lines that keep the value of a child element, which may not come twice."""
        variable, none = f"v_{field.name}", "None" if field.default is None else "unset"
        return [f"value = {value}", f"if {variable} is not {none}: raise take_twice(child)", f"{variable} = value"]

    def _attribute(self, field: Field, slot: Slot) -> None:
        value = f"{self.constant(cast(Kind[object], slot.kind).parse)}(text)"
        if slot.within is None:
            keep = f"v_{field.name} = {value}"
            self.attributes[field.xml] = [keep] if not slot.status else self.only_in_status(field, keep)
            return
        if slot.within not in self.inner:
            self.inner[slot.within] = {}
            self.children[slot.within] = []
        self.inner[slot.within][field.xml] = self.once(field, value)

    def only_in_status(self, field: Field, keep: str) -> list[str]:
        """Lines for an attribute of status files. In other documents it is refused, or void if the class drops it."""
        if f"@{field.xml}" in self.plan.drops:
            return [f"if reading.status: {keep}"]
        return [f"if not reading.status: {_REFUSE.format('node', 'attribute', 'name', 'node')}", keep]

    def _content(self, field: Field, slot: Slot) -> None:
        self.content = field, cast(Kind[object], slot.kind)

    def _leaf(self, field: Field, slot: Slot) -> None:
        self.children[field.xml] = self.once(field, f"read_leaf(child, reading, {self.constant(slot.kind)})")

    def _leaves(self, field: Field, slot: Slot) -> None:
        kind = dataclasses.replace(cast(Kind[object], slot.kind), keeps_space=False)
        value = f"read_leaf(child, reading, {self.constant(kind)})"
        self.children[field.xml] = [f"v_{field.name}.append({value})"]

    def _flag(self, field: Field, _slot: Slot) -> None:
        self.children[field.xml] = ["no_content(child, reading)", f"v_{field.name} = True"]

    def _switch(self, field: Field, slot: Slot) -> None:
        self.children[field.xml] = self.once(field, f"read_switch(child, reading, {slot.explicit})")

    def _one(self, field: Field, slot: Slot) -> None:
        child = slot.child or self.plan.cls
        self.children[PLANS[child].tag] = self.once(field, f"readers[{self.constant(child)}](child, reading)")

    def _choice(self, field: Field, slot: Slot) -> None:
        value = f"readers[form_of(child, reading, {self.constant(slot)})](child, reading)"
        for form in slot.forms.values():
            self.children[PLANS[form].tag] = self.once(field, value)

    def _many(self, field: Field, slot: Slot) -> None:
        child = cast(type[object], slot.child)
        self.children[PLANS[child].tag] = [f"v_{field.name}.append(readers[{self.constant(child)}](child, reading))"]

    def _choices(self, field: Field, slot: Slot) -> None:
        value = f"readers[form_of(child, reading, {self.constant(slot)})](child, reading)"
        for form in slot.forms.values():
            self.children[PLANS[form].tag] = [f"v_{field.name}.append({value})"]

    def _mixed(self, field: Field, slot: Slot) -> None:
        for tag, form in slot.forms.items():
            self.children[tag] = [f"v_{field.name}.append(readers[{self.constant(form)}](child, reading))"]

    def _raw(self, field: Field, _slot: Slot) -> None:
        self.children[field.xml] = self.once(field, "[fragment_text(part) for part in child]")

    def read_attributes(self) -> None:
        drops = tuple(name.removeprefix("@") for name in sorted(self.plan.drops) if name.startswith("@"))
        self.line("try:")
        self.block(_attribute_loop("node", self.attributes, drops))
        self.line("except ValueError:")
        self.line("    raise not_of_kind(plan, None, node, name, text) from None")

    def read_children(self) -> None:
        for tag, names in self.inner.items():
            if not self.children[tag]:
                self.children[tag] = [
                    "try:",
                    *("    " + text for text in _attribute_loop("child", names, ())),
                    "except ValueError:",
                    f"    raise not_of_kind(plan, {tag!r}, child, name, text) from None",
                    "no_children(child, reading)",
                ]
        self.line("for child in node if len(node) else ():")
        self.line("    tag = child.tag")
        self.block(_branches("tag", self.children, tuple(sorted(self.plan.drops)), "node", "element", at="child"))

    def read_content(self) -> None:
        self.line("body = node.text")
        self.line(f"if body is not None and (body := body.strip({SPACE!r})):")
        if self.content is None:
            self.line("    raise reading.refuse(node, f\"the text '{body[:40]}'\")")
        else:
            field, kind = self.content
            self.line(f"    v_{field.name} = convert({self.constant(kind)}, body, node, None)")

    def finish(self) -> None:
        for field in self.fields:
            if field.slot is not None and field.slot.required:
                self.line(f"if v_{field.name} is unset: raise missing(node, {_needed(field, field.slot)!r})")
        self.line("made = new(cls)")
        for field in self.fields:
            self.line(f"made.{field.name} = v_{field.name}{self.otherwise(field)}")
        if hasattr(self.plan.cls, "parsed"):
            self.line("made.parsed()")
        self.line("return made")

    def otherwise(self, field: Field) -> str:
        """What takes the place of a value that is still `unset`."""
        if (field.slot is not None and field.slot.required) or self.initial(field) != "unset":
            return ""
        instead = f"{self.constant(field.factory)}()" if field.factory else self.constant(field.default)
        return f" if v_{field.name} is not unset else {instead}"


def _branches(
    subject: str, cases: dict[str, list[str]], drops: tuple[str, ...], node: str, noun: str, *, at: str = ""
) -> list[str]:
    """Lines that do one thing for each text `subject` may be; what is neither a case nor dropped is refused.

    `at` is the element whose line is told, where that is not `node`.
    """
    lines: list[str] = []
    word = "if"
    for text, block in cases.items():
        lines += [f"{word} {subject} == {text!r}:", *("    " + line for line in block)]
        word = "elif"
    lines.append(f"{word} {subject} not in {drops!r}:")
    lines.append("    " + _REFUSE.format(node, noun, subject, at or node))
    return lines


def _attribute_loop(node: str, cases: dict[str, list[str]], drops: tuple[str, ...]) -> list[str]:
    branches = _branches("name", cases, drops, node, "attribute")
    return [f"for name, text in {node}.items():", *("    " + line for line in branches)]


def _needed(field: Field, slot: Slot) -> str:
    """The error message where a field is missing; `{}` stands for the element."""
    if slot.role == "attribute":
        return f"Missing required attribute '{field.xml}' in element '{slot.within or '{}'}'"
    if slot.role == "content":
        return "Missing text in element '{}'"
    tag = field.xml if slot.child is None else PLANS[slot.child].tag
    return f"Missing required element '{tag}' in element '{{}}'"


class _WriterSource(_Source):
    """Writes a writer. `out` gets lines, `indent` stands before them; `head` is the text of the attributes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.inner: dict[str, list[Field]] = {}

    def write(self) -> None:
        tag = self.plan.tag
        self.line("head = ''")
        for field in self.fields:
            slot = field.slot
            if slot is not None and slot.role == "attribute":
                if slot.within is None:
                    self.attribute(field, slot)
                else:
                    self.inner.setdefault(slot.within, []).append(field)
        for field in self.fields:
            if field.slot is not None and field.slot.role == "content":
                self.content(field, field.slot)
        children = [field for field in self.fields if field.slot is not None and self.is_child(field, field.slot)]
        if children:
            self.line("place = len(out)")
            self.line("out.append('')")
            self.line("deeper = indent + '  '")
            for field in children:
                getattr(self, "_" + cast(Slot, field.slot).role)(field, field.slot)
            self.line("if True:" if self.plan.two_lines else "if len(out) > place + 1:")
            self.line(f"    out[place] = f'{{indent}}<{tag}{{head}}>'")
            self.line(f"    out.append(f'{{indent}}</{tag}>')")
            self.line("    return")
            self.line("out.pop()")
        empty = "if head: " if self.plan.omit_empty else ""
        self.line(f"{empty}out.append(f'{{indent}}<{tag}{{head}}/>')")

    def is_child(self, field: Field, slot: Slot) -> bool:
        """Whether lines of its own are written for a field. Those of one `within` share the lines of the first."""
        if slot.role == "attribute":
            return slot.within is not None and self.inner[slot.within][0] is field
        return slot.role != "content"

    def form(self, kind: Kind[object]) -> str:
        """The expression, in an f-string, for the value `v` of a kind: escaped where that may be needed."""
        if kind.format is str:
            return "{v!s}" if kind.plain else "{v if v.isalnum() else escape(v)}"
        text = f"{self.constant(kind.format)}(v)"
        return f"{{{text}}}" if kind.plain else f"{{escape({text})}}"

    def attribute(self, field: Field, slot: Slot) -> None:
        self.line(f"v = item.{field.name}")
        self.line(f"if v is not None{_guard(slot)}:")
        self.line(f"    head += f\" {field.xml}='{self.form(cast(Kind[object], slot.kind))}'\"")

    def content(self, field: Field, slot: Slot) -> None:
        tag = self.plan.tag
        self.line(f"v = item.{field.name}")
        self.line("if v is not None:")
        form = self.form(cast(Kind[object], slot.kind))
        self.line(f"    out.append(f'{{indent}}<{tag}{{head}}>{form}</{tag}>')")
        self.line("    return")

    def _attribute(self, _field: Field, slot: Slot) -> None:
        within = cast(str, slot.within)
        self.line("outer, head = head, ''")
        for field in self.inner[within]:
            self.attribute(field, cast(Slot, field.slot))
        self.line(f"if head: out.append(f'{{deeper}}<{within}{{head}}/>')")
        self.line("head = outer")

    def _leaf(self, field: Field, slot: Slot) -> None:
        self.line(f"v = item.{field.name}")
        self.line(f"if v is not None{_guard(slot)}:")
        self.line("    " + self.leaf(field, slot))

    def _leaves(self, field: Field, slot: Slot) -> None:
        self.line(f"for v in item.{field.name} or ():")
        self.line("    " + self.leaf(field, slot))

    def leaf(self, field: Field, slot: Slot) -> str:
        """The line that writes `v` as the text of an element."""
        return f"out.append(f'{{deeper}}<{field.xml}>{self.form(cast(Kind[object], slot.kind))}</{field.xml}>')"

    def _flag(self, field: Field, _slot: Slot) -> None:
        self.line(f"if item.{field.name}: out.append(f'{{deeper}}<{field.xml}/>')")

    def _switch(self, field: Field, _slot: Slot) -> None:
        self.line(f"v = item.{field.name}")
        self.line("if v is not None:")
        self.line(f"    out.append(f\"{{deeper}}<{field.xml} state='{{words[not v]}}'/>\")")

    def _one(self, field: Field, slot: Slot) -> None:
        self.line(f"v = item.{field.name}")
        self.line(f"if v is not None{self.visible(slot)}: writers[type(v)](v, out, deeper, style)")

    _choice = _one

    def _many(self, field: Field, slot: Slot) -> None:
        self.line(f"for v in item.{field.name} or ():")
        guard = self.visible(slot).removeprefix(" and ")
        self.line(f"    {f'if {guard}: ' if guard else ''}writers[type(v)](v, out, deeper, style)")

    _mixed = _many
    _choices = _many

    def visible(self, slot: Slot) -> str:
        """The rest of a condition: whether the element `v` is shown in this style."""
        parts = [""]
        if slot.live:
            parts.append(f"(style.live or {self.constant(slot.keep)}(v))" if slot.keep else "style.live")
        if slot.secure:
            parts.append("style.secure")
        if slot.show is not None:
            parts.append(f"{self.constant(slot.show)}(v)")
        return " and ".join(parts)

    def _raw(self, field: Field, _slot: Slot) -> None:
        self.line(f"if item.{field.name}:")
        self.line(f"    out.append(f'{{deeper}}<{field.xml}>')")
        self.line(f"    for v in item.{field.name}: out += fragment_lines(v, deeper + '  ')")
        self.line(f"    out.append(f'{{deeper}}</{field.xml}>')")


def _reader(cls: type[object]) -> Reader:
    source = _ReaderSource(PLANS[cls])
    source.write()
    return cast(Reader, source.function("read(node, reading)"))


def _writer(cls: type[object]) -> Writer:
    source = _WriterSource(PLANS[cls])
    source.write()
    return cast(Writer, source.function("write(item, out, indent, style)"))


def _cloner(cls: type[object]) -> Cloner:
    source = _Source(PLANS[cls])
    source.line("made = new(cls)")
    for field in source.fields:
        shared = field.slot is not None and field.slot.role in ("flag", "switch")
        source.line(f"v = item.{field.name}")
        source.line(f"made.{field.name} = {'v' if shared else 'v if v is None else copied(v)'}")
    source.line("return made")
    return cast(Cloner, source.function("clone(item)"))


def _copied(value: object) -> object:
    if type(value) in PLANS:
        return _CLONERS[type(value)](value)
    if type(value) is list:
        return [_copied(entry) for entry in value]
    return value


F = TypeVar("F")


class _Compiled(dict[type[object], F]):
    """Functions by element class, each compiled when it is first asked for. Raises `KeyError` for other classes."""

    def __init__(self, make: Callable[[type[object]], F]) -> None:
        self._make = make

    def __missing__(self, cls: type[object]) -> F:
        made = self[cls] = self._make(cls)
        return made


_READERS: Final = _Compiled(_reader)
_WRITERS: Final = _Compiled(_writer)
_CLONERS: Final = _Compiled(_cloner)
#: What generated functions call.
_SCOPE: Final[dict[str, object]] = {
    "convert": convert,
    "copied": _copied,
    "escape": escape,
    "form_of": form_of,
    "fragment_lines": fragment_lines,
    "fragment_text": fragment_text,
    "missing": missing,
    "new": object.__new__,
    "no_children": no_children,
    "no_content": no_content,
    "not_of_kind": not_of_kind,
    "read_leaf": read_leaf,
    "read_switch": read_switch,
    "readers": _READERS,
    "take_twice": take_twice,
    "unset": object(),
    "words": ("on", "off"),
    "writers": _WRITERS,
}


def read(cls: type[C], node: etree._Element, reading: Reading) -> C:
    """The object that `node` describes.

    Raises `XmlError` for a value that is not of its kind or missing, `UnsupportedConfigError` (or a schema error, code
    92, under `reading.validate`) for an element or attribute that no field claims.
    """
    return cast(C, _READERS[cls](node, reading))


def write(item: object, lines: Lines, style: Style) -> None:
    """Append `item`'s element to `lines`."""
    _WRITERS[type(item)](item, lines.lines, lines.indent, style)


def clone(item: C) -> C:
    """A copy that shares nothing changeable with `item`: its elements and lists are copied, its values shared."""
    return cast(C, _CLONERS[type(item)](item))
