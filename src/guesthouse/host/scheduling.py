"""Where the threads of a process may run, and how the kernel schedules them.

Source: sched(7), sched_setaffinity(2), `/proc/PID/task`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from typing import Final

from guesthouse.errors import Code, InternalError, InvalidArgumentError, LibvirtError

#: The kernel's numbers of policies by libvirt's words.
POLICIES: Final = {
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
_REAL_TIME: Final = ("fifo", "rr")


def threads(pid: int) -> list[int]:
    """The threads of a process; none where it has ended."""
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return []


def set_affinity(tid: int, cpus: Collection[int], *, pid: int = 0) -> None:
    """Let a thread run on these processors of the host. One that has ended is no trouble.

    Raises error 38 where the kernel refuses. `pid` names the process in its text.
    """
    try:
        os.sched_setaffinity(tid, cpus)
    except ProcessLookupError:
        return
    except OSError as error:
        raise LibvirtError(
            f"cannot set CPU affinity on process {pid or tid}: {error.strerror}", code=Code.SYSTEM_ERROR
        ) from error


def set_scheduler(tid: int, policy: str, priority: int | None) -> None:
    """Give a thread one of `POLICIES`, with a priority for those that have one.

    Raises `InvalidArgumentError` for a priority out of range, and error 38 where the kernel refuses.
    """
    number = POLICIES.get(policy)
    if number is None:
        raise InternalError(f"unknown scheduler '{policy}'")
    wanted = 0
    if policy in _REAL_TIME:
        low, high = os.sched_get_priority_min(number), os.sched_get_priority_max(number)
        wanted = priority or 0
        if not low <= wanted <= high:
            raise InvalidArgumentError(f"Scheduler priority {wanted} out of range [{low}, {high}]")
    try:
        os.sched_setscheduler(tid, number, os.sched_param(wanted))
    except ProcessLookupError:
        return
    except OSError as error:
        raise LibvirtError(
            f"Cannot set scheduler parameters for pid {tid}: {error.strerror}", code=Code.SYSTEM_ERROR
        ) from error
