"""Which pools there are, and what is known of one: `pool-list`, `pool-info`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.pools import TYPES, find, pool
from guesthouse.cli.words import capacity, yes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.pools import Pool, PoolInfo

#: Option to filter bit (`virConnectListAllStoragePoolsFlags`).
FILTERS = {"autostart": 16, "no-autostart": 32, "persistent": 4, "transient": 8}
INACTIVE, ACTIVE = 1, 2
_FIRST_TYPE_BIT = 6


def run_list(context: Context, args: Arguments) -> None:
    """Print the pools that pass the filters."""
    from guesthouse.client.pools import pools

    flags = _flags(args)
    with context.during("Failed to list pools"):
        found = pools(context.connection, flags)
    found.sort(key=lambda one: one.name.lower())
    if args.has("json"):
        context.dump([_object(one) for one in found])
    elif args.has("uuid") or args.has("name"):
        for one in found:
            words = ([f"{one.uuid:<36}"] if args.has("uuid") else []) + ([one.name] if args.has("name") else [])
            context.print(" ".join(words) + "\n")
    elif args.has("details"):
        heading = ("Name", "State", "Autostart", "Persistent", "Capacity", "Allocation", "Available")
        context.table(heading, [_detailed(one) for one in found])
    else:
        rows = [(one.name, "active" if one.is_active() else "inactive", yes(one.autostart())) for one in found]
        context.table(("Name", "State", "Autostart"), rows)


def _flags(args: Arguments) -> int:
    from guesthouse.client.pools import TYPES as KINDS

    args.exclusive("all", "inactive")
    args.exclusive("details", "uuid")
    args.exclusive("details", "name")
    flags = INACTIVE if args.has("inactive") else ACTIVE
    if args.has("all"):
        flags = ACTIVE | INACTIVE
    flags |= sum(bit for name, bit in FILTERS.items() if args.has(name))
    for kind in (args.text("type") or "").split(",") if args.has("type") else ():
        if kind not in KINDS:
            raise CommandError(f"Invalid pool type '{kind}'")
        flags |= 1 << (_FIRST_TYPE_BIT + KINDS.index(kind))
    return flags


def _object(one: Pool) -> dict[str, Json]:
    info = one.info()
    return {
        "name": one.name,
        "uuid": one.uuid,
        "state": info.word,
        "autostart": one.autostart(),
        "persistent": one.is_persistent(),
        "capacity": info.capacity if info.measured else None,
        "allocation": info.allocation if info.measured else None,
        "available": info.available if info.measured else None,
    }


def _detailed(one: Pool) -> tuple[str, ...]:
    info = one.info()
    return (one.name, info.word, yes(one.autostart()), yes(one.is_persistent()), *_sizes(info))


def _sizes(info: PoolInfo) -> tuple[str, str, str]:
    if not info.measured:
        return ("-", "-", "-")
    return (capacity(info.capacity, 2), capacity(info.allocation, 2), capacity(info.available, 2))


def run_info(context: Context, args: Arguments) -> None:
    """Print what is known of a pool."""
    found = find(context, args)
    if args.has("json"):
        context.dump(_object(found))
        return
    info = found.info()
    lines = [
        ("Name:", found.name),
        ("UUID:", found.uuid),
        ("State:", info.word),
        ("Persistent:", yes(found.is_persistent())),
        ("Autostart:", yes(found.autostart())),
    ]
    if info.measured:
        sizes = _sizes(info)
        if args.has("bytes"):
            sizes = (str(info.capacity), str(info.allocation), str(info.available))
        lines += zip(("Capacity:", "Allocation:", "Available:"), sizes, strict=True)
    context.print("".join(f"{name:<15} {value}\n" for name, value in lines))


_SHAPE = "{name, uuid, state, autostart, persistent, capacity: bytes or null, allocation, available}"

COMMANDS = (
    Command(
        "pool-list",
        "pool",
        "list the storage pools",
        run_list,
        (
            flag("inactive", "those that are not active"),
            flag("all", "those that are active and those that are not"),
            flag("transient", "those that are forgotten when they stop"),
            flag("persistent", "those that have a definition"),
            flag("autostart", "those that start with the daemon"),
            flag("no-autostart", "those that do not"),
            Option("type", "string", "those of these types, with commas between them", loose=True, complete=TYPES),
            flag("details", "with their sizes, and whether they are persistent"),
            flag("uuid", "print their UUIDs only"),
            flag("name", "print their names only"),
        ),
        description="List the storage pools that are active, or those that options ask for.",
        shape=f"[{_SHAPE}]",
    ),
    Command(
        "pool-info",
        "pool",
        "print what is known of a pool",
        run_info,
        (pool(), flag("bytes", "print sizes in bytes")),
        description="Print the state of a pool, whether it is persistent and started with the daemon, and its sizes.",
        shape=_SHAPE,
    ),
)
