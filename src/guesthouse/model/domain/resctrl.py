"""Parts of the host's caches and memory bandwidth for groups of virtual processors: `<cachetune>` and `<memorytune>`.

The kernel does it (`resctrl`), and only where the processor can. Both elements speak of groups of processors that may
be the same, and otherwise have nothing in common.

Format: https://libvirt.org/formatdomain.html#cpu-tuning
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InvalidArgumentError, XmlError
from guesthouse.model.binding import attr, default, element, many, opt
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import CPUSET, TEXT, UINT, ULL, format_cpuset, one_of, parse_cpuset

#: The types of cache, in the order in which they are written.
_TYPES: Final = ("both", "code", "data")
#: The level of cache whose use can be watched.
_WATCHED_LEVEL: Final = 3
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@element("cache")
class CacheShare:
    """So many bytes of the cache with that number (`id`) and level."""

    id: int = attr(UINT)
    level: int = attr(UINT)
    type: str = attr(one_of(*_TYPES))
    size: int = attr(ULL)
    unit: str = default(TEXT, "KiB")

    def parsed(self) -> None:
        """Write the size in the largest unit that divides it."""
        size = in_bytes(self.size, self.unit)
        power = 0
        while size and size % 1024 == 0 and power < len(_UNITS) - 1:
            size //= 1024
            power += 1
        self.size, self.unit = size, _UNITS[power]

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return in_bytes(self.size, self.unit)


@element("monitor")
class CacheMonitor:
    """Processors of the group whose use of the cache is watched."""

    level: int = attr(UINT)
    vcpus: str = attr(CPUSET)

    def parsed(self) -> None:
        """There is one level that can be watched."""
        if self.level != _WATCHED_LEVEL:
            raise XmlError(f"Invalid monitor cache level '{self.level}'", hint=f"it must be {_WATCHED_LEVEL}")


@element("cachetune")
class Cachetune:
    """Parts of caches for the virtual processors of a set; `id` is the name of the kernel's group."""

    vcpus: str = attr(CPUSET)
    id: str | None = opt(TEXT, live=True)
    caches: list[CacheShare] = many(CacheShare)
    monitors: list[CacheMonitor] = many(CacheMonitor)

    @property
    def numbers(self) -> frozenset[int]:
        """The virtual processors."""
        return parse_cpuset(self.vcpus)

    @property
    def tells(self) -> bool:
        """Whether it says anything."""
        return bool(self.caches or self.monitors)

    def settle(self) -> None:
        """Order the caches. Raises `XmlError` where two shares are of the same cache."""
        taken: set[tuple[int, int, str]] = set()
        for share in self.caches:
            rivals = _TYPES if share.type == "both" else ("both", share.type)
            if any((share.level, share.id, rival) in taken for rival in rivals):
                raise XmlError(
                    f"Colliding cache allocations for cache level '{share.level}' id '{share.id}', type '{share.type}'"
                )
            taken.add((share.level, share.id, share.type))
        self.caches.sort(key=lambda share: (share.level, _TYPES.index(share.type), share.id))


@element("node")
class BandwidthShare:
    """So many per cent of the bandwidth of the memory controller with that number."""

    id: int = attr(UINT)
    bandwidth: int = attr(UINT)


@element("monitor")
class BandwidthMonitor:
    """Processors of the group whose use of bandwidth is watched."""

    vcpus: str = attr(CPUSET)


@element("memorytune")
class Memorytune:
    """Parts of memory bandwidth for the virtual processors of a set; `id` is the name of the kernel's group."""

    vcpus: str = attr(CPUSET)
    id: str | None = opt(TEXT, live=True)
    nodes: list[BandwidthShare] = many(BandwidthShare)
    monitors: list[BandwidthMonitor] = many(BandwidthMonitor)

    @property
    def numbers(self) -> frozenset[int]:
        """The virtual processors."""
        return parse_cpuset(self.vcpus)

    @property
    def tells(self) -> bool:
        """Whether it says anything."""
        return bool(self.nodes or self.monitors)

    def settle(self) -> None:
        """Order the nodes. Raises `XmlError` where two shares are of the same node."""
        taken: set[int] = set()
        for share in self.nodes:
            if share.id in taken:
                raise XmlError(f"Memory Bandwidth already defined for node {share.id}")
            taken.add(share.id)
        self.nodes.sort(key=lambda share: share.id)


