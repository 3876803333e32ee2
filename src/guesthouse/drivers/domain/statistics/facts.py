"""Simple numbers about a guest, from memory and `/proc`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.host.procfs import stat_fields
from guesthouse.model.domain.definition import Domain

_NANOSECONDS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

#: Places in `stat_fields`: fields 14, 15 and 24, 39 of proc(5), counted from the third.
_USER, _SYSTEM, _RSS, _PROCESSOR = 11, 12, 21, 36

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


def current_memory(guest: Guest) -> int:
    """What the guest may use now, in KiB: what its balloon leaves it, and what it took of virtio-mem devices."""
    domain = guest.current
    return domain.current_memory.kib if domain.current_memory is not None else domain.memory.kib


def vcpus(domain: Domain) -> int:
    """How many processors are online at boot."""
    return domain.vcpu.online


def cpu_time(guest: Guest) -> int:
    """Processor time of QEMU in nanoseconds; 0 for a guest that is off."""
    user, system = cpu_times(guest)
    return user + system


def cpu_times(guest: Guest) -> tuple[int, int]:
    """QEMU's time in user and in system mode, in nanoseconds."""
    fields = stat_fields(guest.run.pid) if guest.run is not None and guest.run.pid else None
    if not fields:
        return 0, 0
    return int(fields[_USER]) * _NANOSECONDS_PER_TICK, int(fields[_SYSTEM]) * _NANOSECONDS_PER_TICK


def resident_kib(guest: Guest) -> int:
    """How much of the host's memory QEMU holds, in KiB."""
    fields = stat_fields(guest.run.pid) if guest.run is not None and guest.run.pid else None
    return int(fields[_RSS]) * PAGE_KIB if fields else 0


#: `VIR_VCPU_RUNNING` and `VIR_VCPU_OFFLINE`.
VCPU_RUNNING, VCPU_OFFLINE = 1, 0


@dataclass(frozen=True, slots=True)
class Thread:
    """A virtual processor's thread: times in nanoseconds, and the host's processor that it last ran on."""

    id: int
    cpu_time: int
    wait: int
    delay: int
    processor: int


def threads(run: Run) -> list[Thread]:
    """The threads of the virtual processors, in their order; of those that are gone all is 0."""
    return [_thread(run.pid, thread) for thread in run.readings.vcpu_threads]


def _thread(pid: int, thread: int) -> Thread:
    base = f"/proc/{pid}/task/{thread}"
    stat = _read(f"{base}/stat")
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) <= _PROCESSOR:
        return Thread(thread, 0, 0, 0, 0)
    ticks = int(fields[_USER]) + int(fields[_SYSTEM])
    schedule = _read(f"{base}/schedstat").split()
    delay = int(schedule[1]) if len(schedule) > 1 else 0
    return Thread(thread, ticks * _NANOSECONDS_PER_TICK, _wait(base), delay, int(fields[_PROCESSOR]))


def _wait(base: str) -> int:
    """How long the thread waited for a processor, where the kernel counts it: milliseconds with six decimals."""
    for line in _read(f"{base}/sched").splitlines():
        if b"wait_sum" in line:
            return int(float(line.rpartition(b":")[2]) * 1_000_000)
    return 0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(8192)
    except OSError:
        return b""
