"""Tables and small texts, byte for byte as virsh prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.cli.bitmaps import flags, ranges
from guesthouse.cli.params import raw, shown
from guesthouse.cli.table import printable, render, width
from guesthouse.cli.words import capacity, reason, state
from guesthouse.client.params import TypedParam, parsed

HEADING = ("Id", "Name", "State")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("1", "alpha", "running"), ("-", "a-long-name", "shut off")]
    assert render(HEADING, rows) == (
        " Id   Name          State\n"
        "------------------------------\n"
        " 1    alpha         running\n"
        " -    a-long-name   shut off\n"
    )


def test_an_empty_table_has_its_heading() -> None:
    assert render(HEADING, []) == " Id   Name   State\n--------------------\n"


def test_a_quiet_table_is_as_narrow_as_its_rows() -> None:
    assert render(HEADING, [("1", "b", "running")], quiet=True) == " 1   b   running\n"
    assert render(HEADING, [], quiet=True) == ""


def test_wide_characters_take_two_columns() -> None:
    assert width("仮想") == 4
    assert width("e\u0301") == 1
    assert render(("N", "S"), [("仮想", "x"), ("ab", "y")]) == " N      S\n-----------\n 仮想   x\n ab     y\n"


def test_nothing_in_a_cell_can_move_the_cursor() -> None:
    assert printable("a\tb\x1b[2J") == r"a\x09b\x1b[2J"
    assert printable("a\\x09") == r"a\x5cx09"
    assert printable("\udcff") == r"\xff"
    assert printable("é") == "é"


@given(st.lists(st.tuples(st.text(), st.text(), st.text())))
def test_a_row_is_one_line(rows: list[tuple[str, ...]]) -> None:
    assert len(render(HEADING, rows).splitlines()) == len(rows) + 2 or any("\u2028" in "".join(row) for row in rows)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\x01", "0"), (b"\x03", "0-1"), (b"\x0d", "0,2-3"), (b"\xff\x01", "0-8"), (b"\x00\x80", "15")],
)
def test_cpus_as_ranges(data: bytes, text: str) -> None:
    assert ranges(data) == text


def test_cpus_as_flags() -> None:
    assert flags(b"\x05", 4) == "y-y-"
    assert flags(b"", 2) == "--"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.000 B"), (1023, "1023.000 B"), (1024, "1.000 KiB"), (1536 * 1024, "1.500 MiB"), (2**60, "1.000 EiB")],
)
def test_sizes(size: int, text: str) -> None:
    assert capacity(size) == text


def test_states_that_are_newer_than_we() -> None:
    assert state(1) == "running"
    assert state(99) == "no state"
    assert reason(5, 2) == "destroyed"
    assert reason(5, 99) == "unknown"
    assert reason(99, 1) == "unknown"


@pytest.mark.parametrize(
    ("kind", "value", "text", "plain"),
    [(1, -5, "-5", "-5"), (5, 1.5, "1.500000", "1.5"), (6, True, "yes", "1"), (7, "x y", "x y", "x y")],
)
def test_typed_parameters_as_text(kind: int, value: float | str | bool, text: str, plain: str) -> None:
    param = TypedParam("f", kind, value)
    assert (shown(param), raw(param)) == (text, plain)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (1, "-5", -5),
        (2, "-5", None),
        (3, str(-(2**63)), -(2**63)),
        (4, str(2**64), None),
        (5, "1.5", 1.5),
        (7, "any", "any"),
        (1, "x", None),
    ],
)
def test_typed_parameters_from_text(kind: int, text: str, value: float | str | None) -> None:
    param = parsed(TypedParam("f", kind, 0), text)
    assert (param.value if param else None) == value
