"""The groups of statistics, and who gathers each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.domain.disks.image_sizes import SizeOf, nothing_known
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.statistics import block, dirty_rate, iothread, memory, network, processor, qemu_counters
from guesthouse.drivers.domain.tuning import perf_counters
from guesthouse.drivers.domain.typed import INT, ULLONG, Param
from guesthouse.errors import Code, LibvirtError, Origin

STATE, CPU_TOTAL, BALLOON, VCPU, INTERFACE, BLOCK, PERF, IOTHREAD, MEMORY, DIRTYRATE, VM = (1 << n for n in range(11))

#: Groups that QEMU itself has to be asked for.
FROM_QEMU: Final = BALLOON | VCPU | BLOCK | IOTHREAD | DIRTYRATE | VM


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: groups (0 for all), and whether the images below the first are told too.

    `size_of` tells the sizes of an image that no running guest has.
    """

    groups: int
    backing: bool = False
    size_of: SizeOf = nothing_known

    def has(self, group: int) -> bool:
        """Whether the group is asked for."""
        return not self.groups or bool(self.groups & group)


def gather(guest: Guest, wish: Wish) -> list[Param]:
    """The statistics of a guest."""
    found: list[Param] = []
    for group, worker in _WORKERS:
        if wish.has(group):
            worker(guest, wish, found)
    if guest.run is not None and wish.has(FROM_QEMU):
        age = guest.run.readings.age(time.monotonic())
        if age is not None:
            found.append(("stats.age", ULLONG, age))
    return found


def check(groups: int, *, enforce: bool) -> None:
    """With `enforce`, refuse groups that are not there."""
    unknown = groups & ~sum(group for group, _ in _WORKERS)
    if enforce and unknown:
        raise LibvirtError(
            f"Stats types bits 0x{unknown:x} are not supported by this daemon or QEMU",
            code=Code.ARGUMENT_UNSUPPORTED,
            domain=Origin.QEMU,
        )


def _state(guest: Guest, _wish: Wish, found: list[Param]) -> None:
    found.append(("state.state", INT, guest.state.value))
    found.append(("state.reason", INT, guest.reason))


def _blocks(guest: Guest, wish: Wish, found: list[Param]) -> None:
    block.gather(guest, found, backing=wish.backing, size_of=wish.size_of)


def _counters(guest: Guest, _wish: Wish, found: list[Param]) -> None:
    counted = perf_counters.values(guest.run) if guest.run is not None else {}
    found.extend((f"perf.{name}", ULLONG, value) for name, value in counted.items())


def _nothing(_guest: Guest, _wish: Wish, _found: list[Param]) -> None:
    """The group counts what the host's resource control would have to measure, and no guest has a monitor there."""


def _of(worker: Callable[[Guest, list[Param]], None]) -> _Worker:
    return lambda guest, _wish, found: worker(guest, found)


_Worker = Callable[[Guest, Wish, list[Param]], None]

_WORKERS: Final[tuple[tuple[int, _Worker], ...]] = (
    (STATE, _state),
    (CPU_TOTAL, _of(processor.gather_total)),
    (BALLOON, _of(memory.gather)),
    (VCPU, _of(processor.gather_each)),
    (INTERFACE, _of(network.gather)),
    (BLOCK, _blocks),
    (PERF, _counters),
    (IOTHREAD, _of(iothread.gather)),
    (MEMORY, _nothing),
    (DIRTYRATE, _of(dirty_rate.gather)),
    (VM, _of(qemu_counters.gather_guest)),
)
