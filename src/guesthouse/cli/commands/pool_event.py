"""`pool-event`: wait for things that happen to storage pools, and print them."""

from __future__ import annotations

from guesthouse.cli.event_command import listed, options, wait, wanted_one
from guesthouse.cli.grammar import Command, Option
from guesthouse.cli.pools import find
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pool_events import PoolEvent

#: The events by number (`virStoragePoolEventID`), and what happens in a pool's life.
NAMES = ("lifecycle", "refresh")
LIFECYCLE = ("Defined", "Undefined", "Started", "Stopped", "Created", "Deleted")


def text(event: PoolEvent) -> str:
    """An event as virsh prints it."""
    happened = f": {word(LIFECYCLE, event.happened)}" if event.happened is not None else ""
    return f"event '{NAMES[event.number]}' for storage pool {event.pool.name}{happened}\n"


def entry(event: PoolEvent) -> dict[str, object]:
    """The same for `--json`."""
    happened = None if event.happened is None else word(LIFECYCLE, event.happened)
    return {"event": NAMES[event.number], "pool": event.pool.name, "happened": happened}


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    if listed(context, args, NAMES):
        return
    numbers = [wanted_one(args, NAMES)]
    from guesthouse.client import pool_events

    wait(context, args, pool_events, lambda: find(context, args) if args.has("pool") else None, numbers, text, entry)


COMMANDS = (
    Command(
        "pool-event",
        "pool",
        "wait for events of storage pools",
        run_event,
        options(Option("pool", "string", "of this pool: its name or UUID", loose=True, complete="pool"), NAMES),
        description="Wait for a pool to be defined, built, started, refreshed, stopped or removed, and print it.",
        shape="one line an event: {time, event, pool, happened: Defined, … or null}; --list: [name]",
    ),
)
