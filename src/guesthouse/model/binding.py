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
- A class is compiled on first use: `element_fields` writes a function that reads it, one that writes it, and executes
  them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast, dataclass_transform

from guesthouse.model.element_fields import clone, read, write
from guesthouse.model.element_plans import PLANS, SLOT, Plan, Reading, Slot, Style, fragment_text, path_of
from guesthouse.model.kinds import Kind

__all__ = [
    "Reading",
    "Style",
    "accepted_names",
    "always",
    "attr",
    "children_of",
    "choice",
    "choices",
    "clone",
    "content",
    "default",
    "element",
    "elements",
    "flag",
    "fragment_text",
    "holds_any",
    "itself",
    "leaf",
    "leaves",
    "many",
    "mixed",
    "must",
    "new",
    "one",
    "opt",
    "opt_content",
    "opt_leaf",
    "path_of",
    "raw",
    "read",
    "shared",
    "switch",
    "tag_of",
    "unbound",
    "write",
]

T = TypeVar("T")
C = TypeVar("C")


def _specify(slot: Slot, default: object = dataclasses.MISSING, factory: object = dataclasses.MISSING) -> object:
    extra: dict[str, object] = {}
    if default is not dataclasses.MISSING:
        extra["default"] = default
    if factory is not dataclasses.MISSING:
        extra["default_factory"] = factory
    return dataclasses.field(metadata={SLOT: slot}, **extra)  # type: ignore[call-overload]  # one of the two


def attr(kind: Kind[T], name: str | None = None, *, within: str | None = None) -> T:
    """An attribute that must be there; `within` names a child element that carries it."""
    return cast(T, _specify(Slot("attribute", name, cast(Kind[object], kind), within=within, required=True)))


def opt(
    kind: Kind[T],
    name: str | None = None,
    *,
    within: str | None = None,
    live: bool = False,
    secure: bool = False,
    status: bool = False,
) -> T | None:
    """An attribute that may be there.

    One of `status` is only for the status files of running guests: elsewhere nothing claims it.
    """
    slot = Slot("attribute", name, cast(Kind[object], kind), within=within, live=live, secure=secure, status=status)
    return cast(T | None, _specify(slot, None))


def default(kind: Kind[T], value: T, name: str | None = None, *, within: str | None = None) -> T:
    """An attribute that is always written, and has this value where a document leaves it out."""
    return cast(T, _specify(Slot("attribute", name, cast(Kind[object], kind), within=within), value))


def content(kind: Kind[T]) -> T:
    """The element's own text, which must be there."""
    return cast(T, _specify(Slot("content", None, cast(Kind[object], kind), required=True)))


def opt_content(kind: Kind[T]) -> T | None:
    """The element's own text, which may be missing."""
    return cast(T | None, _specify(Slot("content", None, cast(Kind[object], kind)), None))


def leaf(kind: Kind[T], tag: str | None = None, *, factory: Callable[[], T] | None = None) -> T:
    """A child element with nothing but text, which must be there unless `factory` can make it."""
    slot = Slot("leaf", tag, cast(Kind[object], kind), required=factory is None)
    return cast(T, _specify(slot, factory=factory or dataclasses.MISSING))


def opt_leaf(kind: Kind[T], tag: str | None = None, *, live: bool = False) -> T | None:
    """A child element with nothing but text, which may be missing."""
    return cast(T | None, _specify(Slot("leaf", tag, cast(Kind[object], kind), live=live), None))


def leaves(kind: Kind[T], tag: str) -> list[T]:
    """Any number of child elements with nothing but text."""
    return cast(list[T], _specify(Slot("leaves", tag, cast(Kind[object], kind)), factory=list))


def flag(tag: str | None = None) -> bool:
    """An empty child element: there or not there."""
    return cast(bool, _specify(Slot("flag", tag), False))


def switch(tag: str | None = None, *, explicit: bool = False) -> bool | None:
    """A child element with one attribute `state`, on or off. Where that is missing it is on, unless `explicit`."""
    return cast(bool | None, _specify(Slot("switch", tag, explicit=explicit), None))


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
    slot = Slot("one", None, child=child, live=live, secure=secure, show=visible, keep=kept)
    return cast(C | None, _specify(slot, None))


def itself(*, live: bool = False, keep: Callable[[C], bool] | None = None) -> C | None:
    """A child element of the class that declares it, which may be there: a chain."""
    kept = cast(Callable[[object], bool] | None, keep)
    return cast(C | None, _specify(Slot("one", None, live=live, keep=kept), None))


def choice(by: str, forms: dict[str, type[C]]) -> C | None:
    """A child element that may be there, and whose attribute `by` says which of the classes it is; all have one tag.

    Each class claims the attribute itself, so that it is written.
    """
    return cast(C | None, _specify(Slot("choice", None, by=by, forms=cast(dict[str, type[object]], forms)), None))


def must(child: type[C]) -> C:
    """A child element that must be there."""
    return cast(C, _specify(Slot("one", None, child=child, required=True)))


