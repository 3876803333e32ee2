"""`net-event`: wait for things that happen to networks, and print them."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import INT_MAX, Command, Option, flag
from guesthouse.cli.networks import find
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.network_events import NetworkEvent

#: The events by number (`virNetworkEventID`), and what happens in a network's life.
NAMES = ("lifecycle", "metadata-change")
LIFECYCLE = ("Defined", "Undefined", "Started", "Stopped")
#: What metadata is (`virNetworkMetadataType`).
KINDS = ("description", "title", "element")


def text(event: NetworkEvent) -> str:
    """An event as virsh prints it."""
    if event.number == 0:
        happened = word(LIFECYCLE, event.happened)
    else:
        happened = f"type {word(KINDS, event.happened, 'unsupported value')}, uri {event.namespace or 'N/A'}"
    return f"event '{NAMES[event.number]}' for network {event.network.name}: {happened}\n"


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
    from guesthouse.client.network_events import deregister, read, register

    network = find(context, args) if args.has("network") else None
    connection = context.connection
    registration = register(connection, number, network)
    try:
        events = heard(connection, read, timeout)
        return hear(events, lambda event: _print(context, args, event), loop=args.has("loop"))
    finally:
        if connection.alive:
            deregister(connection, registration)


def _print(context: Context, args: Arguments, event: NetworkEvent) -> None:
    from guesthouse.cli.hearing import now

    if not args.has("json"):
        context.print((f"{now()}: " if args.has("timestamp") else "") + text(event))
        return
    import json

    entry = {
        "time": now(),
        "event": NAMES[event.number],
        "network": event.network.name,
        "happened": word(KINDS if event.number else LIFECYCLE, event.happened),
        "uri": event.namespace,
    }
    context.print(json.dumps(entry, ensure_ascii=False) + "\n")


COMMANDS = (
    Command(
        "net-event",
        "network",
        "wait for events of networks",
        run_event,
        (
            Option("network", "string", "of this network: its name or UUID", loose=True, complete="network"),
            Option("event", "string", "this kind of event", loose=True, complete=" ".join(NAMES)),
            flag("loop", "and do not stop at the first"),
            Option("timeout", "int", "but stop after so many seconds", loose=True),
            flag("list", "print the kinds of events and do not wait"),
            flag("timestamp", "with the time of each"),
        ),
        description="Wait for a network to be defined, started, stopped or removed, and print it.",
        shape="one line an event: {time, event, network, happened: Defined, …, uri: text or null}; --list: [name]",
    ),
)
