"""Pools that come and go: `pool-autostart`, `pool-build`, `pool-delete`, `pool-destroy`, `pool-refresh`…"""

from __future__ import annotations

import sys

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, flag
from guesthouse.cli.pools import BUILDING, KIND, find, pool, start_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pools import Pool


def run_build(context: Context, args: Arguments) -> None:
    """Make what a pool needs on its storage."""
    from guesthouse.client.pools import BUILD_NO_OVERWRITE, BUILD_OVERWRITE

    flags = BUILD_NO_OVERWRITE if args.has("no-overwrite") else 0
    flags |= BUILD_OVERWRITE if args.has("overwrite") else 0
    found = find(context, args)
    KIND.act(context, args, "build", "built", lambda: found.build(flags))


def run_delete(context: Context, args: Arguments) -> None:
    """Remove a pool's storage, after a warning where volumes go with it."""
    found = find(context, args)
    if context.ours:
        _warn(context, args, found)
    KIND.act(context, args, "delete", "deleted", found.delete)


#: Type of a pool to what goes with it when it is deleted; `{}` is the source.
_LOST = {
    "logical": "the volume group '{}' and every volume on it",
    "disk": "the table of partitions of '{}' and every volume on it",
    "zfs": "the ZFS pool '{}' and every volume on it",
}


def _warn(context: Context, args: Arguments, found: Pool) -> None:
    """Say what is lost. A person at a terminal is asked; what is not a terminal has asked for it by the command."""
    from guesthouse.cli import xmltool

    root = xmltool.parse(found.xml(), indented=False)
    lost = _LOST.get(root.get("type") or "")
    if lost is None:
        return
    device = root.find("source/device")
    source = root.findtext("source/name") or (device.get("path") if device is not None else "") or found.name
    sys.stdout.flush()
    sys.stderr.write(f"warning: this removes {lost.format(source)}, beyond recovery\n")
    sys.stderr.flush()
    if args.has("yes") or not sys.stdin.isatty():
        return
    context.print(f"Delete pool {found.name}? [y,n]: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError(f"pool {found.name} was not deleted")


def run_destroy(context: Context, args: Arguments) -> None:
    """Stop a pool."""
    KIND.act(context, args, "destroy", "destroyed", find(context, args).destroy)


def run_refresh(context: Context, args: Arguments) -> None:
    """Look again what is on a pool's storage."""
    KIND.act(context, args, "refresh", "refreshed", find(context, args).refresh)


def run_start(context: Context, args: Arguments) -> None:
    """Start a pool."""
    flags = start_flags(args)
    found = find(context, args)
    KIND.act(context, args, "start", "started", lambda: found.start(flags))


COMMANDS = (
    Command(
        "pool-autostart",
        "pool",
        "start a pool with the daemon",
        KIND.autostart,
        (pool(), flag("disable", "no longer")),
        description="Start a pool whenever the daemon starts, or no longer.",
    ),
    Command(
        "pool-build",
        "pool",
        "make what a pool needs",
        run_build,
        (pool(), *BUILDING[1:]),
        description="Make what a pool needs on its storage: a directory, a file system, a volume group or a table of "
        "partitions. Without --overwrite nothing that is there is lost.",
    ),
    Command(
        "pool-delete",
        "pool",
        "remove a pool's storage",
        run_delete,
        (pool(), flag("yes", "do not ask at a terminal", ours=True)),
        description="Remove the storage of a pool that is not active: an empty directory, or a volume group, a table "
        "of partitions or a ZFS pool together with every volume on it. The definition stays.",
    ),
    Command(
        "pool-destroy",
        "pool",
        "stop a pool",
        run_destroy,
        (pool(),),
        description="Stop a pool. Nothing on its storage changes, and guests keep the volumes that they have.",
    ),
    Command(
        "pool-refresh",
        "pool",
        "look again what is in a pool",
        run_refresh,
        (pool(),),
        description="Look again which volumes are on a pool's storage, and how large they are.",
    ),
    Command(
        "pool-start",
        "pool",
        "start a pool",
        run_start,
        (pool(), *BUILDING),
        description="Start a pool that is defined: mount or attach its storage and look what is on it.",
    ),
)
