"""The volumes that go with a guest when it is undefined: which they are, and removing them afterwards."""

from __future__ import annotations

import sys

from guesthouse.cli.failure import CommandError
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element
    from guesthouse.client.domain import Domain
    from guesthouse.client.volumes import Volume

    #: Target of the disk, its source as the definition has it, and the volume.
    Found = tuple[str, str, Volume]

_SOURCES = ("source/@file", "source/@dir", "source/@name", "source/@dev", "source/@volume")


def chosen(context: Context, args: Arguments, guest: Domain) -> list[Found]:
    """The volumes that the options choose, before the guest is gone. Raises CommandError for what is none of its."""
    from guesthouse.cli.xmltool import definition

    wanted = args.text("storage")
    if wanted is None and not args.has("remove-all-storage"):
        return []
    if guest.is_active():
        raise CommandError("Storage volume deletion is supported only on stopped domains")
    if wanted is not None and args.has("remove-all-storage"):
        raise CommandError("Specified both --storage and --remove-all-storage")
    names = None if wanted is None else _names(wanted)
    found = _found(context, definition(context, guest), names)
    if names:
        for name in names[:-1]:
            context.error(f"Volume '{name}' was not found in domain's definition.")
        raise CommandError(f"Volume '{names[-1]}' was not found in domain's definition.")
    return found


def _names(text: str) -> list[str]:
    """The parts of a text with commas between; two commas are one that belongs to a part."""
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def _found(context: Context, root: Element, names: list[str] | None) -> list[Found]:
    """The volumes of the disks; `names` loses those that a disk has."""
    from guesthouse.cli.xmltool import first

    found: list[Found] = []
    for disk in root.iterfind("devices/disk"):
        target, source = first(disk, "target/@dev"), first(disk, *_SOURCES)
        if not source:
            continue
        if names is not None:
            named = next((name for name in names if name in (target, source)), None)
            if named is None:
                continue
            names.remove(named)
        volume = _volume(context, first(disk, "source/@pool"), target, source)
        if volume is not None:
            found.append((target, source, volume))
    return found


def _volume(context: Context, pool: str, target: str, source: str) -> Volume | None:
    """The volume of a disk, or None after having said why not."""
    from guesthouse.client import pools, volumes

    holder = None
    if pool:
        try:
            holder = pools.by_name(context.connection, pool)
        except LibvirtError as error:
            context.note(error)
            context.error(f"Storage pool '{pool}' for volume '{target}' not found.")
            return None
    try:
        return volumes.by_path(context.connection, source) if holder is None else volumes.by_name(holder, source)
    except LibvirtError as error:
        context.note(error)
    context.error(f"Storage volume '{target}'({source}) is not managed by libvirt. Remove it manually.")
    return None


def remove(context: Context, args: Arguments, found: list[Found]) -> None:
    """Remove the volumes, wiped before if so wished. All are tried; raises the last failure of the daemon."""
    from guesthouse.client.volumes import WITH_SNAPSHOTS

    flags = WITH_SNAPSHOTS if args.has("delete-storage-volume-snapshots") else 0
    last: LibvirtError | None = None
    for target, source, volume in found:
        try:
            if args.has("wipe-storage"):
                _wipe(context, target, source, volume)
            with context.during(f"Failed to remove storage volume '{target}'({source})"):
                volume.delete(flags)
        except LibvirtError as error:
            last = error
        else:
            context.remark(f"Volume '{target}'({source}) removed.\n")
    if last is not None:
        raise last


def _wipe(context: Context, target: str, source: str, volume: Volume) -> None:
    from guesthouse.cli.progress import watch

    context.remark(f"Wiping volume '{target}'({source}) ... ")
    sys.stdout.flush()
    with context.during("Failed! Volume not removed."):
        serial = volume.submit_wipe(0)
        watch(context, volume.connection, serial, volume.pool, volume.name, "wipe")
        volume.connection.wait(serial)
    context.remark("Done.\n")
