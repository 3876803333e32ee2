"""Network filters: `nwfilter-define`, `-dumpxml`, `-edit`, `-list`, `-undefine`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.nwfilters import find, nwfilter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_define(context: Context, args: Arguments) -> None:
    """Define a filter, or change one."""
    from guesthouse.client.nwfilter import VALIDATE, define

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to define network filter from {path}"):
        made = define(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Network filter {made.name} defined from {path}\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a filter's definition."""
    print_document(context, args, find(context, args).xml())


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a filter's definition."""
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.nwfilter import define

    found = find(context, args)
    name = [found.name]

    def put(text: str) -> None:
        name[0] = define(context.connection, text).name

    changed = edit_document(context, found.xml, put)
    context.remark(f"Network filter {name[0]} XML configuration {'edited' if changed else 'not changed'}.\n")


def run_list(context: Context, args: Arguments) -> None:
    """Print the filters."""
    from guesthouse.client.nwfilter import filters

    with context.during("Failed to list network filters"):
        found = sorted(filters(context.connection), key=lambda one: one.name.lower())
    if args.has("json"):
        context.dump([{"uuid": one.uuid, "name": one.name} for one in found])
    else:
        context.table(("UUID", "Name"), [(one.uuid, one.name) for one in found])


def run_undefine(context: Context, args: Arguments) -> None:
    """Remove a filter."""
    name = args.need("nwfilter")
    found = find(context, args)
    with context.during(f"Failed to undefine network filter {name}"):
        found.undefine()
    context.remark(f"Network filter {name} undefined\n")


COMMANDS = (
    Command(
        "nwfilter-define",
        "filter",
        "define a network filter, or change one",
        run_define,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Define a network filter, or change one. Guests that have it follow the new rules at once.",
        shape="{name, uuid}",
    ),
    Command(
        "nwfilter-dumpxml",
        "filter",
        "print a network filter as XML",
        run_dumpxml,
        (
            nwfilter(),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print the definition of a network filter as XML.",
        shape=SHAPE,
    ),
    Command(
        "nwfilter-edit",
        "filter",
        "edit a network filter",
        run_edit,
        (nwfilter(),),
        description="Edit a network filter in $VISUAL or $EDITOR. Guests that have it are filtered by the new rules.",
    ),
    Command(
        "nwfilter-list",
        "filter",
        "list the network filters",
        run_list,
        description="List the network filters.",
        shape="[{uuid, name}]",
    ),
    Command(
        "nwfilter-undefine",
        "filter",
        "remove a network filter",
        run_undefine,
        (nwfilter(),),
        description="Remove a network filter. One that a device has, itself or within another, stays.",
    ),
)
