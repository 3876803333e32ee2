"""Networks and what they are: `net-define`, `net-dumpxml`, `net-edit`, `net-undefine`, `net-name`, `net-uuid`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.networks import find, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_define(context: Context, args: Arguments) -> None:
    """Define a network, or change one."""
    from guesthouse.client.network import VALIDATE, define

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to define network from {path}"):
        made = define(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Network {made.name} defined from {path}\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a network's document."""
    from guesthouse.client.network import XML_INACTIVE

    found = find(context, args)
    print_document(context, args, found.xml(XML_INACTIVE if args.has("inactive") else 0))


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a network's definition."""
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.network import XML_INACTIVE

    found = find(context, args)

    def get() -> str:
        return found.xml(XML_INACTIVE)

    changed = edit_document(context, get, lambda text: _put(context, found.uuid, text))
    context.remark(f"Network {found.name} XML configuration {'edited' if changed else 'not changed'}.\n")


def _put(context: Context, uuid: str, text: str) -> None:
    from guesthouse.client.network import define

    made = define(context.connection, text)
    if made.uuid != uuid:
        made.undefine()
        raise CommandError("the UUID of a network cannot be changed")


def run_undefine(context: Context, args: Arguments) -> None:
    """Remove a network's definition."""
    name = args.need("network")
    found = find(context, args)
    with context.during(f"Failed to undefine network {name}"):
        found.undefine()
    context.remark(f"Network {name} has been undefined\n")


def run_name(context: Context, args: Arguments) -> None:
    """Print the name of the network with a UUID."""
    found = find(context, args, "u")
    if args.has("json"):
        context.dump({"name": found.name})
    else:
        context.print(f"{found.name}\n")


def run_uuid(context: Context, args: Arguments) -> None:
    """Print the UUID of the network of a name."""
    found = find(context, args, "n")
    if args.has("json"):
        context.dump({"uuid": found.uuid})
    else:
        context.print(f"{found.uuid}\n")


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
        run_dumpxml,
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
        run_undefine,
        (network(),),
        description="Remove the definition of a network. An active one goes on until it stops.",
    ),
    Command(
        "net-name",
        "network",
        "print the name of a network",
        run_name,
        (network("the network: its UUID"),),
        description="Print the name of the network with a UUID.",
        shape="{name}",
    ),
    Command(
        "net-uuid",
        "network",
        "print the UUID of a network",
        run_uuid,
        (network("the network: its name"),),
        description="Print the UUID of the network of a name.",
        shape="{uuid}",
    ),
)
