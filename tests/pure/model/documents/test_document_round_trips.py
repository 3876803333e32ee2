"""What is made up is written, read back, and written the same."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from guesthouse.errors import LibvirtError
from guesthouse.model.documents import KINDS
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.model.nwfilter.filter import Filter, format_nwfilter, parse_nwfilter
from guesthouse.model.nwfilter.protocols import LEADERS, PROTOCOLS
from guesthouse.model.nwfilter.rule import ACTIONS, DIRECTIONS, Rule
from guesthouse.model.nwfilter.values import Variable, variable
from guesthouse.model.volume import format_volume, parse_volume

UUID = "0f70c681-06be-45c6-a65b-5d1b9e33e557"

_SAMPLES = {
    "a MAC address, or a variable": "52:54:00:00:00:01",
    "a mask of a MAC address, or a variable": "ff:ff:00:00:00:00",
    "an IPv4 address, or a variable": "192.0.2.1",
    "an IPv6 address, or a variable": "2001:db8::1",
    "true or false, or a variable": "true",
    "src and dst with commas, or a variable": "src,dst",
    "the name of an ipset, or a variable": "set",
}
_VARIABLES = st.builds(Variable, st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True), st.integers(0, 99), st.booleans())


@given(_VARIABLES)
def test_variables(used: Variable) -> None:
    assert variable(str(used)) == used


@st.composite
def _rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from([None, *PROTOCOLS]))
    rule = Rule(draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(DIRECTIONS)), draw(st.integers(-1000, 1000)))
    rule.stateful = draw(st.booleans())
    rule.protocol = protocol
    if protocol is None:
        return rule
    names = [name for name in PROTOCOLS[protocol] if name not in LEADERS and not name.endswith(("start", "end"))]
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        kind = PROTOCOLS[protocol][name]
        value = draw(st.one_of(st.just(_SAMPLES.get(kind.name, "")), _VARIABLES.map(str)))
        value = value if value.startswith("$") or kind.name in _SAMPLES else str(draw(_VARIABLES))
        (rule.match if draw(st.booleans()) else rule.unmatch)[name] = value
    for found in (rule.match, rule.unmatch):
        if "ipset" in found and "ipsetflags" not in {*rule.match, *rule.unmatch}:
            found["ipsetflags"] = "src"
    return rule


@settings(max_examples=30)
@given(st.lists(_rules(), max_size=4))
def test_filters(rules: list[Rule]) -> None:
    made = Filter("f", UUID, "root", 0, list(rules))
    text = format_nwfilter(made)
    again = parse_nwfilter(text, validate=True)
    assert again == made
    assert format_nwfilter(again) == text


_LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"])
_TEXT = st.text(_LETTERS, min_size=1, max_size=20).map(str.strip)


@given(
    _TEXT.filter(lambda text: text not in ("", ".", "..") and "/" not in text),
    st.integers(1, 254),
    st.integers(1, 30),
)
def test_networks(name: str, third: int, prefix: int) -> None:
    network = parse_network(f"<network><name>n</name><ip address='10.0.{third}.1' prefix='{prefix}'/></network>")
    network.name = name
    text = format_network(network)
    again = parse_network(text, validate=True)
    assert again.name == name
    assert format_network(again) == text
    assert again.ips[0].bits == prefix


@given(_TEXT.filter(lambda text: text not in ("", ".", "..") and "/" not in text), st.integers(0, 2**63))
def test_volumes(name: str, size: int) -> None:
    volume = parse_volume(f"<volume><name>v</name><capacity>{size}</capacity></volume>")
    volume.name = name
    text = format_volume(volume)
    assert format_volume(parse_volume(text, validate=True)) == text


@settings(max_examples=50)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(
        st.sampled_from(["name", "uuid", "source", "target", "disks", "rule", "capability", "forward"]), max_size=4
    ),
    st.dictionaries(st.sampled_from(["type", "name", "mode", "family"]), _TEXT, max_size=2),
)
def test_nonsense_is_refused_as_such(root: str, children: list[str], attributes: dict[str, str]) -> None:
    node = etree.Element(root, {name: text for name, text in attributes.items() if text.isprintable()})
    for child in children:
        etree.SubElement(node, child)
    text = etree.tostring(node, encoding="unicode")
    with contextlib.suppress(LibvirtError):
        assert KINDS[root].printed(text)
