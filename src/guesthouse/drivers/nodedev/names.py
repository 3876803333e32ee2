"""The names of vendors and devices on PCI, from the list that the distribution installs.

Source: https://pci-ids.ucw.cz: a vendor is a line `8086  Intel Corporation`, its devices are lines `0d57  Name` after
it that begin with a tabulator.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

_PLACES: Final = (Path("/usr/share/misc/pci.ids"), Path("/usr/share/hwdata/pci.ids"))


@functools.lru_cache(maxsize=4096)
def pci_names(vendor: int, product: int) -> tuple[str | None, str | None]:
    """The names of a vendor and of its product; None for what the list does not have."""
    text = _list()
    begin = text.find(f"\n{vendor:04x}  ")
    if begin < 0:
        return None, None
    first, *rest = text[begin + 1 : begin + 1 + 400_000].splitlines()
    wanted = f"\t{product:04x}  "
    for line in rest:
        if line and not line.startswith(("\t", "#")):
            break
        if line.startswith(wanted):
            return first[6:], line[7:]
    return first[6:], None


def _list() -> str:
    for path in _PLACES:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""
