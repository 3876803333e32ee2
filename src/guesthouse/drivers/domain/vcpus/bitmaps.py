"""Which of the host's processors a guest's threads run on, as the bitmaps of the protocol.

A map has one bit a host processor, the lowest in the first byte's lowest bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from guesthouse.drivers.domain.statistics import facts
from guesthouse.model.kinds import parse_cpuset

_ONLINE = "/sys/devices/system/cpu/online"
_NODES = "/sys/devices/system/node/has_memory"


def online() -> frozenset[int]:
    """The host's processors that are online."""
    try:
        with open(_ONLINE, encoding="ascii") as file:
            return frozenset(parse_cpuset(file.read().strip()))
    except OSError:
        return frozenset(range(os.cpu_count() or 1))


def bitmap(numbers: Iterable[int], length: int) -> bytes:
    """A map of `length` bytes; processors beyond its end are left out."""
    data = bytearray(length)
    for number in numbers:
        if number < 8 * length:
            data[number // 8] |= 1 << number % 8
    return bytes(data)


def affinity(thread: facts.Thread) -> frozenset[int]:
    """Where the kernel lets a thread run; everywhere when it is gone."""
    try:
        return frozenset(os.sched_getaffinity(thread.id))
    except OSError:
        return online()


def memory_nodes() -> frozenset[int]:
    """The host's memory nodes."""
    try:
        with open(_NODES, encoding="ascii") as file:
            return frozenset(parse_cpuset(file.read().strip()))
    except (OSError, ValueError):
        return frozenset({0})
