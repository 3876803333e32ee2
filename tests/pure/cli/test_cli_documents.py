"""Documents as JSON."""

from __future__ import annotations

from guesthouse.cli.xmltool import parse, tree


def test_an_element_is_its_tag_attributes_text_and_children() -> None:
    root = parse("<a x='1'>\n  <b>text</b>\n  <!-- no data -->\n  <c y='é&amp;'/>\n</a>", indented=False)
    assert tree(root) == {
        "tag": "a",
        "attributes": {"x": "1"},
        "text": "",
        "children": [
            {"tag": "b", "attributes": {}, "text": "text", "children": []},
            {"tag": "c", "attributes": {"y": "é&"}, "text": "", "children": []},
        ],
    }
