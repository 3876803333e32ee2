"""Pools and what they are: `pool-define`, `pool-dumpxml`, `pool-edit`, `pool-undefine`, `pool-name`, `pool-uuid`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.pools import BUILDING, find, pool, start_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_create(context: Context, args: Arguments) -> None:
    """Make and start a pool that is forgotten when it stops."""
    from guesthouse.client.pools import create

    path, flags = args.need("file"), start_flags(args)
    text = read_document(path)
    with context.during(f"Failed to create pool from {path}"):
        made = create(context.connection, text, flags)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Pool {made.name} created from {path}\n")


def run_define(context: Context, args: Arguments) -> None:
    """Define a pool, or change one."""
    from guesthouse.client.pools import VALIDATE, define

    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to define pool from {path}"):
        made = define(context.connection, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"name": made.name, "uuid": made.uuid})
    else:
        context.remark(f"Pool {made.name} defined from {path}\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a pool's document."""
    from guesthouse.client.pools import XML_INACTIVE

    found = find(context, args)
    print_document(context, args, found.xml(XML_INACTIVE if args.has("inactive") else 0))


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a pool's definition."""
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.pools import XML_INACTIVE

    found = find(context, args)

    def get() -> str:
        return found.xml(XML_INACTIVE)

    changed = edit_document(context, get, lambda text: _put(context, found.uuid, text))
    context.remark(f"Pool {found.name} XML configuration {'edited' if changed else 'not changed'}.\n")


def _put(context: Context, uuid: str, text: str) -> None:
    from guesthouse.client.pools import define

    made = define(context.connection, text)
    if made.uuid != uuid:
        made.undefine()
        raise CommandError("the UUID of a pool cannot be changed")


def run_undefine(context: Context, args: Arguments) -> None:
    """Remove a pool's definition."""
    name = args.need("pool")
    found = find(context, args)
    with context.during(f"Failed to undefine pool {name}"):
        found.undefine()
    context.remark(f"Pool {name} has been undefined\n")


def run_name(context: Context, args: Arguments) -> None:
    """Print the name of the pool with a UUID."""
    found = find(context, args, "u")
    if args.has("json"):
        context.dump({"name": found.name})
    else:
        context.print(f"{found.name}\n")


def run_uuid(context: Context, args: Arguments) -> None:
    """Print the UUID of the pool of a name."""
    found = find(context, args, "n")
    if args.has("json"):
        context.dump({"uuid": found.uuid})
    else:
        context.print(f"{found.uuid}\n")


COMMANDS = (
    Command(
        "pool-create",
        "pool",
        "make and start a pool",
        run_create,
        (file("its definition"), *BUILDING),
        description="Make and start a pool that is forgotten when it stops.",
        shape="{name, uuid}",
    ),
    Command(
        "pool-define",
        "pool",
        "define a pool, or change one",
        run_define,
        (file("its definition"), flag("validate", "and check it against the schema")),
        description="Define a pool, or change the definition of the one with the same name and UUID.",
        shape="{name, uuid}",
    ),
    Command(
        "pool-dumpxml",
        "pool",
        "print a pool as XML",
        run_dumpxml,
        (
            pool(),
            flag("inactive", "its definition, not what is active"),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print a pool as XML: as it is now, or as it is defined.",
        shape=SHAPE,
    ),
    Command(
        "pool-edit",
        "pool",
        "edit a pool's definition",
        run_edit,
        (pool(),),
        description="Edit the definition of a pool in $VISUAL or $EDITOR. It takes effect when the pool starts.",
    ),
    Command(
        "pool-undefine",
        "pool",
        "remove a pool's definition",
        run_undefine,
        (pool(),),
        description="Remove the definition of a pool that is not active. Its storage stays as it is.",
    ),
    Command(
        "pool-name",
        "pool",
        "print the name of a pool",
        run_name,
        (pool("the pool: its UUID"),),
        description="Print the name of the pool with a UUID.",
        shape="{name}",
    ),
    Command(
        "pool-uuid",
        "pool",
        "print the UUID of a pool",
        run_uuid,
        (pool("the pool: its name"),),
        description="Print the UUID of the pool of a name.",
        shape="{uuid}",
    ),
)
