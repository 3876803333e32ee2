from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.host.confsyntax import ConfSyntaxError, Value, parse


def values(text: str) -> dict[str, Value]:
    return {key: assignment.value for key, assignment in parse(text, "x.conf").items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# only a comment", {}),
        ("\n\n  \t\n", {}),
        ("a = 1", {"a": 1}),
        ("a=-12\nb = +3", {"a": -12, "b": 3}),
        ('a = "x y" # why\n', {"a": "x y"}),
        ("a = 'it \"is\"'", {"a": 'it "is"'}),
        ('a = """two\nlines"""\nb = 1', {"a": "two\nlines", "b": 1}),
        ("a = [ ]", {"a": []}),
        ('a = [ "x", "y", ]', {"a": ["x", "y"]}),
        ('a = [\n  "x",\n\t"y"\n]\nb = 2', {"a": ["x", "y"], "b": 2}),
        ("a = [1, [2, 3]]", {"a": [1, [2, 3]]}),
        ("a = 1; b = 2", {"a": 1, "b": 2}),
        ("a = 1\r\nb = 2\r\n", {"a": 1, "b": 2}),
        ('unix_sock_group = "libvirt"', {"unix_sock_group": "libvirt"}),
    ],
)
def test_read(text: str, expected: dict[str, Value]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1a = 1", "x.conf:1: expecting a name"),
        ("a\n", "x.conf:1: expecting an assignment"),
        ("# fine\n\na = ", "x.conf:3: expecting a value"),
        ("a = bare", "x.conf:1: expecting a value"),
        ('a = "open\n', "x.conf:1: unterminated string"),
        ("a = '", "x.conf:1: unterminated string"),
        ("a = -", "x.conf:1: unterminated number"),
        ("a = 1 b = 2", "x.conf:1: expecting a separator"),
        ('a = [ "x" "y" ]', "x.conf:1: expecting a separator in list"),
        ('a = [ "x",\n"y"', "x.conf:2: list is not closed with ]"),
        ("a = 9223372036854775808", "x.conf:1: numeric overflow in conf value"),
        ("a = " + "9" * 5000, "x.conf:1: numeric overflow in conf value"),
        ("a = " + "[" * 5000, "x.conf:1: lists are nested too deeply"),
        ("a = 1\na = 2", "x.conf:2: a is set twice, first on line 1"),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(ConfSyntaxError) as caught:
        parse(text, "x.conf")
    assert caught.value.message == f"configuration file syntax error: {message}"


def test_lines_are_counted() -> None:
    found = parse('# one\n\na = [\n"x"\n]\nb = """\n\n"""\nc = 1\n', "x.conf")
    assert {key: assignment.line for key, assignment in found.items()} == {"a": 3, "b": 6, "c": 9}


@given(st.text(alphabet="ab=[]\"'#;,\n\t 1-_", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text, "x.conf")
    except ConfSyntaxError:
        return
    assert all(assignment.line >= 1 for assignment in found.values())


SIMPLE = st.integers(-(2**62), 2**62) | st.text(alphabet="abc é'/.", max_size=10)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), SIMPLE | st.lists(SIMPLE, max_size=4)))
def test_what_is_written_is_read_back(wanted: dict[str, Value]) -> None:
    def write(value: Value) -> str:
        if isinstance(value, list):
            return "[ " + ", ".join(map(write, value)) + " ]"
        return f'"{value}"' if isinstance(value, str) else str(value)

    assert values("\n".join(f"{key} = {write(value)} # note" for key, value in wanted.items())) == wanted
