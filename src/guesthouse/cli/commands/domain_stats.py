"""`domstats`: all the figures of some guests or of all, in one call."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.params import shown, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: Option to group of statistics (`virDomainStatsTypes`).
GROUPS = {
    "state": 1 << 0,
    "cpu-total": 1 << 1,
    "balloon": 1 << 2,
    "vcpu": 1 << 3,
    "interface": 1 << 4,
    "block": 1 << 5,
    "perf": 1 << 6,
    "iothread": 1 << 7,
    "memory": 1 << 8,
    "dirtyrate": 1 << 9,
    "vm": 1 << 10,
}

#: Option to filter or way of working (`virConnectGetAllDomainStatsFlags`).
FLAGS = {
    "list-active": 1 << 0,
    "list-inactive": 1 << 1,
    "list-persistent": 1 << 2,
    "list-transient": 1 << 3,
    "list-running": 1 << 4,
    "list-paused": 1 << 5,
    "list-shutoff": 1 << 6,
    "list-other": 1 << 7,
    "nowait": 1 << 29,
    "backing": 1 << 30,
    "enforce": 1 << 31,
}


def run_domstats(context: Context, args: Arguments) -> None:
    """Print the statistics."""
    from guesthouse.client.host import all_stats

    groups = sum(bit for name, bit in GROUPS.items() if args.has(name))
    flags = sum(bit for name, bit in FLAGS.items() if args.has(name))
    domains = [context.domain(name) for name in args.words("domain")]
    records = all_stats(context.connection, domains, groups, flags)
    if args.has("json"):
        context.dump(
            [
                {"name": found.name, "uuid": found.uuid, "stats": {one.field: value(one) for one in params}}
                for found, params in records
            ]
        )
        return
    pages = []
    for found, params in records:
        lines = "".join(f"  {one.field}={shown(one)}\n" for one in params)
        pages.append(f"Domain: '{found.name}'\n{lines}")
    context.print("\n".join(pages))


COMMANDS = (
    Command(
        "domstats",
        "monitor",
        "print the figures of guests",
        run_domstats,
        (
            flag("state", "state and reason"),
            flag("cpu-total", "CPU time of the whole guest"),
            flag("balloon", "memory that it has"),
            flag("vcpu", "its vCPUs"),
            flag("interface", "its network interfaces"),
            flag("block", "its disks"),
            flag("perf", "performance counters"),
            flag("iothread", "its I/O threads"),
            flag("memory", "memory bandwidth"),
            flag("dirtyrate", "how fast it writes its memory"),
            flag("vm", "what QEMU itself counts"),
            flag("list-active", "only of those that run"),
            flag("list-inactive", "only of those that are off"),
            flag("list-persistent", "only of those with a stored definition"),
            flag("list-transient", "only of those without a stored definition"),
            flag("list-running", "only of those whose CPUs run"),
            flag("list-paused", "only of those that are paused"),
            flag("list-shutoff", "only of those that are shut off"),
            flag("list-other", "only of those in any other state"),
            flag("raw", "as they come"),
            flag("enforce", "fail where a group of figures is not to be had"),
            flag("backing", "with the images behind the disks"),
            flag("nowait", "only what can be told at once"),
            Option("domain", "argv", "the guests (else all)", positional=True, complete="domain"),
        ),
        description="Print the figures of some guests, or of all; all groups of figures unless some are named.",
        shape="[{name, uuid, stats: {field: value}}]",
    ),
)
