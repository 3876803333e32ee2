"""Which devices have network filters: `nwfilter-binding-create`, `-delete`, `-dumpxml`, `-list`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.nwfilters import binding, find_binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_create(context: Context, args: Arguments) -> None:
    """Bind a filter to a device."""
    from guesthouse.client.nwfilter import VALIDATE, bind

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to create network filter from {path}"):
        made = bind(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"device": made.device, "filter": made.filter})
    else:
        context.remark(f"Network filter binding on {made.device} created from {path}\n")


def run_delete(context: Context, args: Arguments) -> None:
    """Let a device have no filter any more."""
    name = args.need("binding")
    found = find_binding(context, args)
    with context.during(f"Failed to delete network filter binding on {name}"):
        found.delete()
    context.remark(f"Network filter binding on {name} deleted\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a binding."""
    print_document(context, args, find_binding(context, args).xml())


def run_list(context: Context, args: Arguments) -> None:
    """Print the bindings."""
    from guesthouse.client.nwfilter import bindings

    with context.during("Failed to list network filter bindings"):
        found = sorted(bindings(context.connection), key=lambda one: one.device.lower())
    if args.has("json"):
        context.dump([{"device": one.device, "filter": one.filter} for one in found])
    else:
        context.table(("Port Dev", "Filter"), [(one.device, one.filter) for one in found])


COMMANDS = (
    Command(
        "nwfilter-binding-create",
        "filter",
        "bind a network filter to a device",
        run_create,
        (file("the binding"), flag("validate", "and check it against the schema")),
        description="Bind a network filter to a device that has none. Guests' cards get theirs without it.",
        shape="{device, filter}",
    ),
    Command(
        "nwfilter-binding-delete",
        "filter",
        "let a device have no network filter",
        run_delete,
        (binding(),),
        description="Remove the network filter of a device. Everything passes it from now on.",
    ),
    Command(
        "nwfilter-binding-dumpxml",
        "filter",
        "print the network filter of a device as XML",
        run_dumpxml,
        (
            binding(),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print which network filter a device has, with the values of its variables.",
        shape=SHAPE,
    ),
    Command(
        "nwfilter-binding-list",
        "filter",
        "list the devices with network filters",
        run_list,
        description="List the devices that have network filters.",
        shape="[{device, filter}]",
    ),
)
