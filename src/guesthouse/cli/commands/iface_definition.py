"""What interfaces are configured as: `iface-define`, `iface-dumpxml`, `iface-edit`, `iface-undefine`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.interfaces import find, interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_define(context: Context, args: Arguments) -> None:
    """Configure an interface."""
    from guesthouse.client.interface import VALIDATE, define

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to define interface from {path}"):
        made = define(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"name": made.name})
    else:
        context.remark(f"Interface {made.name} defined from {path}\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print an interface's document."""
    from guesthouse.client.interface import XML_INACTIVE

    print_document(context, args, find(context, args).xml(XML_INACTIVE if args.has("inactive") else 0))


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit what an interface is configured as."""
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.interface import XML_INACTIVE, define

    found = find(context, args)
    name = [found.name]

    def put(text: str) -> None:
        name[0] = define(context.connection, text).name

    changed = edit_document(context, lambda: found.xml(XML_INACTIVE), put)
    context.remark(f"Interface {name[0]} XML configuration {'edited' if changed else 'not changed'}.\n")


def run_undefine(context: Context, args: Arguments) -> None:
    """Configure an interface no longer."""
    found = find(context, args)
    name = args.need("interface")
    with context.during(f"Failed to undefine interface {name}"):
        found.undefine()
    context.remark(f"Interface {name} undefined\n")


COMMANDS = (
    Command(
        "iface-define",
        "interface",
        "configure an interface, or change it",
        run_define,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Put an interface into the host's own network configuration, or change it there. A bridge or a "
        "bond takes the cards in it over. It takes effect when the interface starts.",
        shape="{name}",
    ),
    Command(
        "iface-dumpxml",
        "interface",
        "print an interface as XML",
        run_dumpxml,
        (
            interface(),
            flag("inactive", "what is configured, not what is there"),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print an interface as XML: as it is now, or as it is configured.",
        shape=SHAPE,
    ),
    Command(
        "iface-edit",
        "interface",
        "edit an interface's configuration",
        run_edit,
        (interface(),),
        description="Edit what an interface is configured as in $VISUAL or $EDITOR. It takes effect when it starts.",
    ),
    Command(
        "iface-undefine",
        "interface",
        "remove an interface's configuration",
        run_undefine,
        (interface(),),
        description="Remove an interface from the host's own network configuration. What is up stays until it stops.",
    ),
)
