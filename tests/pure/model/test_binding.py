"""The binding: every kind of field, read and written, and what it refuses."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import (
    Reading,
    Style,
    always,
    attr,
    children_of,
    choice,
    clone,
    content,
    default,
    element,
    flag,
    itself,
    leaf,
    leaves,
    many,
    must,
    new,
    one,
    opt,
    opt_content,
    opt_leaf,
    raw,
    read,
    switch,
    tag_of,
    unbound,
    write,
)
from guesthouse.model.kinds import PROSE, TEXT, UINT, one_of
from guesthouse.model.xmltext import Lines, parse_document


@element("size")
class Size:
    unit: str = default(TEXT, "KiB")
    number: int = content(UINT)


@element("round")
class Round:
    radius: int = attr(UINT)


@element("part")
class Circle:
    form: str = default(one_of("circle"), "circle")
    radius: int = attr(UINT)


@element("part")
class Square:
    form: str = default(one_of("square"), "square")
    side: int = attr(UINT)


@element("link")
class Link:
    n: int = attr(UINT)
    next: Link | None = itself()


@element("empty", omit_empty=True)
class Empty:
    word: str | None = opt_leaf(TEXT)


@element("thing", drops=("void", "@ignored"))
class Thing:
    id: int | None = opt(UINT, live=True)
    kind: str = attr(one_of("a", "b"))
    secret: str | None = opt(PROSE, secure=True)
    name: str = leaf(PROSE)
    note: str = leaf(PROSE, factory=lambda: "made")
    words: list[str] = leaves(TEXT, "word")
    ready: bool = flag()
    light: bool | None = switch()
    strict: bool | None = switch(explicit=True)
    size: Size | None = one(Size, show=lambda size: size.number != 0)
    period: int | None = opt(UINT, within="stats")
    depth: int | None = opt(UINT, within="stats")
    first: Round = must(Round)
    part: object = choice("form", {"circle": Circle, "square": Square})
    link: Link | None = one(Link)
    rest: Empty = always(Empty)
    extra: list[str] = raw("extra")
    tail: str | None = opt_leaf(TEXT, live=True)
    hidden: int = unbound(3)


@element("box")
class Box:
    things: list[Thing] = many(Thing)
    text: str | None = opt_content(TEXT)


FULL = """<thing id='4' kind='a' secret='s'>
  <name> a &amp; b </name>
  <note>n</note>
  <word>x</word>
  <word>y</word>
  <ready/>
  <light state='off'/>
  <strict state='on'/>
  <size unit='MiB'>5</size>
  <stats period='1' depth='2'/>
  <round radius='9'/>
  <part form='square' side='2'/>
  <link n='1'>
    <link n='2'/>
  </link>
  <extra>
    <e:x xmlns:e="urn:e" k="v">text</e:x>
  </extra>
  <tail>t</tail>
</thing>
"""
LEAST = "<thing kind='b'><name>n</name><round radius='1'/></thing>"


def _read(text: str, *, validate: bool = False) -> Thing:
    return read(Thing, parse_document(text, "thing", "thing"), Reading(validate=validate))


def _write(thing: object, style: Style) -> str:
    lines = Lines()
    write(thing, lines, style)
    return lines.text()


def test_what_is_written_is_read_back() -> None:
    thing = _read(FULL)
    assert _write(thing, Style(live=True)) == FULL
    assert (thing.id, thing.words, thing.ready, thing.light, thing.depth) == (4, ["x", "y"], True, False, 2)
    assert isinstance(thing.part, Square)
    assert thing.hidden == 3


def test_defaults() -> None:
    thing = _read(LEAST)
    assert (thing.note, thing.words, thing.ready, thing.light, thing.rest) == (
        "made",
        [],
        False,
        None,
        Empty(word=None),
    )
    assert _write(thing, Style()) == (
        "<thing kind='b'>\n  <name>n</name>\n  <note>made</note>\n  <round radius='1'/>\n</thing>\n"
    )


def test_a_switch_without_a_state_is_on() -> None:
    assert _read(LEAST.replace("<round", "<light/><round")).light is True


def test_styles_hide() -> None:
    thing = _read(FULL)
    text = _write(thing, Style(live=False, secure=False))
    assert "id=" not in text
    assert "secret" not in text
    assert "<tail>" not in text
    thing.size = new(Size, unit="KiB", number=0)
    assert "<size" not in _write(thing, Style())


def test_what_is_void_is_dropped() -> None:
    assert "void" not in _write(_read(LEAST.replace("<round", "<void><deep/></void><round")), Style())
    assert _read(LEAST.replace("<thing", "<thing ignored='1'")).kind == "b"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (LEAST.replace("kind='b'", ""), Code.XML_ERROR, "Missing required attribute 'kind' in element 'thing'"),
        (LEAST.replace("'b'", "'c'"), Code.XML_ERROR, "Invalid value for attribute 'kind' in element 'thing': 'c'"),
        (LEAST.replace("<name>n</name>", ""), Code.XML_ERROR, "Missing required element 'name'"),
        (LEAST.replace("<round radius='1'/>", ""), Code.XML_ERROR, "Missing required element 'round'"),
        (LEAST.replace("<round", "<round radius='2'/><round"), Code.XML_ERROR, "given twice"),
        (LEAST.replace("<round", "<strict/><round"), Code.XML_ERROR, "Missing required attribute 'state'"),
        (LEAST.replace("<round", "<part/><round"), Code.XML_ERROR, "Missing required attribute 'form'"),
        (LEAST.replace("<round", "<size/><round"), Code.XML_ERROR, "Missing text in element 'size'"),
        (LEAST.replace("<round", "<size>x</size><round"), Code.XML_ERROR, "Invalid value for element 'size': 'x'"),
        (LEAST.replace("<round", "<part form='oval'/><round"), Code.CONFIG_UNSUPPORTED, "form 'oval'"),
        (LEAST.replace("<thing", "<thing odd='1'"), Code.CONFIG_UNSUPPORTED, "attribute 'odd' in 'thing'"),
        (LEAST.replace("<round", "<odd/><round"), Code.CONFIG_UNSUPPORTED, "element 'odd' in 'thing'"),
        (
            LEAST.replace("<round", "<stats odd='1'/><round"),
            Code.CONFIG_UNSUPPORTED,
            "attribute 'odd' in 'thing/stats'",
        ),
        (LEAST.replace("<round", "<ready odd='1'/><round"), Code.CONFIG_UNSUPPORTED, "attribute 'odd'"),
        (LEAST.replace("<round", "<word><b/></word><round"), Code.CONFIG_UNSUPPORTED, "element 'b' in 'thing/word'"),
    ],
)
def test_refused(text: str, code: int, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _read(text)
    assert caught.value.code == code
    assert words in str(caught.value)
    if code == Code.CONFIG_UNSUPPORTED:
        with pytest.raises(LibvirtError) as caught:
            _read(text, validate=True)
        assert caught.value.code == Code.XML_INVALID_SCHEMA


def test_a_copy_shares_nothing_changeable() -> None:
    thing = _read(FULL)
    copied = clone(thing)
    assert copied == thing
    copied.words.append("z")
    assert copied.link is not None
    copied.link.n = 99
    assert thing.words == ["x", "y"]
    assert thing.link is not None
    assert thing.link.n == 1


def test_the_tables_tell_what_is_claimed() -> None:
    children = {tag: child for tag, child, _attributes in children_of(Thing)}
    assert {"part", "stats", "extra", "word", "round", "link"} <= set(children)
    assert children["round"] is Round
    assert tag_of(Box) == "box"