def settle(
    cachetunes: list[Cachetune], memorytunes: list[Memorytune], vcpus: int
) -> tuple[list[Cachetune], list[Memorytune]]:
    """What is left of the elements for a guest of so many processors, in the order of the groups.

    Raises a `LibvirtError` for groups that overlap, shares that collide and monitors outside of their group.
    """
    groups = _Groups()
    caches: dict[frozenset[int], Cachetune] = {}
    for cachetune in cachetunes:
        numbers = _shrink(cachetune, vcpus)
        if groups.has(numbers):
            raise XmlError("Identical vcpus in cachetunes found")
        cachetune.settle()
        _check_monitors(numbers, [parse_cpuset(item.vcpus) for item in cachetune.monitors], bool(cachetune.caches))
        if numbers and cachetune.tells:
            groups.add(numbers)
            caches[numbers] = cachetune
    memories: dict[frozenset[int], Memorytune] = {}
    for memorytune in memorytunes:
        numbers = _shrink(memorytune, vcpus)
        groups.has(numbers)
        memorytune.settle()
        monitors = [parse_cpuset(item.vcpus) for item in memorytune.monitors]
        _check_monitors(numbers, monitors, bool(memorytune.nodes) or numbers in caches)
        if numbers in memories:
            _merge(memories[numbers], memorytune)
        elif numbers and memorytune.tells:
            memories[numbers] = memorytune
            groups.add(numbers)
    return list(caches.values()), [memories[numbers] for numbers in groups.known if numbers in memories]


def _merge(first: Memorytune, second: Memorytune) -> None:
    first.nodes += second.nodes
    first.monitors += second.monitors
    first.settle()


def _shrink(tune: Cachetune | Memorytune, vcpus: int) -> frozenset[int]:
    numbers = frozenset(number for number in tune.numbers if number < vcpus)
    if numbers:
        tune.vcpus = format_cpuset(numbers)
        tune.id = tune.id or f"vcpus_{tune.vcpus}"
    return numbers


class _Groups:
    """The groups of processors so far, in their order, of which no two have one in common."""

    def __init__(self) -> None:
        self.known: dict[frozenset[int], None] = {}
        self._taken: set[int] = set()

    def has(self, numbers: frozenset[int]) -> bool:
        """Whether this is one of them. Raises `XmlError` where it is not, but shares processors with one."""
        if numbers in self.known:
            return True
        if not self._taken.isdisjoint(numbers):
            raise XmlError("Overlapping vcpus in resctrls")
        return False

    def add(self, numbers: frozenset[int]) -> None:
        """Add a group, if it is not there."""
        self.known.setdefault(numbers)
        self._taken |= numbers


def _check_monitors(group: frozenset[int], monitors: list[frozenset[int]], allocates: bool) -> None:
    """Libvirt's rules: a monitor watches processors of its group; but for one of the whole group, none overlap."""
    if not group:
        return
    seen: set[frozenset[int]] = set()
    parts: set[int] = set()
    for monitor in monitors:
        if not monitor <= group:
            raise InvalidArgumentError("Monitor vcpus conflicts with allocation")
        if monitor in seen:
            raise InvalidArgumentError("Identical vcpus found in same type monitors")
        partly = monitor != group and not parts.isdisjoint(monitor)
        overlaps = bool(seen) if monitor == group else partly or group in seen
        if partly or (overlaps and not allocates):
            raise InvalidArgumentError("vcpus overlaps in resctrl groups")
        seen.add(monitor)
        parts |= monitor if monitor != group else frozenset()
