"""`pool-event`: wait for things that happen to storage pools, and print them."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import INT_MAX, Command, Option, flag
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


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    if args.has("list"):
        if args.has("json"):
            context.dump([*NAMES])
        else:
            context.print("".join(f"{name}\n" for name in NAMES))
        return
    wanted = args.text("event")
    if wanted is None:
        raise CommandError("either --list or --event <type> is required")
    if wanted not in NAMES:
        raise CommandError(f"unknown event type {wanted}")
    timeout = args.unsigned("timeout")
    if timeout is not None and not 0 < timeout <= INT_MAX // 1000:
        raise CommandError(f"Numeric value '{timeout}' for <timeout> option is malformed or out of range")
    count, why = _hear(context, args, NAMES.index(wanted), timeout)
    if not args.has("json"):
        context.print(why + f"events received: {count}\n")
    if not count:
        raise CommandError


def _hear(context: Context, args: Arguments, number: int, timeout: int | None) -> tuple[int, str]:
    from guesthouse.cli.hearing import hear
    from guesthouse.client.hearing import heard
    from guesthouse.client.pool_events import deregister, read, register

    pool = find(context, args) if args.has("pool") else None
    connection = context.connection
    registration = register(connection, number, pool)
    try:
        events = heard(connection, read, timeout)
        return hear(events, lambda event: _print(context, args, event), loop=args.has("loop"))
    finally:
        if connection.alive:
            deregister(connection, registration)


def _print(context: Context, args: Arguments, event: PoolEvent) -> None:
    from guesthouse.cli.hearing import now

    if not args.has("json"):
        context.print((f"{now()}: " if args.has("timestamp") else "") + text(event))
        return
    import json

    entry = {
        "time": now(),
        "event": NAMES[event.number],
        "pool": event.pool.name,
        "happened": None if event.happened is None else word(LIFECYCLE, event.happened),
    }
    context.print(json.dumps(entry, ensure_ascii=False) + "\n")


COMMANDS = (
    Command(
        "pool-event",
        "pool",
        "wait for events of storage pools",
        run_event,
        (
            Option("pool", "string", "of this pool: its name or UUID", loose=True, complete="pool"),
            Option("event", "string", "this kind of event", loose=True, complete=" ".join(NAMES)),
            flag("loop", "and do not stop at the first"),
            Option("timeout", "int", "but stop after so many seconds", loose=True),
            flag("list", "print the kinds of events and do not wait"),
            flag("timestamp", "with the time of each"),
        ),
        description="Wait for a pool to be defined, built, started, refreshed, stopped or removed, and print it.",
        shape="one line an event: {time, event, pool, happened: Defined, … or null}; --list: [name]",
    ),
)
