"""The kernel's counters of what a process does.

Source: perf_event_open(2), `linux/perf_event.h`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin

_HARDWARE, _SOFTWARE = 0, 1
_CALLS: Final = {"x86_64": 298, "aarch64": 241, "s390x": 331}
_SIZE: Final = 64
_DISABLED, _INHERIT = 1, 2
_CLOSE_ON_EXEC: Final = 8
_ENABLE: Final = 0x2400
_COUNT: Final = struct.Struct("=Q")

#: Counter to the kernel's type and number. Those of Intel's cache monitoring are gone from the kernel.
COUNTERS: Final = {
    "cpu_cycles": (_HARDWARE, 0),
    "instructions": (_HARDWARE, 1),
    "cache_references": (_HARDWARE, 2),
    "cache_misses": (_HARDWARE, 3),
    "branch_instructions": (_HARDWARE, 4),
    "branch_misses": (_HARDWARE, 5),
    "bus_cycles": (_HARDWARE, 6),
    "stalled_cycles_frontend": (_HARDWARE, 7),
    "stalled_cycles_backend": (_HARDWARE, 8),
    "ref_cpu_cycles": (_HARDWARE, 9),
    "cpu_clock": (_SOFTWARE, 0),
    "task_clock": (_SOFTWARE, 1),
    "page_faults": (_SOFTWARE, 2),
    "context_switches": (_SOFTWARE, 3),
    "cpu_migrations": (_SOFTWARE, 4),
    "page_faults_min": (_SOFTWARE, 5),
    "page_faults_maj": (_SOFTWARE, 6),
    "alignment_faults": (_SOFTWARE, 7),
    "emulation_faults": (_SOFTWARE, 8),
}


def open_counter(name: str, pid: int) -> int:
    """Begin to count for a process and what it starts. Returns the counter's descriptor, which the caller closes.

    Raises error 84 for a counter that this kernel has not, error 38 where it refuses.
    """
    known = COUNTERS.get(name)
    number = _CALLS.get(platform.machine())
    if known is None or number is None:
        raise LibvirtError(
            f"unable to enable perf event for {name}: this kernel does not know it",
            code=Code.OPERATION_UNSUPPORTED,
            domain=Origin.PERF,
        )
    type_, config = known
    attributes = struct.pack("=IIQQQQQ", type_, _SIZE, config, 0, 0, 0, _DISABLED | _INHERIT).ljust(_SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.syscall(number, attributes, pid, -1, -1, _CLOSE_ON_EXEC)
    if descriptor < 0:
        reason = os.strerror(ctypes.get_errno())
        raise LibvirtError(
            f"unable to open host cpu perf event for {name}: {reason}", code=Code.SYSTEM_ERROR, domain=Origin.PERF
        )
    try:
        fcntl.ioctl(descriptor, _ENABLE)
    except OSError as error:
        os.close(descriptor)
        raise LibvirtError(
            f"unable to enable perf event for {name}: {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.PERF
        ) from error
    return descriptor


def read_counter(descriptor: int) -> int:
    """What a counter has counted."""
    value: int = _COUNT.unpack(os.read(descriptor, _COUNT.size))[0]
    return value