def always(child: type[C], factory: Callable[[], C] | None = None) -> C:
    """A child element that the object always has: `factory`, or the class, makes it where a document leaves it out."""
    return cast(C, _specify(Slot("one", None, child=child), factory=factory or child))


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
    slot = Slot("many", None, child=child, live=live, secure=secure, show=visible, keep=kept)
    return cast(list[C], _specify(slot, factory=list))


def choices(by: str, forms: dict[str, type[C]]) -> list[C]:
    """Any number of child elements of one tag, whose attribute `by` says which of the classes each is.

    Each class claims the attribute itself, so that it is written.
    """
    slot = Slot("choices", None, by=by, forms=cast(dict[str, type[object]], forms))
    return cast(list[C], _specify(slot, factory=list))


def mixed(*children: type[C]) -> list[C]:
    """Any number of child elements of several classes, each with a tag of its own, in the order of the document."""
    forms = {PLANS[child].tag: cast(type[object], child) for child in children}
    return cast(list[C], _specify(Slot("mixed", None, forms=forms), factory=list))


def raw(tag: str) -> list[str]:
    """The child elements of `<tag>`, each kept as text: somebody else's XML, such as metadata."""
    return cast(list[str], _specify(Slot("raw", tag), factory=list))


def unbound(value: T) -> T:
    """A field that is not in XML at all."""
    return dataclasses.field(default=value)


@dataclass_transform(kw_only_default=True, field_specifiers=(
    attr, opt, default, content, opt_content, leaf, opt_leaf, leaves, flag, switch, one, itself, choice, must, always,
    many, choices, mixed, raw, unbound,
))  # fmt: skip
def element(
    tag: str, *, omit_empty: bool = False, two_lines: bool = False, drops: Sequence[str] = ()
) -> Callable[[type[C]], type[C]]:
    """Make a class an XML element: a keyword-only dataclass with slots that `read` and `write` know.

    With `omit_empty` nothing is written for an element without attributes and children. With `two_lines`
    an element without children is written as two tags on two lines. `drops` names child elements and attributes (as
    `@name`) that are accepted and void on input.
    """

    def decorate(cls: type[C]) -> type[C]:
        made = dataclass(kw_only=True, slots=True)(cls)
        PLANS[made] = Plan(made, tag, omit_empty, frozenset(drops), two_lines)
        return made

    return decorate


@dataclass_transform(kw_only_default=True)
def shared(cls: type[C]) -> type[C]:
    """Make a class one whose fields several elements have, before their own. It is no element itself."""
    return dataclass(kw_only=True, slots=True)(cls)


def new(cls: type[C], /, **values: object) -> C:
    """A new element with these fields, the others at their defaults.

    The class itself can be called too, but to a type checker every field is then required: it cannot see the defaults
    that specifiers carry.
    """
    return cls(**values)


def tag_of(cls: type[object]) -> str:
    """The tag of an element class."""
    return PLANS[cls].tag


def elements() -> dict[type[object], str]:
    """Every element class that is declared, with its tag: what the support matrix is made from."""
    return {cls: plan.tag for cls, plan in PLANS.items()}


def accepted_names(cls: type[object]) -> tuple[set[str], set[str]]:
    """The attributes and the child elements that are accepted in `cls`: those of its fields, and those it drops."""
    plan = PLANS[cls]
    own = {
        field.xml for field in plan.fields() if field.slot and field.slot.role == "attribute" and not field.slot.within
    }
    dropped = {name.removeprefix("@") for name in plan.drops if name.startswith("@")}
    children = {tag for tag, _child, _attributes in children_of(cls)}
    return {*own, *dropped}, {*children, *(name for name in plan.drops if not name.startswith("@"))}


def holds_any(cls: type[object]) -> set[str]:
    """The child elements of `cls` that hold somebody else's XML, whatever that is."""
    return {field.xml for field in PLANS[cls].fields() if field.slot is not None and field.slot.role == "raw"}


def children_of(cls: type[object]) -> list[tuple[str, type[object] | None, frozenset[str]]]:
    """The child elements that `cls` claims: tag, the class of the child if it has one, and the attributes it takes."""
    children: list[tuple[str, type[object] | None, frozenset[str]]] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # made a dataclass by `element`
        slot = cast(Slot | None, field.metadata.get(SLOT))
        if slot is None or slot.role == "content" or (slot.role == "attribute" and not slot.within):
            continue
        name = slot.name or field.name.rstrip("_")
        if slot.within:
            children.append((slot.within, None, frozenset((name,))))
        elif slot.forms:
            children.extend((PLANS[form].tag, form, frozenset()) for form in slot.forms.values())
        elif slot.role in ("one", "many"):
            child = slot.child or cls
            children.append((PLANS[child].tag, child, frozenset()))
        else:
            children.append((name, None, frozenset(("state",) if slot.role == "switch" else ())))
    return children
