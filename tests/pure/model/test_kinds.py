"""Kinds of values: what they take, what they refuse, what they write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.model.kinds import (
    ABSOLUTE_PATH,
    CPUSET,
    INT,
    MAC,
    ON_OFF,
    PORT,
    UINT,
    ULL,
    UUID,
    YES_NO,
    Kind,
    format_cpuset,
    hexadecimal,
    integer,
    matching,
    one_of,
    parse_cpuset,
)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (YES_NO, "yes", True),
        (ON_OFF, "off", False),
        (INT, "-5", -5),
        (INT, "+5", 5),
        (UINT, "007", 7),
        (ULL, "18446744073709551615", 2**64 - 1),
        (PORT, "-1", -1),
        (hexadecimal(2, 0xFF), "0x1f", 31),
        (hexadecimal(2, 0xFF), "017", 15),
        (hexadecimal(2, 0xFF), "17", 17),
        (hexadecimal(2, 0xFF), "0", 0),
        (UUID, "AB953E2F9D164955BB431178230EE625", "ab953e2f-9d16-4955-bb43-1178230ee625"),
        (MAC, "52:54:00:AB:cd:EF", "52:54:00:ab:cd:ef"),
        (ABSOLUTE_PATH, "/a b", "/a b"),
        (one_of("a", "b"), "b", "b"),
        (matching("[a-z]+", "letters"), "abc", "abc"),
        (CPUSET, "3,0-2,^1", "0,2-3"),
    ],
)
def test_taken(kind: Kind[object], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (YES_NO, "on"),
        (ON_OFF, "ON"),
        (INT, ""),
        (INT, "1e3"),
        (INT, " 1"),
        (INT, "1_000"),
        (INT, "٣"),
        (INT, "2147483648"),
        (UINT, "-1"),
        (ULL, "18446744073709551616"),
        (ULL, "9" * 5000),
        (integer(1, 3), "4"),
        (hexadecimal(2, 0xFF), "0x100"),
        (hexadecimal(2, 0xFF), "0xg"),
        (hexadecimal(2, 0xFF), "09"),
        (UUID, "ab953e2f-9d16-4955-bb43-1178230ee62"),
        (MAC, "52:54:00:ab:cd"),
        (ABSOLUTE_PATH, "a/b"),
        (one_of("a", "b"), "c"),
        (matching("[a-z]+", "letters"), "abc\n"),
        (CPUSET, ""),
        (CPUSET, "^1"),
        (CPUSET, "3-1"),
        (CPUSET, "0-99999"),
        (CPUSET, "1-"),
        (CPUSET, "^0-3"),
    ],
)
def test_refused(kind: Kind[object], text: str) -> None:
    with pytest.raises(ValueError):
        kind.parse(text)


@given(st.integers(0, 0xFFFF))
def test_hexadecimal_reads_what_it_writes(value: int) -> None:
    kind = hexadecimal(4, 0xFFFF)
    assert kind.parse(kind.format(value)) == value


@given(st.frozensets(st.integers(0, 300), min_size=1))
def test_sets_of_processors_read_back(cpus: frozenset[int]) -> None:
    assert parse_cpuset(format_cpuset(cpus)) == cpus
