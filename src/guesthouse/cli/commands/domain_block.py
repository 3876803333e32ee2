"""A guest's disks at work: `blockresize`, and groups of limits."""

from __future__ import annotations

from guesthouse.cli.commands.domain_tuning import LIMITS, limit_options, limits
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.tuned import IMPACT, impact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: `virDomainBlockResizeFlags`.
BYTES, CAPACITY = 1, 2
XML_INACTIVE = 2


def run_blockresize(context: Context, args: Arguments) -> None:
    """Change the size of a disk of a running guest."""
    from guesthouse.cli.scaled import scaled
    from guesthouse.client import tuning

    if args.has("size") == args.has("capacity"):
        raise CommandError(
            "Options --size and --capacity are mutually exclusive"
            if args.has("size")
            else "either --size or --capacity is required"
        )
    path, flags, size = args.need("path"), CAPACITY, 0
    if args.has("size"):
        size = scaled(args.need("size"), "size", 1024)
        flags = 0 if size % 1024 == 0 else BYTES
        size //= 1 if flags else 1024
    found = context.domain(args.need("domain"))
    with context.during(f"Failed to resize block device '{path}'"):
        tuning.resize(found, path, size, flags)
    context.remark(f"Block device '{path}' is resized")


def run_group_set(context: Context, args: Arguments) -> None:
    """Make a group of limits, or change one."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    params = limits(args)
    with context.during("Unable to set throttle group"):
        tuning.set_throttle_group(found, args.need("group-name"), params, flags)
    context.remark("Throttle group set successfully\n")


def run_group_del(context: Context, args: Arguments) -> None:
    """Take a group of limits away."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    tuning.remove_throttle_group(found, args.need("group-name"), flags)
    context.remark("Throttle group deleted successfully\n")


def _groups(context: Context, args: Arguments) -> dict[str, dict[str, str]]:
    """The groups of a guest's definition: name to limits."""
    from guesthouse.cli.xmltool import definition

    found = context.domain(args.need("domain"))
    root = definition(context, found, XML_INACTIVE if args.has("inactive") else 0)
    groups = {}
    for group in root.findall("./throttlegroups/throttlegroup"):
        values = {child.tag: (child.text or "").strip() for child in group}
        groups[values.pop("group_name", "")] = values
    return groups


def run_group_info(context: Context, args: Arguments) -> None:
    """Print the limits of a group."""
    known = _groups(context, args).get(args.need("group-name"), {})
    order = [name.replace("-", "_") for name in LIMITS]
    values = {name: known[name] for name in order if name in known}
    if args.has("json"):
        context.dump({name: int(value) for name, value in values.items()})
        return
    for name, value in values.items():
        context.print(f"{name:<15}: {value}\n")


def run_group_list(context: Context, args: Arguments) -> None:
    """Print the names of a guest's groups of limits."""
    names = list(_groups(context, args))
    if args.has("json"):
        context.dump([*names])
    else:
        context.table(("Name",), [(name,) for name in names])


_GROUP = Option("group-name", "string", "the group", required=True, positional=True)
_INACTIVE = flag("inactive", "of the stored definition")

COMMANDS = (
    Command(
        "blockresize",
        "domain",
        "change the size of a disk",
        run_blockresize,
        (
            domain(),
            Option("path", "string", "the disk: its target or its image", required=True, positional=True),
            Option("size", "int", "how large, in KiB or with a unit", positional=True),
            flag("capacity", "as large as the block device under it"),
        ),
    ),
    Command(
        "domthrottlegroupset",
        "domain",
        "make or change a group of limits of disks",
        run_group_set,
        (domain(), _GROUP, *limit_options(), *IMPACT),
    ),
    Command(
        "domthrottlegroupdel",
        "domain",
        "take a group of limits of disks away",
        run_group_del,
        (domain(), _GROUP, *IMPACT),
    ),
    Command(
        "domthrottlegroupinfo",
        "domain",
        "print a group of limits of disks",
        run_group_info,
        (domain(), _GROUP, _INACTIVE),
        shape="{NAME: number}",
    ),
    Command(
        "domthrottlegrouplist",
        "domain",
        "print the groups of limits of a guest's disks",
        run_group_list,
        (domain(), _INACTIVE),
        shape="[text]",
    ),
)
