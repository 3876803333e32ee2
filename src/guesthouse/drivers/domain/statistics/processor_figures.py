"""Processor time of a guest, as a whole and on each processor of the host.

The latter is counted by the control groups of version 1 (`cpuacct`); version 2 has no such counters.
"""

from __future__ import annotations

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.statistics import facts
from guesthouse.drivers.domain.tuning import housing
from guesthouse.drivers.domain.typed import ULLONG, Param
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, Origin
from guesthouse.host.cgroups import CgroupError, Group

_CONTROLLER = "cpuacct"
_FILE = "cpuacct.usage_percpu"

#: How many parameters there are for each processor of the host.
PER_PROCESSOR = 2


def total(guest: Guest) -> list[Param]:
    """Times in nanoseconds, of all that QEMU did."""
    user, system = facts.cpu_times(guest)
    return [("cpu_time", ULLONG, user + system), ("user_time", ULLONG, user), ("system_time", ULLONG, system)]


def per_processor(run: Run) -> list[tuple[Param, Param]]:
    """For each processor of the host the time that QEMU spent there, and its virtual processors.

    Raises `OperationInvalidError` where nobody counts it.
    """
    group = housing.present(run)
    if group is None or not group.has(_CONTROLLER) or group.version(_CONTROLLER) != 1:
        raise OperationInvalidError("cgroup CPUACCT controller is not mounted")
    whole = _counters(group)
    processors = [_counters(group.part(f"vcpu{number}")) for number in run.readings.vcpu_numbers]
    sums = [sum(times) for times in zip(*processors, strict=False)] or [0] * len(whole)
    return [
        (("cpu_time", ULLONG, all_of_it), ("vcpu_time", ULLONG, of_guest))
        for all_of_it, of_guest in zip(whole, sums, strict=False)
    ]


def chosen(found: list[tuple[Param, Param]], start: int, count: int) -> list[Param]:
    """The parameters of `count` processors from `start` on. Raises `InvalidArgumentError`."""
    if start >= len(found):
        raise InvalidArgumentError(f"start_cpu {start} larger than maximum of {len(found) - 1}", domain=Origin.CGROUP)
    return [param for pair in found[start : start + count] for param in pair]


def _counters(group: Group) -> list[int]:
    try:
        return [int(word) for word in group.read(_CONTROLLER, _FILE).split()]
    except CgroupError:
        return []
