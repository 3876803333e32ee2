"""The host's memory: how much there is and is free, in pages of which sizes, on which NUMA node, and page merging.

Sources: `/proc/meminfo` (proc(5)), `/sys/devices/system/node`, `/sys/kernel/mm/hugepages`, `/sys/kernel/mm/ksm`
(the kernel's `Documentation/admin-guide/mm`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.host.cpu import LogicalCpu, read_cpu_set, read_logical_cpu
from guesthouse.host.sysfs import HostTree, numbered, read_int, read_list, read_text

if TYPE_CHECKING:
    from pathlib import Path

#: Files of `/sys/kernel/mm/ksm` that libvirt reports, in its order.
_KSM_FILES: Final = (
    "pages_to_scan",
    "sleep_millisecs",
    "pages_shared",
    "pages_sharing",
    "pages_unshared",
    "pages_volatile",
    "full_scans",
    "merge_across_nodes",
)


def parse_meminfo(text: str) -> dict[str, int]:
    """Name to KiB of `/proc/meminfo`, or of a node's `meminfo`, whose lines begin with `Node N`."""
    values: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and words and words[0].isdigit():
            values[name.split()[-1]] = int(words[0])
    return values


def read_meminfo(tree: HostTree, node: int | None = None) -> dict[str, int] | None:
    """`parse_meminfo` of the host's or of one node's file; None where there is no such node."""
    path = tree.proc / "meminfo" if node is None else tree.nodes / f"node{node}" / "meminfo"
    text = read_text(path)
    return parse_meminfo(text) if text is not None else None


@dataclass(frozen=True, slots=True)
class PagePool:
    """Pages of one size: `size` in KiB, how many there are and how many of them are free."""

    size: int
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class NumaCell:
    """A NUMA node. `memory` is in KiB; `distances` leads from node to distance, 10 for itself."""

    number: int
    memory: int
    pages: tuple[PagePool, ...]
    distances: dict[int, int]
    cpus: tuple[LogicalCpu, ...]


def base_page_size() -> int:
    """The size of the host's smallest page, in KiB."""
    return os.sysconf("SC_PAGESIZE") // 1024


def page_sizes(tree: HostTree) -> list[int]:
    """The sizes of pages that the host offers, in KiB, ascending."""
    return sorted({base_page_size(), *(pool.size for pool in _huge_pools(tree.sys / "kernel/mm/hugepages"))})


def _huge_pools(directory: Path) -> list[PagePool]:
    pools = []
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return []
    for entry in entries:
        size = entry.name.removeprefix("hugepages-").removesuffix("kB")
        if size.isdigit():
            total, free = read_int(entry / "nr_hugepages"), read_int(entry / "free_hugepages")
            pools.append(PagePool(int(size), total or 0, free or 0))
    return sorted(pools, key=lambda pool: pool.size)


def read_pages(tree: HostTree, node: int | None = None) -> list[PagePool] | None:
    """The pools of the host's pages, or of one node's; None where there is no such node.

    Memory that is set aside for huge pages does not count as small pages.
    """
    memory = read_meminfo(tree, node)
    if memory is None:
        return None
    huge = _huge_pools(tree.sys / "kernel/mm/hugepages" if node is None else tree.nodes / f"node{node}" / "hugepages")
    size = base_page_size()
    reserved = sum(pool.size * pool.total for pool in huge)
    total = max(memory.get("MemTotal", 0) - reserved, 0) // size
    return [PagePool(size, total, memory.get("MemFree", 0) // size), *huge]


def node_numbers(tree: HostTree) -> list[int]:
    """The numbers of the NUMA nodes; empty on a kernel without NUMA."""
    listed = read_list(tree.nodes / "online")
    return listed if listed is not None else [number for number, _ in numbered(tree.nodes, "node")]


def read_cell(tree: HostTree, node: int) -> NumaCell:
    """One NUMA node."""
    directory = tree.nodes / f"node{node}"
    memory = read_meminfo(tree, node) or {}
    online = set(read_cpu_set(tree).online)
    cpus = [number for number in read_list(directory / "cpulist") or [] if number in online]
    distances = (read_text(directory / "distance") or "").split()
    return NumaCell(
        node,
        memory.get("MemTotal", 0),
        tuple(read_pages(tree, node) or ()),
        dict(zip(node_numbers(tree), (int(distance) for distance in distances), strict=False)),
        tuple(read_logical_cpu(tree, number) for number in cpus),
    )


def read_cells(tree: HostTree) -> list[NumaCell]:
    """All NUMA nodes; a kernel without NUMA has one, with everything."""
    numbers = node_numbers(tree)
    if numbers:
        return [read_cell(tree, number) for number in numbers]
    cpus = tuple(read_logical_cpu(tree, number) for number in read_cpu_set(tree).online)
    memory = (read_meminfo(tree) or {}).get("MemTotal", 0)
    return [NumaCell(0, memory, tuple(read_pages(tree) or ()), {}, cpus)]


def read_merging(tree: HostTree) -> dict[str, int]:
    """The state of kernel same-page merging, by the kernel's file names; what this kernel lacks is left out."""
    values = ((name, read_int(tree.sys / "kernel/mm/ksm" / name)) for name in _KSM_FILES)
    return {name: value for name, value in values if value is not None}
