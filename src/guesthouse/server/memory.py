"""Keeps the C library from holding on to memory that large packets needed.

glibc raises the size from which it maps blocks of their own each time that such a block is freed, up to 32 MB; packets
of that size then come from its heap, which does not shrink. A fixed threshold gives all of it back. See mallopt(3).
"""

from __future__ import annotations

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_THRESHOLD = 128 * 1024
_ARENAS = 2


def settle() -> None:
    """Give back what starting has used, and set this up. Does nothing on other C libraries."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
        library.mallopt(_M_ARENA_MAX, _ARENAS)
