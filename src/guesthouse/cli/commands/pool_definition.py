"""Pools and what they are: `pool-define`, `pool-dumpxml`, `pool-edit`, `pool-undefine`, `pool-name`, `pool-uuid`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.pools import BUILDING, KIND, pool, start_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_create(context: Context, args: Arguments) -> None:
    """Make and start a pool that is forgotten when it stops."""
    from guesthouse.client.pools import create

    KIND.made(context, args, "create", "created", create, start_flags(args))


def run_define(context: Context, args: Arguments) -> None:
    """Define a pool, or change one."""
    from guesthouse.client.pools import VALIDATE, define

    KIND.made(context, args, "define", "defined", define, VALIDATE if args.has("validate") else 0)


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a pool's definition."""
    from guesthouse.client.pools import define

    KIND.edit(context, args, define)


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
        KIND.dumpxml,
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
        KIND.undefine,
        (pool(),),
        description="Remove the definition of a pool that is not active. Its storage stays as it is.",
    ),
    Command(
        "pool-name",
        "pool",
        "print the name of a pool",
        KIND.print_name,
        (pool("the pool: its UUID"),),
        description="Print the name of the pool with a UUID.",
        shape="{name}",
    ),
    Command(
        "pool-uuid",
        "pool",
        "print the UUID of a pool",
        KIND.print_uuid,
        (pool("the pool: its name"),),
        description="Print the UUID of the pool of a name.",
        shape="{uuid}",
    ),
)
