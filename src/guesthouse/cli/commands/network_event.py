"""`net-event`: wait for things that happen to networks, and print them."""

from __future__ import annotations

from guesthouse.cli.event_command import listed, options, wait, wanted_one
from guesthouse.cli.grammar import Command, Option
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


def _happened(event: NetworkEvent) -> str:
    from guesthouse.client.network_events import KINDS

    return word(KINDS, event.happened, "unsupported value") if event.number else word(LIFECYCLE, event.happened)


def text(event: NetworkEvent) -> str:
    """An event as virsh prints it."""
    happened = _happened(event)
    if event.number:
        happened = f"type {happened}, uri {event.namespace or 'N/A'}"
    return f"event '{NAMES[event.number]}' for network {event.network.name}: {happened}\n"


def entry(event: NetworkEvent) -> dict[str, object]:
    """The same for `--json`."""
    return {
        "event": NAMES[event.number],
        "network": event.network.name,
        "happened": _happened(event),
        "uri": event.namespace,
    }


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    if listed(context, args, NAMES):
        return
    numbers = [wanted_one(args, NAMES)]
    from guesthouse.client import network_events

    wait(
        context,
        args,
        network_events,
        lambda: find(context, args) if args.has("network") else None,
        numbers,
        text,
        entry,
    )


COMMANDS = (
    Command(
        "net-event",
        "network",
        "wait for events of networks",
        run_event,
        options(
            Option("network", "string", "of this network: its name or UUID", loose=True, complete="network"), NAMES
        ),
        description="Wait for a network to be defined, started, stopped or removed, and print it.",
        shape="one line an event: {time, event, network, happened: Defined, …, uri: text or null}; --list: [name]",
    ),
)
