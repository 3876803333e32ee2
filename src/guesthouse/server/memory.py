"""Keeps the C library from holding on to memory that the daemon does not use. See mallopt(3) and malloc_trim(3).

glibc gives each thread a heap of its own, which a program whose threads take turns does not need. And it raises the
size from which it maps blocks singly each time that such a block is freed, up to 32 MB; packets of that size would then
come from a heap that does not shrink.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
#: Above the packets of streams, a mebibyte at most: a block that is mapped by itself costs a page fault for each page.
_THRESHOLD = 2 * 1024 * 1024
#: How much the heap may keep at its top, for the same reason.
_TOP = 2 * _THRESHOLD


def share_one_heap() -> None:
    """For all threads that come from now on. Does nothing on other C libraries."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Give back what starting has used, and from now on what large packets need. Nothing on other C libraries."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
        library.mallopt(_M_TRIM_THRESHOLD, _TOP)
