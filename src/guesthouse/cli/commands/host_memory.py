"""The host's huge pages, the merging of equal pages, and its sleep: `freepages`, `allocpages`, `node-memory-tune`,
`nodesuspend`.
"""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.numerals import LONG_MAX
from guesthouse.client import host, host_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element

#: `virNodeSuspendTarget`.
_TARGETS = ("mem", "disk", "hybrid")

#: Options and the parameters that they set.
_MERGING = ("shm-pages-to-scan", "shm-sleep-millisecs", "shm-merge-across-nodes")
_UINT_MAX = 2**32 - 1


def run_freepages(context: Context, args: Arguments) -> None:
    """Print how many pages are free."""
    args.exclusive("all", "cellno")
    size = _page_size(args)
    if args.has("all"):
        _free_everywhere(context, args, size)
        return
    if not args.has("cellno"):
        raise CommandError("missing cellno argument")
    cell = args.number("cellno") or 0
    if cell < -1:
        raise CommandError("cell number must be non-negative integer or -1")
    if size is None:
        raise CommandError("missing pagesize argument")
    counts = host.free_pages(context.connection, [size], cell)
    if not counts:
        raise CommandError(f"Could not get count of free {size}KiB pages, no data returned")
    if args.has("json"):
        context.dump({"cells": [_cell(cell, [size], counts)]})
    else:
        context.print(f"{size}KiB: {counts[0]}\n")


def _page_size(args: Arguments) -> int | None:
    """In KiB."""
    from guesthouse.cli.scaled import scaled

    text = args.text("pagesize")
    return None if text is None else -(-scaled(text, "pagesize", 1024, _UINT_MAX * 1024) // 1024)


def _free_everywhere(context: Context, args: Arguments, size: int | None) -> None:
    root = _capabilities(context)
    sizes = [size] if size is not None else _sizes(root)
    told: list[Json] = []
    complete = True
    for cell in _cells(root):
        counts = host.free_pages(context.connection, sizes, cell)
        if len(counts) < len(sizes):
            context.error(f"Did not get all free page data for node {cell}")
            complete = False
            continue
        told.append(_cell(cell, sizes, counts))
        if not args.has("json"):
            lines = [f"{kib}KiB: {count}\n" for kib, count in zip(sizes, counts, strict=True)]
            context.print(f"Node {cell}:\n{''.join(lines)}\n")
    if args.has("json"):
        context.dump({"cells": told})
    if not complete:
        raise CommandError


def _cell(cell: int, sizes: list[int], counts: list[int]) -> Json:
    pages: list[Json] = [{"kib": kib, "free": count} for kib, count in zip(sizes, counts, strict=False)]
    return {"cell": cell, "pages": pages}


def _capabilities(context: Context) -> Element:
    from guesthouse.cli.xmltool import parse

    with context.during("unable to get node capabilities"):
        return parse(host.capabilities(context.connection))


def _cells(root: Element) -> list[int]:
    return [int(cell.get("id", "0")) for cell in root.findall("./host/topology/cells/cell")]


def _sizes(root: Element) -> list[int]:
    for path in ("./host/cpu/pages", "./host/topology/cells/cell/pages"):
        found = {int(pages.get("size", "0")) for pages in root.findall(path)}
        if found:
            return sorted(found)
    raise CommandError("could not get information about supported page sizes")


def run_allocpages(context: Context, args: Arguments) -> None:
    """Change how many huge pages the kernel keeps."""
    args.exclusive("all", "cellno")
    cell = args.number("cellno")
    size = _page_size(args) or 0
    count = args.unsigned("pagecount", 2**64 - 1) or 0
    flags = 0 if args.has("add") else host_memory.SET
    for one in _cells(_capabilities(context)) if args.has("all") else [-1 if cell is None else cell]:
        host_memory.allocate_pages(context.connection, size, count, one, flags)


def run_node_memory_tune(context: Context, args: Arguments) -> None:
    """Print or change how the kernel looks for equal pages."""
    from guesthouse.cli.params import shown, value
    from guesthouse.client.params import uint_param

    given = {name: args.unsigned(name) for name in _MERGING}
    params = [uint_param(name.replace("-", "_"), number) for name, number in given.items() if number is not None]
    if params:
        with context.during("Unable to change memory parameters"):
            host_memory.set_parameters(context.connection, params)
        return
    with context.during("Unable to get number of memory parameters"):
        found = host_memory.parameters(context.connection)
    if args.has("json"):
        context.dump({one.field: value(one) for one in found})
    elif found:
        context.print("Shared memory:\n" + "".join(f"\t{one.field:<15} {shown(one)}\n" for one in found))


def run_nodesuspend(context: Context, args: Arguments) -> None:
    """Put the host to sleep."""
    duration = args.number("duration", -LONG_MAX - 1, LONG_MAX) or 0
    if args.need("target") not in _TARGETS:
        raise CommandError("Invalid target")
    if duration < 0:
        raise CommandError("Invalid duration")
    with context.during("The host was not suspended"):
        host_memory.suspend(context.connection, _TARGETS.index(args.need("target")), duration)


COMMANDS = (
    Command(
        "allocpages",
        "host",
        "change how many huge pages the kernel keeps",
        run_allocpages,
        (
            Option("pagesize", "int", "the pages' size in KiB, or with a unit", required=True, positional=True),
            Option("pagecount", "int", "how many", required=True, positional=True),
            Option("cellno", "int", "in this NUMA cell", loose=True),
            flag("add", "so many more"),
            flag("all", "in every NUMA cell"),
        ),
    ),
    Command(
        "freepages",
        "host",
        "print how many pages of memory are free",
        run_freepages,
        (
            Option("cellno", "int", "in this NUMA cell; -1 is all together", loose=True),
            Option("pagesize", "int", "of this size in KiB, or with a unit", loose=True),
            flag("all", "in every NUMA cell"),
        ),
        shape="{cells: [{cell, pages: [{kib, free}]}]}",
    ),
    Command(
        "node-memory-tune",
        "host",
        "print or change how the kernel looks for equal pages",
        run_node_memory_tune,
        (
            Option("shm-pages-to-scan", "int", "how many pages it looks at before it sleeps", loose=True),
            Option("shm-sleep-millisecs", "int", "how long it sleeps, in milliseconds", loose=True),
            Option("shm-merge-across-nodes", "int", "1 if pages of different NUMA cells become one", loose=True),
        ),
        shape="{parameter: value}",
    ),
    Command(
        "nodesuspend",
        "host",
        "put the host to sleep for some time",
        run_nodesuspend,
        (
            Option(
                "target", "string", "mem, disk or hybrid", required=True, positional=True, complete="mem disk hybrid"
            ),
            Option("duration", "int", "for so many seconds, at least 60", required=True, positional=True),
        ),
    ),
)
