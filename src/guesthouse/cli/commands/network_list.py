"""Which networks there are, and what is known of one: `net-list`, `net-info`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, flag
from guesthouse.cli.networks import find, network
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.network import Network

#: Option to filter bit (`virConnectListAllNetworksFlags`).
FILTERS = {"persistent": 4, "transient": 8, "autostart": 16, "no-autostart": 32}
INACTIVE, ACTIVE = 1, 2


def run_list(context: Context, args: Arguments) -> None:
    """Print the networks that pass the filters."""
    from guesthouse.client.network import networks

    if sum(args.has(name) for name in ("table", "name", "uuid")) > 1:
        raise CommandError("Only one argument from --table, --name and --uuid may be specified.")
    flags = INACTIVE if args.has("inactive") else ACTIVE
    if args.has("all"):
        flags = ACTIVE | INACTIVE
    flags |= sum(bit for name, bit in FILTERS.items() if args.has(name))
    with context.during("Failed to list networks"):
        found = networks(context.connection, flags)
    found.sort(key=lambda one: (not one.is_active(), one.name.lower()))
    if args.has("json"):
        context.dump(
            [
                {
                    "name": one.name,
                    "uuid": one.uuid,
                    "active": one.is_active(),
                    "autostart": one.autostart(),
                    "persistent": one.is_persistent(),
                    "title": _title(one) or None,
                }
                for one in found
            ]
        )
    elif args.has("uuid") or args.has("name"):
        context.print("".join(f"{one.uuid if args.has('uuid') else one.name}\n" for one in found))
    else:
        titles = args.has("title")
        heading = ("Name", "State", "Autostart", "Persistent", *(("Title",) if titles else ()))
        context.table(heading, [_row(one, titles=titles) for one in found])


def _row(one: Network, *, titles: bool) -> tuple[str, ...]:
    state = "active" if one.is_active() else "inactive"
    title = (_title(one),) if titles else ()
    return (one.name, state, _word(one.autostart()), _word(one.is_persistent()), *title)


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _title(one: Network) -> str:
    from guesthouse.cli import xmltool

    node = xmltool.parse(one.xml(), indented=False).find("title")
    return (node.text or "") if node is not None else ""


def run_info(context: Context, args: Arguments) -> None:
    """Print what is known of a network."""
    found = find(context, args)
    active, persistent, autostart = found.is_active(), found.is_persistent(), found.autostart()
    try:
        bridge = found.bridge()
    except LibvirtError:
        bridge = ""
    if args.has("json"):
        context.dump(
            {
                "name": found.name,
                "uuid": found.uuid,
                "active": active,
                "persistent": persistent,
                "autostart": autostart,
                "bridge": bridge or None,
            }
        )
        return
    lines = [
        ("Name:", found.name),
        ("UUID:", found.uuid),
        ("Active:", _word(active)),
        ("Persistent:", _word(persistent)),
        ("Autostart:", _word(autostart)),
        *([("Bridge:", bridge)] if bridge else []),
    ]
    context.print("".join(f"{name:<15} {value}\n" for name, value in lines))


COMMANDS = (
    Command(
        "net-list",
        "network",
        "list the networks",
        run_list,
        (
            flag("inactive", "those that are not active"),
            flag("all", "those that are active and those that are not"),
            flag("persistent", "those that have a definition"),
            flag("transient", "those that are forgotten when they stop"),
            flag("autostart", "those that start with the daemon"),
            flag("no-autostart", "those that do not"),
            flag("uuid", "print their UUIDs only"),
            flag("name", "print their names only"),
            flag("table", "print a table, as without an option"),
            flag("title", "and their titles"),
        ),
        description="List the networks that are active, or those that options ask for.",
        shape="[{name, uuid, active, autostart, persistent, title: text or null}]",
    ),
    Command(
        "net-info",
        "network",
        "print what is known of a network",
        run_info,
        (network(),),
        description="Print whether a network is active, persistent and started with the daemon, and its bridge.",
        shape="{name, uuid, active, persistent, autostart, bridge: text or null}",
    ),
)
