"""Networks that come and go: `net-autostart`, `net-create`, `net-destroy`, `net-start`."""

from __future__ import annotations

from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, file, flag
from guesthouse.cli.networks import find, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_autostart(context: Context, args: Arguments) -> None:
    """Start a network with the daemon, or no longer."""
    name, on = args.need("network"), not args.has("disable")
    found = find(context, args)
    with context.during(f"failed to {'mark' if on else 'unmark'} network {name} as autostarted"):
        found.set_autostart(on)
    context.remark(f"Network {name} {'marked' if on else 'unmarked'} as autostarted\n")


def run_create(context: Context, args: Arguments) -> None:
    """Make and start a network that is forgotten when it stops."""
    from guesthouse.client.network import VALIDATE, create

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to create network from {path}"):
        made = create(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Network {made.name} created from {path}\n")


def run_destroy(context: Context, args: Arguments) -> None:
    """Stop a network."""
    name = args.need("network")
    found = find(context, args)
    with context.during(f"Failed to destroy network {name}"):
        found.destroy()
    context.remark(f"Network {name} destroyed\n")


def run_start(context: Context, args: Arguments) -> None:
    """Start a network."""
    name = args.need("network")
    found = find(context, args)
    with context.during(f"Failed to start network {name}"):
        found.start()
    context.remark(f"Network {name} started\n")


COMMANDS = (
    Command(
        "net-autostart",
        "network",
        "start a network with the daemon",
        run_autostart,
        (network(), flag("disable", "no longer")),
        description="Start a network whenever the daemon starts, or no longer.",
    ),
    Command(
        "net-create",
        "network",
        "make and start a network",
        run_create,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Make and start a network that is forgotten when it stops.",
        shape="{name, uuid}",
    ),
    Command(
        "net-destroy",
        "network",
        "stop a network",
        run_destroy,
        (network(),),
        description="Stop a network. Guests keep the cards that they have, and no other gets a place on it.",
    ),
    Command(
        "net-start",
        "network",
        "start a network",
        run_start,
        (network(),),
        description="Start a network that is defined.",
    ),
)
