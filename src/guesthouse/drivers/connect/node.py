"""The host in numbers: processors, their times, memory, pages, page merging.

Everything is read from `/proc` and `/sys` when it is asked for, in the event loop: the kernel answers from memory. What
cannot change while the host runs is read once; how processors sit together is read again when one goes on or offline.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, InternalError, InvalidArgumentError, LibvirtError, OperationFailedError, Origin
from guesthouse.host.cpu import (
    CpuCounts,
    CpuSet,
    CpuTimes,
    kvm_max_vcpus,
    read_caches,
    read_counts,
    read_cpu_set,
    read_cpuinfo,
    read_times,
)
from guesthouse.host.memory import node_numbers, read_cells, read_meminfo, read_merging, read_pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.host.cpu import CacheBank
    from guesthouse.host.memory import NumaCell, PagePool
    from guesthouse.host.sysfs import HostTree

#: What `virConnectGetMaxVcpus` has always answered for emulated guests.
_MAX_VCPUS_EMULATED: Final = 16

#: Names of `virNodeMemoryStats`, and the line of `meminfo`; the last two are the host's only, not a cell's.
_MEMORY_STATS: Final = (("total", "MemTotal"), ("free", "MemFree"), ("buffers", "Buffers"), ("cached", "Cached"))
_CELL_MEMORY_STATS: Final = 2


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """`virNodeInfo`: `memory` in KiB, `mhz` of a processor."""

    arch: str
    memory: int
    mhz: int
    counts: CpuCounts


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stays while no processor goes on or offline; a large host has thousands of files about it."""

    cpus: CpuSet
    counts: CpuCounts
    cells: tuple[NumaCell, ...]
    caches: tuple[CacheBank, ...]


class Node:
    """The host."""

    def __init__(self, tree: HostTree) -> None:
        self.tree = tree
        self.arch = os.uname().machine
        self._mhz = read_cpuinfo(tree).mhz
        self._layout: _Layout | None = None

    def info(self) -> NodeInfo:
        """What `virsh nodeinfo` shows."""
        return NodeInfo(self.arch, self._sum("MemTotal"), self._mhz, self.counts())

    def counts(self) -> CpuCounts:
        """How processors sit together."""
        return self._laid_out().counts

    def cells(self) -> list[NumaCell]:
        """The NUMA cells, with the memory and pages that they have now."""
        live = [(cell, self._meminfo(cell.number).get("MemTotal", 0)) for cell in self._laid_out().cells]
        return [replace(cell, memory=memory, pages=tuple(self._pools(cell.number))) for cell, memory in live]

    def caches(self) -> tuple[CacheBank, ...]:
        """The caches from the second level up."""
        return self._laid_out().caches

    def _laid_out(self) -> _Layout:
        cpus = read_cpu_set(self.tree)
        if self._layout is None or self._layout.cpus != cpus:
            tree = self.tree
            self._layout = _Layout(cpus, read_counts(tree), tuple(read_cells(tree)), tuple(read_caches(tree)))
        return self._layout

    def cpus(self) -> CpuSet:
        """The processors that are there, and those that are online."""
        return read_cpu_set(self.tree)

    def cpu_times(self, number: int) -> CpuTimes:
        """What processor `number`, or with -1 all of them, did so far. Raises `LibvirtError` (8) for an unknown one."""
        if number < -1:
            raise InvalidArgumentError("cpuNum only accepts -1 as a negative value")
        try:
            return read_times(self.tree)[number]
        except KeyError:
            raise InvalidArgumentError("Invalid cpuNum in virHostCPUGetStatsLinux", bare=True) from None

    def memory_stats(self, cell: int) -> list[tuple[str, int]]:
        """Name and KiB of the statistics of one NUMA cell, or with -1 of the host. Raises `LibvirtError` (8)."""
        if cell < -1:
            raise InvalidArgumentError("cellNum only accepts -1 as a negative value")
        if cell >= 0 and cell > self.last_cell():
            raise InvalidArgumentError(
                f"cellNum in virHostMemGetStats must be less than or equal to {self.last_cell()}", bare=True
            )
        values = self._meminfo(cell)
        names = _MEMORY_STATS if cell == -1 else _MEMORY_STATS[:_CELL_MEMORY_STATS]
        return [(name, values[line]) for name, line in names if line in values]

    def last_cell(self) -> int:
        """The highest number of a NUMA cell."""
        return max(node_numbers(self.tree), default=0)

    def free_memory(self) -> int:
        """Bytes of free memory."""
        return self._sum("MemFree") * 1024

    def cells_free_memory(self, start: int, count: int) -> list[int]:
        """Bytes of free memory of the cells from `start` on, at most `count`. Raises `LibvirtError` (1)."""
        cells = self._range(start, count)
        return [self._meminfo(cell).get("MemFree", 0) * 1024 for cell in cells]

    def free_pages(self, sizes: Sequence[int], start: int, count: int) -> list[int]:
        """Free pages of these sizes in KiB, of each cell from `start` on, at most `count`; `start` -1 is the host.

        Raises `LibvirtError` 1 for a cell and 9 for a size that does not exist.
        """
        if start == -1:
            return self._free([pool for cell in self._cells() for pool in self._pools(cell)], sizes, "")
        free: list[int] = []
        for cell in self._range(start, count):
            free += self._free(self._pools(cell), sizes, f" on node {cell}")
        return free

    def merging(self) -> dict[str, int]:
        """The state of kernel same-page merging by the kernel's names."""
        return read_merging(self.tree)

    def max_vcpus(self, kind: str | None) -> int:
        """How many virtual processors a guest of type `qemu` (or none given) or `kvm` gets. Raises `LibvirtError`."""
        if kind is None or kind.lower() == "qemu":
            return _MAX_VCPUS_EMULATED
        if kind.lower() != "kvm":
            raise InvalidArgumentError(f"unknown type '{kind}'", domain=Origin.QEMU)
        try:
            return kvm_max_vcpus(self.tree)
        except OSError as error:
            raise LibvirtError(
                f"Unable to open {self.tree.dev / 'kvm'}: {error.strerror}",
                hint="KVM is not available here",
                code=Code.SYSTEM_ERROR,
            ) from None

    def _meminfo(self, cell: int) -> dict[str, int]:
        return read_meminfo(self.tree, cell if cell >= 0 and node_numbers(self.tree) else None) or {}

    def _sum(self, line: str) -> int:
        """KiB of all NUMA cells together, as libvirt counts; memory outside of them does not belong to guests."""
        return sum(self._meminfo(cell).get(line, 0) for cell in self._cells())

    def _range(self, start: int, count: int) -> list[int]:
        last = self.last_cell()
        if not 0 <= start <= last:
            raise InternalError(f"start cell {start} out of range (0-{last})")
        return [cell for cell in self._cells() if start <= cell < start + count]

    def _cells(self) -> list[int]:
        return node_numbers(self.tree) or [0]

    def _pools(self, cell: int) -> list[PagePool]:
        return read_pages(self.tree, cell if node_numbers(self.tree) else None) or []

    @staticmethod
    def _free(pools: list[PagePool], sizes: Sequence[int], where: str) -> list[int]:
        by_size: dict[int, int] = {}
        for pool in pools:
            by_size[pool.size] = by_size.get(pool.size, 0) + pool.free
        for size in sizes:
            if size not in by_size:
                raise OperationFailedError(f"page size {size} is not available{where}", domain=Origin.NONE)
        return [by_size[size] for size in sizes]
