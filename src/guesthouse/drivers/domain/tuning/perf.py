"""The kernel's counters of a guest's QEMU: which are on, and what they say.

Source: https://libvirt.org/formatdomain.html#performance-monitoring-events, `virDomainSetPerfEvents`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.typed import BOOLEAN, Param
from guesthouse.host import perf as host
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.perf import EVENTS, Perf, PerfEvent

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

TYPES: Final = dict.fromkeys(EVENTS, BOOLEAN)


def read(guest: Guest, impact: int) -> list[Param]:
    """Of every counter whether it is on."""
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    on = set(guest.live().counters) if live else set(domain.perf.enabled() if domain.perf is not None else ())
    return [(name, BOOLEAN, name in on) for name in EVENTS]


async def set_(driver: Guests, guest: Guest, wanted: dict[str, bool], impact: int) -> None:
    """Turn counters on or off, all or none. Raises what `host.perf.open_counter` raises."""
    async with changing(driver, guest, impact) as change:
        if change.run is not None:
            _apply(change.run, wanted)
        for domain in change.domains:
            _write_down(domain, wanted)


def _apply(run: Run, wanted: dict[str, bool]) -> None:
    opened: dict[str, int] = {}
    try:
        for name, on in wanted.items():
            if on and name not in run.counters:
                opened[name] = host.open_counter(name, run.pid)
    except Exception:
        for descriptor in opened.values():
            os.close(descriptor)
        raise
    run.counters |= opened
    for name, on in wanted.items():
        if not on and name in run.counters:
            os.close(run.counters.pop(name))


def _write_down(domain: Domain, wanted: dict[str, bool]) -> None:
    known = {event.name: event for event in (domain.perf.events if domain.perf is not None else [])}
    for name, on in wanted.items():
        known[name] = new(PerfEvent, name=name, enabled=on)
    domain.perf = new(Perf, events=[known[name] for name in EVENTS if name in known])
