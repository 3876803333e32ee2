"""A file that QEMU could not open, in libvirt's words."""

from __future__ import annotations

import re
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin

_NOT_OPENED: Final = re.compile(r"Could not open '(?P<path>[^']+)': (?P<reason>[^\n]+)")


def explained(said: str) -> LibvirtError | None:
    """The error that libvirt has for what QEMU said; None where it speaks of no file."""
    found = _NOT_OPENED.search(said)
    if found is None:
        return None
    return LibvirtError(
        f"Cannot access storage file '{found['path']}': {found['reason'].strip()}",
        code=Code.SYSTEM_ERROR,
        domain=Origin.STORAGE,
    )
