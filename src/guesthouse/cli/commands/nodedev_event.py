"""`nodedev-event`: wait for things that happen to devices of the host, and print them."""

from __future__ import annotations

from guesthouse.cli.event_command import listed, options, wait, wanted_one
from guesthouse.cli.grammar import Command, Option
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


def entry(event: NodeDeviceEvent) -> dict[str, object]:
    """The same for `--json`."""
    happened = word(LIFECYCLE, event.happened) if event.number == 0 else None
    return {"event": NAMES[event.number], "device": event.device, "happened": happened}


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    if listed(context, args, NAMES):
        return
    numbers = [wanted_one(args, NAMES)]
    from guesthouse.client import nodedev

    wait(context, args, nodedev, lambda: find(context, args) if args.has("device") else None, numbers, text, entry)


COMMANDS = (
    Command(
        "nodedev-event",
        "nodedev",
        "wait for events of devices",
        run_event,
        options(Option("device", "string", "of this device: its name", loose=True, complete="nodedev"), NAMES),
        description="Wait for a device of the host to come, to go or to change, and print it.",
        shape="one line an event: {time, event, device, happened: Created, Deleted or null}; --list: [name]",
    ),
)
