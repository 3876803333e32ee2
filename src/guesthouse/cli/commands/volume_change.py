"""Changing and removing volumes: `vol-delete`, `vol-resize`, `vol-wipe`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.volumes import SIZE, find, pool_of_it, size, volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_delete(context: Context, args: Arguments) -> None:
    """Remove a volume."""
    from guesthouse.client.volumes import WITH_SNAPSHOTS

    found = find(context, args)
    name, flags = args.need("vol"), WITH_SNAPSHOTS if args.has("delete-snapshots") else 0
    with context.during(f"Failed to delete vol {name}"):
        if args.has("force"):
            found.delete_forced(flags)
        else:
            found.delete(flags)
    context.remark(f"Vol {name} deleted\n")


def run_resize(context: Context, args: Arguments) -> None:
    """Change the size of a volume."""
    from guesthouse.cli.progress import watch
    from guesthouse.client.volumes import ALLOCATE, DELTA, SHRINK

    found = find(context, args)
    text, delta = args.need("capacity").lstrip(), args.has("delta")
    if text.startswith("-"):
        if not args.has("shrink"):
            raise CommandError("negative size requires --shrink")
        text, delta = text[1:], True
    flags = (ALLOCATE if args.has("allocate") else 0) | (SHRINK if args.has("shrink") else 0) | (DELTA if delta else 0)
    wanted = size(context, text)
    how = "by" if delta else "to"
    with context.during(f"Failed to change size of volume '{found.name}' {how} {text}"):
        serial = found.submit_resize(wanted, flags)
        watch(context, found.connection, serial, found.pool, found.name, "resize")
        found.connection.wait(serial)
    context.remark(f"Size of volume '{found.name}' successfully changed {how} {text}\n")


def run_wipe(context: Context, args: Arguments) -> None:
    """Destroy what a volume holds."""
    from guesthouse.cli.progress import watch
    from guesthouse.client.volumes import ALGORITHMS

    found = find(context, args)
    name, algorithm = args.need("vol"), args.text("algorithm") or "zero"
    if algorithm not in ALGORITHMS:
        raise CommandError(f"Unsupported algorithm '{algorithm}'")
    with context.during(f"Failed to wipe vol {name}"):
        serial = found.submit_wipe(ALGORITHMS.index(algorithm))
        watch(context, found.connection, serial, found.pool, found.name, "wipe")
        found.connection.wait(serial)
    context.remark(f"Vol {name} wiped\n")


_ALGORITHMS = "zero nnsa dod bsi gutmann schneier pfitzner7 pfitzner33 random trim"

COMMANDS = (
    Command(
        "vol-delete",
        "volume",
        "remove a volume",
        run_delete,
        (
            volume(),
            pool_of_it(),
            flag("delete-snapshots", "with its snapshots, where the storage has such"),
            flag("force", "even if a running guest has it", ours=True),
        ),
        description="Remove a volume and all that it holds. One that a running guest has is refused without --force.",
    ),
    Command(
        "vol-resize",
        "volume",
        "change the size of a volume",
        run_resize,
        (
            volume(),
            Option("capacity", "string", f"its new size: {SIZE}", required=True, positional=True),
            pool_of_it(),
            flag("allocate", "take the place on the storage at once"),
            flag("delta", "the capacity is by how much it changes"),
            flag("shrink", "make it smaller; what was beyond is lost"),
        ),
        description="Change the size of a volume that no running guest has. For those there is blockresize.",
    ),
    Command(
        "vol-wipe",
        "volume",
        "destroy what a volume holds",
        run_wipe,
        (
            volume(),
            pool_of_it(),
            Option("algorithm", "string", "how", complete=_ALGORITHMS),
        ),
        description="Write over a volume, so that nothing can be read of what it held. All algorithms but zero and "
        "trim need the program scrub on the host.",
    ),
)
