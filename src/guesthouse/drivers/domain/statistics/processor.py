"""Processor time: of QEMU as a whole, and of each virtual processor."""

from __future__ import annotations

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.statistics import facts, qemu_counters
from guesthouse.drivers.domain.typed import INT, UINT, ULLONG, Param


def gather_total(guest: Guest, found: list[Param]) -> None:
    """`cpu.*`, in nanoseconds."""
    if guest.active:
        user, system = facts.cpu_times(guest)
        found += (
            ("cpu.time", ULLONG, user + system),
            ("cpu.user", ULLONG, user),
            ("cpu.system", ULLONG, system),
        )


def gather_each(guest: Guest, found: list[Param]) -> None:
    """`vcpu.*`: times in nanoseconds; of processors that the guest does not have now, nothing."""
    vcpu = guest.current.vcpu
    found.append(("vcpu.current", UINT, vcpu.online))
    found.append(("vcpu.maximum", UINT, vcpu.maximum))
    run = guest.run
    if run is None:
        return
    numbers = run.readings.vcpu_numbers or range(len(run.readings.vcpu_threads))
    for number, thread in zip(numbers, facts.threads(run), strict=False):
        found += (
            (f"vcpu.{number}.state", INT, facts.VCPU_RUNNING),
            (f"vcpu.{number}.time", ULLONG, thread.cpu_time),
            (f"vcpu.{number}.wait", ULLONG, thread.wait),
            (f"vcpu.{number}.delay", ULLONG, thread.delay),
        )
        qemu_counters.gather_processor(run, number, found)
