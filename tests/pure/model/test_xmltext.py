"""Reading hostile documents, and writing libvirt's form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.xmltext import MAX_DOCUMENT, Lines, escape, parse_document


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.XML_DETAIL),
        ("   ", Code.XML_DETAIL),
        ("<a", Code.XML_DETAIL),
        ("<a></b>", Code.XML_DETAIL),
        ("<a>\x00</a>", Code.XML_DETAIL),
        ("<a>\ud800</a>", Code.XML_DETAIL),
        ("<a>&bomb;</a>", Code.XML_DETAIL),
        ("<b/>", Code.XML_ERROR),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", Code.XML_ERROR),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", Code.XML_ERROR),
        ("<a>" + "x" * MAX_DOCUMENT + "</a>", Code.XML_ERROR),
        ("<a>" + "<b>" * 5000 + "</b>" * 5000 + "</a>", Code.XML_DETAIL),
    ],
)
def test_refused(text: str, code: int) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_document(text, "a", "thing")
    assert caught.value.code == code


def test_declarations_and_comments_are_void() -> None:
    node = parse_document(
        "<?xml version='1.0' encoding='latin-1'?>\n<!-- c --><a><?pi x?><!-- d --><b>é</b></a>", "a", "thing"
    )
    assert [child.tag for child in node] == ["b"]
    assert node[0].text == "é"


def test_a_message_names_the_line_and_points_into_it() -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_document("<a>\n<b c=d/></a>", "a", "thing")
    assert str(caught.value) == "at line 2: AttValue: \" or ' expected\n<b c=d/></a>\n-----^"


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r")))
def test_escaped_text_reads_back(text: str) -> None:
    kept = "".join(letter for letter in text if letter in "\t\n" or ord(letter) >= 0x20)
    kept = "".join(letter for letter in kept if letter not in "\ufffe\uffff")
    lines = Lines()
    lines.leaf("a", "", escape(kept))
    assert (etree.fromstring(lines.text().encode()).text or "") == kept


def test_control_characters_are_dropped() -> None:
    assert escape("a\x00\x1bb<>&'\"") == "ab&lt;&gt;&amp;&apos;&quot;"


def test_lines_are_indented() -> None:
    lines = Lines(1)
    lines.open("a", " x='1'")
    lines.leaf("b")
    lines.verbatim("<c>\n  <d/>\n</c>\n")
    lines.close("a")
    assert lines.text() == "  <a x='1'>\n    <b/>\n    <c>\n      <d/>\n    </c>\n  </a>\n"
