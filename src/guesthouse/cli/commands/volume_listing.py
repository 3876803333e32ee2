"""Which volumes there are, and what is known of one: `vol-list`, `vol-info`, `vol-dumpxml`, `vol-path`…"""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.pools import find as find_pool
from guesthouse.cli.pools import pool
from guesthouse.cli.volumes import find, pool_of_it, volume
from guesthouse.cli.words import capacity
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pools import Pool
    from guesthouse.client.volumes import Volume, VolumeDescription

_DETAILS = ("Name", "Path", "Type", "Capacity", "Allocation")


def run_list(context: Context, args: Arguments) -> None:
    """Print the volumes of a pool, and with `guest` who has them."""
    from guesthouse.client.volumes import descriptions, volumes

    found = find_pool(context, args)
    known = None
    if context.ours:
        with context.during("Failed to list volumes"):
            known = descriptions(found)
    if known is not None:
        _print_known(context, args, sorted(known, key=lambda one: one.name.lower()))
        return
    with context.during("Failed to list volumes"):
        listed = sorted(volumes(found), key=lambda one: one.name.lower())
    if args.has("json"):
        context.dump([_plain(one) for one in listed])
    elif args.has("details"):
        context.table(_DETAILS, [(one.name, _path(one), *_sizes(one)) for one in listed])
    else:
        context.table(("Name", "Path"), [(one.name, _path(one)) for one in listed])


def _print_known(context: Context, args: Arguments, known: list[VolumeDescription]) -> None:
    if args.has("json"):
        context.dump([_object(one) for one in known])
        return
    heading: tuple[str, ...] = ("Name", "Path")
    rows: list[tuple[str, ...]] = [(one.name, one.path) for one in known]
    if args.has("details"):
        heading = _DETAILS
        rows = [(one.name, one.path, one.type, capacity(one.capacity, 2), capacity(one.allocation, 2)) for one in known]
    extra = [("Guests", _guests), ("State", _state)]
    for title, tell in extra:
        cells = [tell(one) for one in known]
        if any(cells):
            heading = (*heading, title)
            rows = [(*row, cell or "-") for row, cell in zip(rows, cells, strict=True)]
    context.table(heading, rows)


def _guests(one: VolumeDescription) -> str:
    return ", ".join(dict.fromkeys(user.name for user in one.users))


def _state(one: VolumeDescription) -> str:
    return one.state


def _object(one: VolumeDescription) -> dict[str, Json]:
    return {
        "name": one.name,
        "path": one.path,
        "type": one.type,
        "format": one.format or None,
        "capacity": one.capacity,
        "allocation": one.allocation,
        "physical": one.physical,
        "encryption": one.encryption or None,
        "backing": one.backing or None,
        "state": one.state or None,
        "guests": [
            {"name": user.name, "uuid": user.uuid, "target": user.target, "running": bool(user.running)}
            for user in one.users
        ],
    }


def _plain(one: Volume) -> dict[str, Json]:
    """What another daemon tells, in the same shape."""
    empty: dict[str, Json] = dict.fromkeys(
        ("name", "path", "type", "format", "capacity", "allocation", "physical", "encryption", "backing", "state")
    )
    known: dict[str, Json] = {"name": one.name, "path": _path(one), "guests": None}
    try:
        info = one.info()
    except LibvirtError:
        return empty | known
    return empty | known | {"type": info.word, "capacity": info.capacity, "allocation": info.allocation}


def _path(one: Volume) -> str:
    try:
        return one.path()
    except LibvirtError:
        return "unknown"


def _sizes(one: Volume) -> tuple[str, str, str]:
    try:
        info = one.info()
    except LibvirtError:
        return ("unknown", "unknown", "unknown")
    return info.word, capacity(info.capacity, 2), capacity(info.allocation, 2)


