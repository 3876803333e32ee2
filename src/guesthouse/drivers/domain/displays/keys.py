"""Pressing keys in a guest: from the codes of a client's keyboard to QEMU's.

The table is `data/keys.csv`: a line a key, a column a set of codes. Facts: the keycode database that libvirt and QEMU
share (https://gitlab.com/keycodemap/keycodemapdb). It is read when the first key is pressed.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.qemu.json_value import Sendable

#: The columns by `virKeycodeSet`. XT is the same as AT set 1; 9 are QEMU's own numbers.
_CODESETS = ("linux", "atset1", "atset1", "atset2", "atset3", "osx", "xtkbd", "usb", "win32", "qnum")
_QNUM = 9

#: `VIR_DOMAIN_SEND_KEY_MAX_KEYS`.
MOST_KEYS = 16


@cache
def _table(codeset: str) -> dict[int, int]:
    """Code to QEMU's number."""
    text = Path(__file__).with_name("data").joinpath("keys.csv").read_text(encoding="ascii")
    found: dict[int, int] = {}
    for row in csv.DictReader(text.splitlines()):
        for code in row[codeset].split():
            found.setdefault(int(code), int(row["qnum"]))
    return found


def translate(codeset: int, codes: list[int]) -> list[int]:
    """QEMU's numbers for these codes. Raises `InvalidArgumentError` for an unknown set or code."""
    if not 0 <= codeset < len(_CODESETS):
        raise InvalidArgumentError(f"unsupported codeset {codeset}")
    if not codes or len(codes) > MOST_KEYS:
        raise InvalidArgumentError(f"nkeycodes in virDomainSendKey must be less than or equal to {MOST_KEYS}")
    if codeset == _QNUM:
        return codes
    table = _table(_CODESETS[codeset])
    numbers = []
    for code in codes:
        number = table.get(code)
        if number is None:
            raise LibvirtError(
                f"cannot translate keycode {code} of {_CODESETS[codeset]} codeset to qnum keycode",
                code=Code.INTERNAL_ERROR,
                domain=Origin.QEMU,
            )
        numbers.append(number)
    return numbers


async def press(guest: Guest, codeset: int, hold_ms: int, codes: list[int]) -> None:
    """Press these keys together for `hold_ms` milliseconds; 0 leaves the time to QEMU."""
    numbers = translate(codeset, codes)
    keys: list[Sendable] = [{"type": "number", "data": number} for number in numbers]
    arguments: dict[str, Sendable] = {"keys": keys}
    if hold_ms:
        arguments["hold-time"] = hold_ms
    await guest.live().talk().execute("send-key", arguments)
