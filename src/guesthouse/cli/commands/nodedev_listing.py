"""The devices of the host: `nodedev-list`, `nodedev-dumpxml`, `nodedev-info`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.nodedevs import device, find, find_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

_COMPUTER = "computer"


def tree(parents: dict[str, str | None], name: str = _COMPUTER, indent: str = "", mark: str = "") -> Iterator[str]:
    """The lines of virsh's tree from one device on; `parents` is in the order in which they are printed.

    `mark` is empty for the root, `|` for a device that others come after, and a space for the last.
    """
    yield f"{indent}+- {name}" if mark else f"{indent}{name}"
    inner = f"{indent}{mark} " if mark else indent
    children = [one for one, parent in parents.items() if parent == name]
    if children:
        yield f"{inner}  |"
    for child in children:
        yield from tree(parents, child, f"{inner}  ", " " if child == children[-1] else "|")
    if not children and mark != "|":
        yield inner


def run_list(context: Context, args: Arguments) -> None:
    """Print the devices."""
    from guesthouse.client.nodedev import devices

    flags = _filter(args)
    with context.during("Failed to list node devices"):
        found = sorted(devices(context.connection, flags), key=lambda one: one.name)
    if args.has("tree") or args.has("json"):
        parents = {one.name: one.parent() if one.name != _COMPUTER else None for one in found}
        if args.has("json"):
            context.dump([{"name": name, "parent": parent} for name, parent in parents.items()])
        else:
            context.print("".join(f"{line}\n" for line in tree(parents)))
    else:
        context.print("".join(f"{one.name}\n" for one in found))


def _filter(args: Arguments) -> int:
    from guesthouse.client.nodedev import ACTIVE, CAPABILITIES, INACTIVE, PERSISTENT, TRANSIENT

    inactive, persistent, transient = args.has("inactive"), args.has("persistent"), args.has("transient")
    cap = args.text("cap")
    if inactive and args.has("all"):
        raise CommandError("Option --all is incompatible with --inactive")
    if transient and (persistent or inactive):
        raise CommandError("Option --transient is incompatible with --persistent and --inactive")
    if args.has("tree") and (cap is not None or inactive or persistent or transient):
        raise CommandError("Option --tree is incompatible with --cap, --inactive, --persistent and --transient")
    flags = 0
    for name in cap.split(",") if cap else []:
        if name not in CAPABILITIES:
            raise CommandError("Invalid capability type")
        flags |= 1 << CAPABILITIES.index(name)
    flags |= (INACTIVE if inactive or args.has("all") else 0) | (0 if inactive else ACTIVE)
    return flags | (PERSISTENT if persistent else 0) | (TRANSIENT if transient else 0)


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print what a device is."""
    from guesthouse.client.nodedev import XML_INACTIVE

    print_document(context, args, find_any(context, args).xml(XML_INACTIVE if args.has("inactive") else 0))


def run_info(context: Context, args: Arguments) -> None:
    """Print the state of a device."""
    found = find(context, args)
    parent = found.parent()
    states = {"active": found.is_active(), "persistent": found.is_persistent(), "autostart": found.autostart()}
    if args.has("json"):
        context.dump({"name": found.name, "parent": parent, **states})
        return
    rows = [("Name:", found.name), ("Parent:", parent or "")]
    rows += [(f"{name.capitalize()}:", "yes" if state else "no") for name, state in states.items()]
    context.print("".join(f"{name:<15} {value}\n" for name, value in rows))


COMMANDS = (
    Command(
        "nodedev-list",
        "nodedev",
        "list the devices of the host",
        run_list,
        (
            flag("tree", "as a tree"),
            Option("cap", "string", "those that are or can this: names, separated by commas", loose=True),
            flag("inactive", "those that are defined and not there"),
            flag("all", "those too"),
            flag("persistent", "those that are defined"),
            flag("transient", "those that are not defined"),
        ),
        description="List the devices of the host by name.",
        shape="[{name, parent: name or null}]",
    ),
    Command(
        "nodedev-dumpxml",
        "nodedev",
        "print what a device of the host is",
        run_dumpxml,
        (
            device("the device: its name, or WWNN,WWPN of a host adapter"),
            flag("inactive", "its definition"),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print what a device is, where it is and what it can do, as XML.",
        shape=SHAPE,
    ),
    Command(
        "nodedev-info",
        "nodedev",
        "print the state of a device of the host",
        run_info,
        (device(),),
        description="Print what a device is on, and whether it is there, defined and started with the host.",
        shape="{name, parent: name or null, active, persistent, autostart}",
    ),
)
