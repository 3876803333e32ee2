"""Memory: what the balloon leaves the guest, and what the guest's balloon driver reports of it."""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Readings, Run
from guesthouse.drivers.domain.statistics import facts
from guesthouse.drivers.domain.typed import ULLONG, Param

#: Name of a balloon counter here, QEMU's name for it, and its unit in bytes.
_BALLOON: Final = (
    ("swap_in", "stat-swap-in", 1024),
    ("swap_out", "stat-swap-out", 1024),
    ("major_fault", "stat-major-faults", 1),
    ("minor_fault", "stat-minor-faults", 1),
    ("unused", "stat-free-memory", 1024),
    ("available", "stat-total-memory", 1024),
    ("usable", "stat-available-memory", 1024),
    ("disk_caches", "stat-disk-caches", 1024),
    ("hugetlb_pgalloc", "stat-htlb-pgalloc", 1),
    ("hugetlb_pgfail", "stat-htlb-pgfail", 1),
)

#: The order of domstats.
_ORDER: Final = (
    *("swap_in", "swap_out", "major_fault", "minor_fault", "unused", "available", "usable", "last-update"),
    *("disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail"),
)

#: What QEMU says for a counter that the guest has not told: -1 as an unsigned number.
_NEVER_TOLD: Final = 2**64 - 1

#: `virDomainMemoryStatTags` by the names above.
TAGS: Final = {
    "swap_in": 0,
    "swap_out": 1,
    "major_fault": 2,
    "minor_fault": 3,
    "unused": 4,
    "available": 5,
    "actual": 6,
    "rss": 7,
    "usable": 8,
    "last-update": 9,
    "disk_caches": 10,
    "hugetlb_pgalloc": 11,
    "hugetlb_pgfail": 12,
}


def tagged(guest: Guest, run: Run) -> list[tuple[int, int]]:
    """The tags and values of GET_MEMORY_STATS, in KiB or counts."""
    found = [(TAGS["actual"], facts.current_memory(guest))]
    found += [(TAGS[name], value) for name, value in _balloon(run.readings)]
    if run.readings.balloon_updated is not None:
        found.append((TAGS["last-update"], run.readings.balloon_updated))
    found.append((TAGS["rss"], facts.resident_kib(guest)))
    return found


def gather(guest: Guest, found: list[Param]) -> None:
    """`balloon.*`, in KiB or counts."""
    found.append(("balloon.current", ULLONG, facts.current_memory(guest)))
    found.append(("balloon.maximum", ULLONG, guest.current.memory.kib))
    if guest.run is None:
        return
    told = _balloon(guest.run.readings)
    if guest.run.readings.balloon_updated is not None:
        told.append(("last-update", guest.run.readings.balloon_updated))
    told.sort(key=lambda entry: _ORDER.index(entry[0]))
    found += [(f"balloon.{name}", ULLONG, value) for name, value in told]
    found.append(("balloon.rss", ULLONG, facts.resident_kib(guest)))


def _balloon(readings: Readings) -> list[tuple[str, int]]:
    """What the guest has reported."""
    told = readings.balloon
    return [(name, told[key] // unit) for name, key, unit in _BALLOON if 0 <= told.get(key, -1) < _NEVER_TOLD]
