"""`secret-event`: wait for things that happen to secrets, and print them."""

from __future__ import annotations

from guesthouse.cli.event_command import listed, options, wait, wanted_one
from guesthouse.cli.grammar import Command, Option
from guesthouse.cli.secrets import find
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.secret_events import SecretEvent

#: The events by number (`virSecretEventID`), and what happens in a secret's life.
NAMES = ("lifecycle", "value-changed")
LIFECYCLE = ("Defined", "Undefined")


def text(event: SecretEvent) -> str:
    """An event as virsh prints it."""
    happened = f": {word(LIFECYCLE, event.happened)}" if event.number == 0 else ""
    return f"event '{NAMES[event.number]}' for secret {event.secret.uuid}{happened}\n"


def entry(event: SecretEvent) -> dict[str, object]:
    """The same for `--json`."""
    happened = word(LIFECYCLE, event.happened) if event.number == 0 else None
    return {"event": NAMES[event.number], "secret": event.secret.uuid, "happened": happened}


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    if listed(context, args, NAMES):
        return
    numbers = [wanted_one(args, NAMES)]
    from guesthouse.client import secret_events

    wait(
        context, args, secret_events, lambda: find(context, args) if args.has("secret") else None, numbers, text, entry
    )


COMMANDS = (
    Command(
        "secret-event",
        "secret",
        "wait for events of secrets",
        run_event,
        options(Option("secret", "string", "of this secret: its UUID", loose=True, complete="secret"), NAMES),
        description="Wait for a secret to be defined, to be removed or to get another value, and print it.",
        shape="one line an event: {time, event, secret, happened: Defined, Undefined or null}; --list: [name]",
    ),
)
