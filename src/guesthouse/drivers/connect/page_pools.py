"""How many huge pages the kernel keeps for guests: changed on demand.

Texts and rules are libvirt's, of `virNodeAllocPages`. The kernel looks for the pages while it is told, which may take
long: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guesthouse.errors import (
    Code,
    InternalError,
    LibvirtError,
    OperationFailedError,
    OperationUnsupportedError,
    Origin,
)
from guesthouse.host.memory import base_page_size, node_numbers
from guesthouse.host.sysfs import HostTree, read_int


def allocate(tree: HostTree, wanted: Sequence[tuple[int, int]], start: int, count: int, *, add: bool) -> int:
    """Have so many (or with `add` so many more) pages of each size in KiB in each cell from `start` on; -1 is anywhere.

    Returns how many pools were looked at. Raises `LibvirtError` for a size or a cell that does not exist, and where the
    kernel did not find as many.
    """
    nodes = node_numbers(tree)
    last = max(nodes, default=0)
    if start > last:
        raise InternalError(f"start cell {start} out of range (0-{last})", domain=Origin.NONE)
    done = 0
    for cell in range(start, min(last, start + count - 1) + 1):
        for size, pages in wanted:
            _resize(_pool(tree, cell if nodes else -1, size), pages, add=add)
            done += 1
    return done


def _pool(tree: HostTree, cell: int, size: int) -> Path:
    if size == base_page_size():
        raise OperationUnsupportedError("system pages pool can't be modified", domain=Origin.NONE)
    folder = tree.sys / "kernel/mm/hugepages" if cell == -1 else tree.nodes / f"node{cell}/hugepages"
    found = folder / f"hugepages-{size}kB/nr_hugepages"
    if not found.exists():
        if cell not in (-1, *node_numbers(tree)):
            raise OperationFailedError(f"NUMA node {cell} is not available", domain=Origin.NONE)
        where = "" if cell == -1 else f" on node {cell}"
        raise OperationFailedError(f"page size {size} is not available{where}", domain=Origin.NONE)
    return found


def _resize(pool: Path, pages: int, *, add: bool) -> None:
    there = read_int(pool) or 0
    wanted = there + pages if add else pages
    if wanted == there:
        return
    try:
        pool.write_text(str(wanted))
    except OSError as error:
        raise LibvirtError(
            f"Unable to write to: {pool}: {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.NONE
        ) from error
    found = read_int(pool) or 0
    if found != wanted:
        raise OperationFailedError(
            f"Unable to allocate {wanted} pages. Allocated only {found}",
            domain=Origin.NONE,
            hint="the host's memory is too full or too scattered",
        )
