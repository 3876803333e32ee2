"""Hearing of events until one has come, the time is over or the person has enough."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    Event = TypeVar("Event")


def hear(events: Iterator[Event], show: Callable[[Event], None], *, loop: bool) -> tuple[int, str]:
    """Show the first of these events, or with `loop` all.

    Returns how many there were, and as text for the person why it ended, if not for the first.
    """
    import sys

    from guesthouse.cli.interrupt import Interruptible

    count = 0
    try:
        with Interruptible():
            for event in events:
                show(event)
                sys.stdout.flush()
                count += 1
                if not loop:
                    return count, ""
    except KeyboardInterrupt:
        return count, "event loop interrupted\n"
    return count, "event loop timed out\n"


def now() -> str:
    """The time as virsh stamps events: in UTC, to the millisecond."""
    from time import gmtime, strftime, time

    now = time()
    return f"{strftime('%Y-%m-%d %H:%M:%S', gmtime(now))}.{int(now * 1000) % 1000:03d}+0000"
