"""A guest's own NUMA nodes: `<numa>` in `<cpu>`, with their distances, caches and the speed of the ways between them.

Format: https://libvirt.org/formatdomain.html#cpu-model-and-topology, ACPI's SLIT and HMAT.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, many, mixed, must, new, one, opt
from guesthouse.model.domain.memory import in_bytes, in_kib
from guesthouse.model.kinds import CPUSET, TEXT, UINT, ULL, YES_NO, format_cpuset, integer, one_of, parse_cpuset

#: ACPI's distances: of a node to itself, to another where nothing is said, and to one that cannot be reached.
LOCAL: Final = 10
REMOTE: Final = 20
UNREACHABLE: Final = 255
#: Nobody has a cache beyond.
_LAST_LEVEL: Final = 3
#: More nodes QEMU does not have (`MAX_NODES`).
_MOST: Final = 128
_MIB: Final = 1024


@element("sibling")
class Sibling:
    """How far another node is: `LOCAL` to `UNREACHABLE`."""

    id: int = attr(UINT)
    value: int = attr(UINT)


@element("distances", omit_empty=True)
class Distances:
    """The distances to other nodes."""

    siblings: list[Sibling] = many(Sibling)

    def parsed(self) -> None:
        """It must say something."""
        if not self.siblings:
            raise XmlError("NUMA distances defined without siblings")


@element("size")
class CacheSize:
    """The size of a cache, in KiB."""

    value: int = attr(ULL)
    unit: str = default(TEXT, "KiB")

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        self.value, self.unit = in_kib(self.value, self.unit), "KiB"


@element("line")
class CacheLine:
    """The size of a line of a cache, in bytes."""

    value: int = attr(ULL)
    unit: str = default(TEXT, "B")

    def parsed(self) -> None:
        """Turn any unit into bytes."""
        self.value, self.unit = in_bytes(self.value, self.unit), "B"


@element("cache")
class MemoryCache:
    """A cache on the memory's side, as HMAT describes it."""

    level: int = attr(integer(1, 2**32 - 1))
    associativity: str = attr(one_of("none", "direct", "full"))
    policy: str = attr(one_of("none", "writeback", "writethrough"))
    size: CacheSize = must(CacheSize)
    line: CacheLine | None = one(CacheLine, show=lambda line: line.value > 0)


@element("cell")
class Cell:
    """One node: its virtual processors (a set like `0-3`, or none), and its memory in KiB.

    `access` says whether other processes can have the memory too, `discard` whether its contents are dropped at the
    end.
    """

    id: int | None = opt(UINT)
    cpus: str | None = opt(CPUSET)
    kib: int = attr(ULL, "memory")
    unit: str = default(TEXT, "KiB")
    access: str | None = opt(one_of("shared", "private"), "memAccess")
    discard: bool | None = opt(YES_NO)
    distances: Distances | None = one(Distances)
    caches: list[MemoryCache] = many(MemoryCache)

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        if self.unit != "KiB":
            self.kib, self.unit = in_kib(self.kib, self.unit), "KiB"

    @property
    def vcpus(self) -> frozenset[int]:
        """The virtual processors of the node."""
        return parse_cpuset(self.cpus) if self.cpus is not None else frozenset()

    def distance(self, other: int) -> int | None:
        """The distance to another node, where one is given."""
        siblings = self.distances.siblings if self.distances is not None else []
        return next((sibling.value for sibling in siblings if sibling.id == other), None)


class Link:
    """What both properties of a way share: who asks, which memory is asked (or the cache before it), and for what."""

    __slots__ = ()

    initiator: int
    target: int
    cache: int | None
    type: str
    value: int

    @property
    def key(self) -> tuple[str, int, int, int, str]:
        """What may be said only once."""
        return type(self).__name__, self.initiator, self.target, self.cache or 0, self.type


_ACCESS: Final = one_of("access", "read", "write")