def run_info(context: Context, args: Arguments) -> None:
    """Print what a volume is, and its sizes."""
    from guesthouse.client.volumes import PHYSICAL

    found = find(context, args)
    physical = args.has("physical")
    if args.has("json"):
        info = found.info(PHYSICAL if physical else 0)
        taken = "physical" if physical else "allocation"
        context.dump(
            {
                "name": found.name, "pool": found.pool, "type": info.word, "capacity": info.capacity,
                taken: info.allocation,
            }
        )  # fmt: skip
        return
    context.print(f"{'Name:':<15} {found.name}\n")
    info = found.info(PHYSICAL if physical else 0)
    rows = [("Type:", info.word)]
    for title, size in (("Capacity:", info.capacity), ("Physical:" if physical else "Allocation:", info.allocation)):
        rows.append((title, f"{size} bytes" if args.has("bytes") else capacity(size, 2)))
    context.print("".join(f"{title:<15} {value}\n" for title, value in rows))
    if context.ours:
        _print_guests(context, found)


def _print_guests(context: Context, found: Volume) -> None:
    """Who has it, as its document tells; another daemon's does not."""
    from guesthouse.cli import xmltool

    root = xmltool.parse(found.xml(), indented=False)
    for guest in root.iter("{urn:guesthouse:volume:users:1}guest"):
        running = "running" if guest.get("running") == "yes" else "defined"
        context.print(f"{'Guest:':<15} {guest.get('name')} ({guest.get('target')}, {running})\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a volume's document."""
    print_document(context, args, find(context, args).xml())


def run_path(context: Context, args: Arguments) -> None:
    """Print where a volume is."""
    _one(context, args, "path", find(context, args).path())


def run_key(context: Context, args: Arguments) -> None:
    """Print a volume's key."""
    _one(context, args, "key", find(context, args).key)


def run_name(context: Context, args: Arguments) -> None:
    """Print a volume's name."""
    _one(context, args, "name", find(context, args, pool_option=None).name)


def run_pool(context: Context, args: Arguments) -> None:
    """Print the pool that a volume is in."""
    parent = _parent(context, find(context, args, pool_option=None))
    _one(context, args, "pool", parent.uuid if args.has("uuid") else parent.name)


def _parent(context: Context, found: Volume) -> Pool:
    with context.during("failed to get parent pool"):
        return found.parent()


def _one(context: Context, args: Arguments, what: str, value: str) -> None:
    if args.has("json"):
        context.dump({what: value})
    else:
        context.print(f"{value}\n")


_VOLUME_SHAPE = (
    "[{name, path, type, format: text or null, capacity, allocation, physical: bytes, encryption: text or null, "
    "backing: path or null, state: text or null, guests: [{name, uuid, target, running}]}]"
)

COMMANDS = (
    Command(
        "vol-list",
        "volume",
        "list the volumes of a pool",
        run_list,
        (pool(), flag("details", "with types and sizes")),
        description="List the volumes of an active pool, and which guests have them.",
        shape=_VOLUME_SHAPE,
    ),
    Command(
        "vol-info",
        "volume",
        "print what a volume is",
        run_info,
        (volume(), pool_of_it(), flag("bytes", "sizes in bytes"), flag("physical", "how long it is on its storage")),
        description="Print the type and the sizes of a volume, and which guests have it.",
        shape="{name, pool, type, capacity, allocation or physical: bytes}",
    ),
    Command(
        "vol-dumpxml",
        "volume",
        "print a volume as XML",
        run_dumpxml,
        (
            volume(),
            pool_of_it(),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print the document of a volume.",
        shape=SHAPE,
    ),
    Command(
        "vol-path",
        "volume",
        "print where a volume is",
        run_path,
        (volume("the volume: its name or key"), pool_of_it()),
        description="Print the path of a volume.",
        shape="{path}",
    ),
    Command(
        "vol-key",
        "volume",
        "print a volume's key",
        run_key,
        (volume("the volume: its name or path"), pool_of_it()),
        description="Print what identifies a volume on the host.",
        shape="{key}",
    ),
    Command(
        "vol-name",
        "volume",
        "print a volume's name",
        run_name,
        (volume("the volume: its key or path"),),
        description="Print the name of a volume.",
        shape="{name}",
    ),
    Command(
        "vol-pool",
        "volume",
        "print the pool that a volume is in",
        run_pool,
        (volume("the volume: its key or path"), flag("uuid", "the pool's UUID")),
        description="Print the name of the pool that a volume is in.",
        shape="{pool}",
    ),
)
