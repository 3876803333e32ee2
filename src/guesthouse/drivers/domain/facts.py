"""Simple numbers about a guest, from memory and `/proc`."""

from __future__ import annotations

import os

from guesthouse.drivers.domain.guest import Guest
from guesthouse.host.procfs import stat_fields
from guesthouse.model.domain.definition import Domain

_NANOSECONDS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

#: Places in `stat_fields`: fields 14, 15 and 24, 39 of proc(5), counted from the third.
_USER, _SYSTEM, _RSS, _PROCESSOR = 11, 12, 21, 36

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


def current_memory(guest: Guest) -> int:
    """What the guest may use now, in KiB: what its balloon leaves it."""
    run = guest.run
    if run is not None and run.balloon_kib is not None:
        return run.balloon_kib
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
