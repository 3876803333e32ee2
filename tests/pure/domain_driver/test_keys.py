"""Keyboards' codes to QEMU's."""

from __future__ import annotations

import pytest

from guesthouse.drivers.domain.displays.keys import translate
from guesthouse.errors import LibvirtError

LINUX, XT, ATSET1, ATSET2, ATSET3, OSX, XTKBD, USB, WIN32, QNUM = range(10)


@pytest.mark.parametrize(
    ("codeset", "code", "number"),
    [
        (LINUX, 1, 1),  # escape
        (LINUX, 30, 0x1E),  # a
        (LINUX, 111, 0xD3),  # delete
        (XT, 0x1E, 0x1E),
        (ATSET1, 0xE053, 0xD3),
        (ATSET2, 0x1C, 0x1E),
        (XTKBD, 0x153, 0xD3),
        (USB, 4, 0x1E),
        (WIN32, 0x41, 0x1E),
        (QNUM, 0xD3, 0xD3),
    ],
)
def test_codes(codeset: int, code: int, number: int) -> None:
    assert translate(codeset, [code]) == [number]


@pytest.mark.parametrize(
    ("codeset", "codes", "text"),
    [
        (10, [1], "unsupported codeset 10"),
        (LINUX, [9999], "cannot translate keycode 9999 of linux codeset"),
        (LINUX, [], "must be less than or equal to 16"),
        (LINUX, [1] * 17, "must be less than or equal to 16"),
    ],
)
def test_what_is_refused(codeset: int, codes: list[int], text: str) -> None:
    with pytest.raises(LibvirtError, match=text):
        translate(codeset, codes)
