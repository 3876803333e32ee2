"""Counters of the host's processor that are read while the guest runs: `<perf>`.

Format: https://libvirt.org/formatdomain.html#performance-monitoring-events
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, element, many
from guesthouse.model.kinds import YES_NO, one_of

#: The events in libvirt's order.
EVENTS: Final = (
    "cmt",
    "mbmt",
    "mbml",
    "cpu_cycles",
    "instructions",
    "cache_references",
    "cache_misses",
    "branch_instructions",
    "branch_misses",
    "bus_cycles",
    "stalled_cycles_frontend",
    "stalled_cycles_backend",
    "ref_cpu_cycles",
    "cpu_clock",
    "task_clock",
    "page_faults",
    "context_switches",
    "cpu_migrations",
    "page_faults_min",
    "page_faults_maj",
    "alignment_faults",
    "emulation_faults",
)


@element("event")
class PerfEvent:
    """One counter."""

    name: str = attr(one_of(*EVENTS))
    enabled: bool = attr(YES_NO)


@element("perf", omit_empty=True)
class Perf:
    """The counters that the definition names."""

    events: list[PerfEvent] = many(PerfEvent)

    def parsed(self) -> None:
        """Each once, in libvirt's order."""
        names = [event.name for event in self.events]
        for name in names:
            if names.count(name) > 1:
                raise XmlError(f"perf event '{name}' was already specified")
        self.events.sort(key=lambda event: EVENTS.index(event.name))

    def enabled(self) -> tuple[str, ...]:
        """The names of the counters that shall be read."""
        return tuple(event.name for event in self.events if event.enabled)
