"""`nodedev-event`: wait for things that happen to devices of the host, and print them."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import INT_MAX, Command, Option, flag
from guesthouse.cli.nodedevs import find
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.nodedev import NodeDeviceEvent

#: The events by number (`virNodeDeviceEventID`), and what happens in a device's life.
NAMES = ("lifecycle", "update")
LIFECYCLE = ("Created", "Deleted", "Defined", "Undefined")


def text(event: NodeDeviceEvent) -> str:
    """An event as virsh prints it."""
    happened = f": {word(LIFECYCLE, event.happened)}" if event.number == 0 else ""
    return f"event '{NAMES[event.number]}' for node device {event.device}{happened}\n"


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
    from guesthouse.client.nodedev import deregister, read, register

    device = find(context, args) if args.has("device") else None
    connection = context.connection
    registration = register(connection, number, device)
    try:
        events = heard(connection, read, timeout)
        return hear(events, lambda event: _print(context, args, event), loop=args.has("loop"))
    finally:
        if connection.alive:
            deregister(connection, registration)


def _print(context: Context, args: Arguments, event: NodeDeviceEvent) -> None:
    from guesthouse.cli.hearing import now

    if not args.has("json"):
        context.print((f"{now()}: " if args.has("timestamp") else "") + text(event))
        return
    import json

    happened = word(LIFECYCLE, event.happened) if event.number == 0 else None
    entry = {"time": now(), "event": NAMES[event.number], "device": event.device, "happened": happened}
    context.print(json.dumps(entry, ensure_ascii=False) + "\n")


COMMANDS = (
    Command(
        "nodedev-event",
        "nodedev",
        "wait for events of devices",
        run_event,
        (
            Option("device", "string", "of this device: its name", loose=True, complete="nodedev"),
            Option("event", "string", "this kind of event", loose=True, complete=" ".join(NAMES)),
            flag("loop", "and do not stop at the first"),
            Option("timeout", "int", "but stop after so many seconds", loose=True),
            flag("list", "print the kinds of events and do not wait"),
            flag("timestamp", "with the time of each"),
        ),
        description="Wait for a device of the host to come, to go or to change, and print it.",
        shape="one line an event: {time, event, device, happened: Created, Deleted or null}; --list: [name]",
    ),
)