@element("latency")
class Latency(Link):
    """How long a way takes, in nanoseconds."""

    initiator: int = attr(UINT)
    target: int = attr(UINT)
    cache: int | None = opt(UINT)
    type: str = attr(_ACCESS)
    value: int = attr(ULL)

    def parsed(self) -> None:
        """No cache is no setting."""
        self.cache = self.cache or None


@element("bandwidth")
class Bandwidth(Link):
    """How much goes over a way, in KiB a second."""

    initiator: int = attr(UINT)
    target: int = attr(UINT)
    cache: int | None = opt(UINT)
    type: str = attr(_ACCESS)
    value: int = attr(ULL)
    unit: str = default(TEXT, "KiB")

    def parsed(self) -> None:
        """Turn any unit into KiB; no cache is no setting."""
        self.value, self.unit = in_kib(self.value, self.unit), "KiB"
        self.cache = self.cache or None


@element("interconnects", omit_empty=True)
class Interconnects:
    """The ways between nodes."""

    links: list[Link] = mixed(Latency, Bandwidth)


@element("numa")
class Numa:
    """The guest's nodes, in the order of their numbers from 0."""

    cells: list[Cell] = many(Cell)
    interconnects: Interconnects | None = one(Interconnects)

    def parsed(self) -> None:
        """Number the nodes, bring them into order, and complete the distances.

        Raises a `LibvirtError` where numbers, processors or distances do not fit together.
        """
        if not self.cells:
            raise XmlError("NUMA topology defined without NUMA cells")
        if len(self.cells) > _MOST:
            raise UnsupportedConfigError(f"{len(self.cells)} NUMA cells are too many", hint=f"the most are {_MOST}")
        self._number()
        self._check_processors()
        if any(cell.distances is not None for cell in self.cells):
            self._complete_distances()

    def _number(self) -> None:
        placed: dict[int, Cell] = {}
        for place, cell in enumerate(self.cells):
            cell.id = place if cell.id is None else cell.id
            if cell.id >= len(self.cells):
                raise XmlError(
                    "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not "
                    "starting from 0 are not allowed"
                )
            if cell.id in placed:
                raise XmlError(f"Duplicate NUMA cell info for cell id '{cell.id}'")
            placed[cell.id] = cell
        self.cells = [placed[number] for number in range(len(placed))]

    def _check_processors(self) -> None:
        owners: dict[int, int] = {}
        for number, cell in enumerate(self.cells):
            for vcpu in cell.vcpus:
                other = owners.setdefault(vcpu, number)
                if other != number:
                    raise UnsupportedConfigError(f"NUMA cells {number} and {other} have overlapping vCPU ids")

    def _complete_distances(self) -> None:
        """What is said of one direction holds for the other, unless that says otherwise."""
        count = len(self.cells)
        table: list[dict[int, int]] = [{} for _ in self.cells]
        for number, cell in enumerate(self.cells):
            for sibling in cell.distances.siblings if cell.distances is not None else []:
                if sibling.id >= count:
                    raise XmlError(
                        f"'sibling_id {sibling.id}' does not refer to a valid cell within NUMA 'cell id {number}'"
                    )
                if not LOCAL <= sibling.value <= UNREACHABLE or (sibling.id == number) != (sibling.value == LOCAL):
                    raise XmlError(
                        f"'value {sibling.value}' is invalid for 'sibling id {sibling.id}' under NUMA 'cell id "
                        f"{number}'"
                    )
                table[number][number] = table[sibling.id][sibling.id] = LOCAL
                table[number][sibling.id] = sibling.value
                table[sibling.id].setdefault(number, sibling.value)
        for cell, row in zip(self.cells, table, strict=True):
            siblings = [new(Sibling, id=other, value=row[other]) for other in sorted(row)]
            cell.distances = new(Distances, siblings=siblings) if siblings else None

    @property
    def links(self) -> Sequence[Link]:
        """The ways between nodes."""
        return self.interconnects.links if self.interconnects is not None else ()

    @property
    def hmat(self) -> bool:
        """Whether ACPI has more to tell of the nodes than their distances."""
        return bool(self.links) or any(cell.caches for cell in self.cells)

    @property
    def kib(self) -> int:
        """The memory of all nodes."""
        return sum(cell.kib for cell in self.cells)

    def distance(self, source: int, target: int) -> int:
        """The distance from one node to another."""
        return self.cells[source].distance(target) or (LOCAL if source == target else REMOTE)

    @property
    def distances_matter(self) -> bool:
        """Whether a distance is another than those that a guest assumes anyway."""
        known = (LOCAL, REMOTE)
        return any(sibling.value not in known for cell in self.cells if cell.distances for sibling in
                   cell.distances.siblings)  # fmt: skip

    def initiator(self, number: int) -> int | None:
        """The node whose processors reach a node's memory best: itself, if it has processors; None for unknown."""
        if self.cells[number].cpus is not None:
            return number
        ways = [link for link in self.links if link.target == number]
        quick = [link for link in ways if isinstance(link, Latency)]
        if quick:
            return min(quick, key=lambda link: link.value).initiator
        wide = [link for link in ways if isinstance(link, Bandwidth) and link.value]
        return max(wide, key=lambda link: link.value).initiator if wide else None

    def settle(self, vcpus: int) -> None:
        """Check the processors against their number, and give those that no node has to the first.

        Raises `InternalError`, as libvirt does, for processors that do not exist.
        """
        named = [vcpu for cell in self.cells for vcpu in cell.vcpus]
        if len(named) > vcpus:
            raise InternalError("Number of CPUs in <numa> exceeds the <vcpu> count")
        if named and max(named) >= vcpus:
            raise InternalError("CPU IDs in <numa> exceed the <vcpu> count")
        if len(named) < vcpus:
            others = {vcpu for cell in self.cells[1:] for vcpu in cell.vcpus}
            self.cells[0].cpus = format_cpuset(frozenset(range(vcpus)) - others)

    def align(self) -> None:
        """Round the memory of every node up to whole MiB."""
        for cell in self.cells:
            cell.kib = -(-cell.kib // _MIB) * _MIB

    def check(self) -> None:
        """Raise `XmlError` for caches and ways that contradict each other, or speak of what is not there."""
        for cell in self.cells:
            _check_caches(cell.caches)
        seen: set[object] = set()
        for link in self.links:
            self._check_link(link)
            way = (link.initiator, link.target)
            if link.key in seen:
                raise XmlError("Duplicate info for NUMA latencies")
            if link.initiator != link.target and (link.target, link.initiator) in seen:
                raise XmlError("Link already defined")
            seen |= {link.key, way}

    def _check_link(self, link: Link) -> None:
        for name in ("initiator", "target"):
            if getattr(link, name) >= len(self.cells):
                raise XmlError(f"'{name}' refers to a non-existent NUMA node")
        if self.cells[link.initiator].cpus is None:
            raise XmlError("NUMA nodes without CPUs can't be initiator")
        if link.cache and all(cache.level != link.cache for cache in self.cells[link.target].caches):
            raise XmlError("'cache' refers to a non-existent NUMA node cache")


def _check_caches(caches: Iterable[MemoryCache]) -> None:
    levels: set[int] = set()
    for cache in caches:
        if cache.level > _LAST_LEVEL:
            raise XmlError("Ain't nobody heard of that much cache level", hint=f"the last is {_LAST_LEVEL}")
        if cache.level in levels:
            raise XmlError(f"Cache level '{cache.level}' already defined")
        levels.add(cache.level)


def no_such_node(node: int, cells: int) -> LibvirtError:
    """The error for memory that is to be on a node which the guest has not."""
    if not cells:
        text = "can't add memory backend as guest has no NUMA nodes configured"
    else:
        text = f"can't add memory backend for guest node '{node}' as the guest has only '{cells}' NUMA nodes configured"
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN)
