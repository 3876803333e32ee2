"""Networks and what they are: `net-define`, `net-dumpxml`, `net-edit`, `net-undefine`, `net-name`, `net-uuid`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.networks import KIND, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_define(context: Context, args: Arguments) -> None:
    """Define a network, or change one."""
    from guesthouse.client.network import VALIDATE, define

    KIND.made(context, args, "define", "defined", define, VALIDATE if args.has("validate") else 0)


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a network's definition."""
    from guesthouse.client.network import define

    KIND.edit(context, args, define)


COMMANDS = (
    Command(
        "net-define",
        "network",
        "define a network, or change one",
        run_define,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Define a network, or change the definition of the one with the same name and UUID.",
        shape="{name, uuid}",
    ),
    Command(
        "net-dumpxml",
        "network",
        "print a network as XML",
        KIND.dumpxml,
        (
            network(),
            flag("inactive", "its definition, not what is active"),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print a network as XML: as it is now, or as it is defined.",
        shape=SHAPE,
    ),
    Command(
        "net-edit",
        "network",
        "edit a network's definition",
        run_edit,
        (network(),),
        description="Edit the definition of a network in $VISUAL or $EDITOR. It takes effect when the network starts.",
    ),
    Command(
        "net-undefine",
        "network",
        "remove a network's definition",
        KIND.undefine,
        (network(),),
        description="Remove the definition of a network. An active one goes on until it stops.",
    ),
    Command(
        "net-name",
        "network",
        "print the name of a network",
        KIND.print_name,
        (network("the network: its UUID"),),
        description="Print the name of the network with a UUID.",
        shape="{name}",
    ),
    Command(
        "net-uuid",
        "network",
        "print the UUID of a network",
        KIND.print_uuid,
        (network("the network: its name"),),
        description="Print the UUID of the network of a name.",
        shape="{uuid}",
    ),
)
