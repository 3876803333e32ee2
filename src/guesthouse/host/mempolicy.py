"""From which memory nodes what a thread starts takes its memory.

Source: set_mempolicy(2); the numbers of the call by architecture: the kernel's tables of system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Collection, Iterator
from typing import Final

from guesthouse.errors import Code, LibvirtError

#: The kernel's modes by libvirt's words. `restrictive` is for control groups alone, and here as `strict`.
_MODES: Final = {"preferred": 1, "strict": 2, "restrictive": 2, "interleave": 3}
_DEFAULT: Final = 0
_CALLS: Final = {"x86_64": 238, "aarch64": 237, "s390x": 270}
_BITS: Final = 1024


def _call(mode: int, nodes: Collection[int]) -> None:
    number = _CALLS.get(platform.machine())
    if number is None:
        raise LibvirtError(f"NUMA tuning is not known on {platform.machine()}", code=Code.CONFIG_UNSUPPORTED)
    mask = sum(1 << node for node in nodes if node < _BITS).to_bytes(_BITS // 8, "little")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, mode, mask if nodes else None, _BITS + 1 if nodes else 0):
        reason = os.strerror(ctypes.get_errno())
        raise LibvirtError(f"Unable to set NUMA memory policy: {reason}", code=Code.SYSTEM_ERROR)


@contextlib.contextmanager
def memory_policy(mode: str, nodes: Collection[int]) -> Iterator[None]:
    """While this lasts, this thread and what it starts take memory so; what was started keeps to it afterwards.

    Raises error 38 where the kernel refuses, such as for a node that the host has not.
    """
    _call(_MODES[mode], nodes)
    try:
        yield
    finally:
        _call(_DEFAULT, ())
