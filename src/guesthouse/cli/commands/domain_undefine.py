"""`undefine`: remove a guest's definition, and what belongs to it if so wished."""

from __future__ import annotations

from guesthouse.cli import undefined_storage
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, alias, domain, flag
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

#: Option to flag (`virDomainUndefineFlagsValues`).
MANAGED_SAVE, SNAPSHOTS = 1, 2
FLAGS = {
    "managed-save": MANAGED_SAVE,
    "snapshots-metadata": SNAPSHOTS,
    "nvram": 4,
    "keep-nvram": 8,
    "checkpoints-metadata": 16,
    "tpm": 32,
    "keep-tpm": 64,
}

WITH_METADATA = 2


def run_undefine(context: Context, args: Arguments) -> None:
    """Remove the definition."""
    args.requires("delete-storage-volume-snapshots", "remove-all-storage")
    args.exclusive("nvram", "keep-nvram")
    args.exclusive("tpm", "keep-tpm")
    if args.has("wipe-storage") and not _with_storage(args):
        raise CommandError("'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'")
    name = args.need("domain")
    found = context.domain(name)
    flags = sum(bit for option, bit in FLAGS.items() if args.has(option))
    saved, snapshots = (0, 0) if found.is_active() else (_saved(found), _snapshots(found))
    if not saved:
        flags &= ~MANAGED_SAVE
    if not snapshots:
        flags &= ~SNAPSHOTS
    volumes = undefined_storage.chosen(context, args, found) if _with_storage(args) else []
    if saved and not args.has("managed-save") and not args.has("nvram"):
        raise CommandError("Refusing to undefine while domain managed save image exists")
    with context.during(f"Failed to undefine domain '{name}'"):
        found.undefine(flags)
    context.remark(f"Domain '{name}' has been undefined\n")
    undefined_storage.remove(context, args, volumes)


def _with_storage(args: Arguments) -> bool:
    return args.has("storage") or args.has("remove-all-storage")


def _saved(found: Domain) -> bool:
    try:
        return found.has_managed_save()
    except LibvirtError as error:
        if error.code == Code.NO_SUPPORT:
            return False
        raise


def _snapshots(found: Domain) -> int:
    """How many snapshots have metadata that would have to go, too."""
    try:
        return found.snapshot_count(0) and found.snapshot_count(WITH_METADATA)
    except LibvirtError as error:
        if error.code == Code.NO_SUPPORT:
            return 0
        raise


COMMANDS = (
    Command(
        "undefine",
        "domain",
        "remove a guest's definition",
        run_undefine,
        (
            domain(),
            flag("managed-save", "with its saved memory"),
            Option("storage", "string", "with these volumes: targets or paths, with commas between", loose=True),
            flag("remove-all-storage", "with all its volumes"),
            alias("delete-snapshots", "delete-storage-volume-snapshots"),
            flag("delete-storage-volume-snapshots", "and the volumes' snapshots"),
            flag("wipe-storage", "after overwriting the volumes"),
            flag("snapshots-metadata", "with what is known about its snapshots"),
            flag("checkpoints-metadata", "with what is known about its checkpoints"),
            flag("nvram", "with its NVRAM"),
            flag("keep-nvram", "but not its NVRAM"),
            flag("tpm", "with the state of its TPM"),
            flag("keep-tpm", "but not the state of its TPM"),
        ),
        description="Remove the definition of a guest. One that runs goes on running, and is gone when it stops.",
    ),
)
