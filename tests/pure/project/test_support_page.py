"""docs/support.md tells the truth: it is what the tables say, and what it calls refused is refused by name."""

from __future__ import annotations

import pytest
from lxml import etree

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import Reading, accepted_names, read, tag_of
from tools.support import DOMAIN_FORMAT, PAGE, claimed_classes, page


def documented() -> list[tuple[str, list[str]]]:
    lines = [line for line in DOMAIN_FORMAT.read_text().splitlines() if not line.startswith("#")]
    return [(path, attributes) for path, *attributes in (line.replace("@", "").split() for line in lines)]


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "run `./dev support` and review the difference"


def refused() -> list[tuple[type[object], str, str]]:
    """What the page calls refused, as class, kind of thing, name; for parents that are bound to one class."""
    classes = claimed_classes()
    found: list[tuple[type[object], str, str]] = []
    for path, attributes in documented():
        parent, _, tag = path.rpartition("/")
        above = classes.get(parent, set())
        found.extend((cls, "element", tag) for cls in above if tag not in accepted_names(cls)[1])
        for cls in classes.get(path, ()):
            found.extend((cls, "attribute", name) for name in attributes if name not in accepted_names(cls)[0])
    return found


@pytest.mark.parametrize("validate", [False, True])
def test_what_is_not_claimed_is_refused_by_name(validate: bool) -> None:
    cases = refused()
    assert len(cases) > 100
    for cls, kind, name in cases:
        node = etree.Element(tag_of(cls))
        if kind == "element":
            etree.SubElement(node, name)
        else:
            node.set(name, "1")
        with pytest.raises(LibvirtError) as raised:
            read(cls, node, Reading(validate=validate))
        wanted = Code.XML_INVALID_SCHEMA if validate else Code.CONFIG_UNSUPPORTED
        assert raised.value.code == wanted, (cls, name, raised.value)
        assert f"{kind} '{name}'" in raised.value.message
