"""The kernel's counters of one run: turned on when its QEMU starts, read, and let go at the end."""

from __future__ import annotations

import contextlib
import os

from guesthouse.drivers.domain.run import Run
from guesthouse.host import perf as host


def begin(run: Run) -> None:
    """Turn on what the definition of a guest that starts wants. Raises what `host.perf.open_counter` raises."""
    for name in run.live.perf.enabled() if run.live.perf is not None else ():
        if name not in run.counters:
            run.counters[name] = host.open_counter(name, run.pid)


def end(run: Run) -> None:
    """Let go of all counters."""
    while run.counters:
        os.close(run.counters.popitem()[1])


def values(run: Run) -> dict[str, int]:
    """What the counters that are on say."""
    found = {}
    for name, descriptor in run.counters.items():
        with contextlib.suppress(OSError):
            found[name] = host.read_counter(descriptor)
    return found
