"""Networks that come and go: `net-autostart`, `net-create`, `net-destroy`, `net-start`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, file, flag
from guesthouse.cli.networks import KIND, find, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_create(context: Context, args: Arguments) -> None:
    """Make and start a network that is forgotten when it stops."""
    from guesthouse.client.network import VALIDATE, create

    KIND.made(context, args, "create", "created", create, VALIDATE if args.has("validate") else 0)


def run_destroy(context: Context, args: Arguments) -> None:
    """Stop a network."""
    KIND.act(context, args, "destroy", "destroyed", find(context, args).destroy)


def run_start(context: Context, args: Arguments) -> None:
    """Start a network."""
    KIND.act(context, args, "start", "started", find(context, args).start)


COMMANDS = (
    Command(
        "net-autostart",
        "network",
        "start a network with the daemon",
        KIND.autostart,
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
