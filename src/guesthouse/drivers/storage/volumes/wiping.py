"""The ways to destroy what a volume holds.

Source: https://libvirt.org/html/libvirt-libvirt-storage.html#virStorageVolWipeAlgorithm; scrub(1).
"""

from __future__ import annotations

import shutil
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin

#: `virStorageVolWipeAlgorithm`, in the order of its numbers.
ALGORITHMS: Final = (
    "zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random", "trim",
)  # fmt: skip


def algorithm_of(number: int) -> str:
    """The algorithm with this number. Raises error 8 for one that there is not."""
    if number >= len(ALGORITHMS):
        raise LibvirtError(f"wiping algorithm {number} not supported", code=Code.INVALID_ARG, domain=Origin.STORAGE)
    return ALGORITHMS[number]


def scrub_pattern(algorithm: str) -> str:
    """The name of an algorithm for `scrub`. Raises error 38 where that is not installed."""
    if shutil.which("scrub") is None:
        raise LibvirtError(
            f"Cannot find 'scrub' in path, which the algorithm '{algorithm}' needs: No such file or directory",
            code=Code.SYSTEM_ERROR, domain=Origin.STORAGE, hint="install scrub, or use zero or trim",
        )  # fmt: skip
    return algorithm
