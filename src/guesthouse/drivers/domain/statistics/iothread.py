"""I/O threads: how they poll."""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.typed import UINT, ULLONG, Param

_SETTINGS: Final = (("poll-max-ns", ULLONG), ("poll-grow", UINT), ("poll-shrink", UINT))


def gather(guest: Guest, found: list[Param]) -> None:
    """`iothread.*`; nothing for a guest that is off or has none."""
    if guest.run is None or not guest.run.readings.iothreads:
        return
    threads = guest.run.readings.iothreads
    found.append(("iothread.count", UINT, len(threads)))
    for name, settings in sorted(threads.items(), key=lambda item: (len(item[0]), item[0])):
        number = name.removeprefix("iothread")
        if not number.isdigit():
            continue  # not one of ours: somebody made it through the monitor
        found += [(f"iothread.{number}.{key}", kind, settings[key]) for key, kind in _SETTINGS if key in settings]
