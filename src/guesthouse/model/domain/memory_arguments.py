"""A guest's memory on QEMU's command line: `-m`, `-numa`, and what `-machine` says of memory.

Options: QEMU's manual page; HMAT: `-numa hmat-lb` and `hmat-cache` there.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.memory_slots import machine_words
from guesthouse.model.domain.guest_memory import memory_at_launch, node_wishes
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.memory_objects import Backing, GuestMemory, Wish
from guesthouse.model.domain.numa import Latency, Link, MemoryCache, Numa
from guesthouse.model.kinds import format_cpuset

#: The last nine bits of a size in KiB, which libvirt has always rounded down.
_ROUNDING: Final = 0x1FF
_HIERARCHY: Final = ("memory", "first-level", "second-level", "third-level")
_ASSOCIATIVITY: Final = {"none": "none", "direct": "direct", "full": "complex"}
_POLICY: Final = {"none": "none", "writeback": "write-back", "writethrough": "write-through"}


def machine_memory_words(domain: Domain, launch: LaunchContext) -> list[str]:
    """What `-machine` says of memory."""
    dump = domain.memory.dump_core
    dumped = launch.settings.dump_guest_core if dump is None else dump
    words = [f"dump-guest-core={'on' if dumped else 'off'}"]
    if domain.memory_backing is not None and domain.memory_backing.nosharepages:
        words.append("mem-merge=off")
    words += machine_words(domain.devices.memories)
    facts = launch.caps.machine(domain.os.machine)
    if _numa(domain) is None and facts is not None and facts.default_ram_id:
        words.append(f"memory-backend={facts.default_ram_id}")
    return words


def hmat_words(domain: Domain) -> list[str]:
    """What `-machine` says where ACPI has more to tell of the guest's nodes than their distances."""
    numa = _numa(domain)
    return ["hmat=on"] if numa is not None and numa.hmat else []


def _numa(domain: Domain) -> Numa | None:
    return domain.cpu.numa if domain.cpu is not None else None


def memory_arguments(domain: Domain, launch: LaunchContext) -> list[str]:
    """`-m` and, for a guest without nodes, the object that holds its memory."""
    memory = memory_at_launch(domain, launch)
    if memory.hotpluggable:
        size = f"size={memory.initial_kib}k"
        size += f",slots={memory.slots}" if memory.slots else ""
        size += f",maxmem={memory.maximum_kib}k" if memory.maximum_kib else ""
    else:
        size = f"size={memory.initial_kib & ~_ROUNDING}k"
    words = ["-m", size]
    facts = launch.caps.machine(domain.os.machine)
    if not memory.cells and facts is not None and facts.default_ram_id:
        wish = Wish(facts.default_ram_id, facts.default_ram_id, memory.initial_kib)
        words += _arguments(memory.realise(wish, launch.caps, system=True))
    elif not memory.cells:
        words += _for_all(memory)
    locked = domain.memory_backing is not None and domain.memory_backing.locked
    return [*words, "-overcommit", f"mem-lock={'on' if locked else 'off'}"]


def _for_all(memory: GuestMemory) -> list[str]:
    """What old machine types are told of all of their memory, which they make themselves."""
    pages = memory.pages(Wish("ram", "ram", 0))
    words = ["-mem-prealloc"] if pages.prealloc else []
    if pages.huge:
        words += ["-mem-path", memory.huge_directory(pages.kib)]
    elif memory.backing.source == "file":
        words += ["-mem-path", f"{memory.file_directory()}/ram"]
    return words


def _arguments(backing: Backing) -> list[str]:
    return [word for made in backing.objects for word in made.arguments()]


def numa_arguments(domain: Domain, launch: LaunchContext) -> list[str]:
    """`-numa` and the objects that hold the nodes' memory. Raises `UnsupportedConfigError` where no node has CPUs."""
    numa = _numa(domain)
    if numa is None:
        return []
    memory = memory_at_launch(domain, launch)
    _check_host(memory)
    facts = launch.caps.machine(domain.os.machine)
    backings = [memory.realise(wish, launch.caps) for wish in node_wishes(memory)]
    by_object = numa.hmat or facts is None or not facts.numa or not all(item.plain for item in backings)
    first = next((number for number, cell in enumerate(numa.cells) if cell.cpus is not None), None)
    if first is None:
        raise UnsupportedConfigError("At least one NUMA node has to have CPUs")
    words = [] if by_object else _for_all(memory)
    for number, (cell, backing) in enumerate(zip(numa.cells, backings, strict=True)):
        parts = [f"node,nodeid={number}"]
        parts += [f"cpus={part}" for part in format_cpuset(cell.vcpus).split(",") if part]
        if numa.hmat:
            initiator = numa.initiator(number)
            parts.append(f"initiator={first if initiator is None else initiator}")
        parts.append(f"memdev=ram-node{number}" if by_object else f"mem={cell.kib // 1024}")
        words += _arguments(backing) if by_object else []
        words += ["-numa", ",".join(parts)]
    return words + _distances(numa) + _hmat(numa)


def _check_host(memory: GuestMemory) -> None:
    """The host must have the nodes of every policy, used or not."""
    for cell in (None, *range(len(memory.cells))):
        policy = memory.numatune.policy(cell)
        if policy is not None:
            memory.host.need(policy[1])


def _distances(numa: Numa) -> list[str]:
    if not numa.distances_matter:
        return []
    words: list[str] = []
    for source in range(len(numa.cells)):
        for target in range(len(numa.cells)):
            words += ["-numa", f"dist,src={source},dst={target},val={numa.distance(source, target)}"]
    return words


def _hmat(numa: Numa) -> list[str]:
    words: list[str] = []
    for link in numa.links:
        words += ["-numa", _link(link)]
    for number, cell in enumerate(numa.cells):
        for cache in cell.caches:
            words += ["-numa", _cache(number, cache)]
    return words


def _link(link: Link) -> str:
    latency = isinstance(link, Latency)
    value = f"latency,latency={link.value}" if latency else f"bandwidth,bandwidth={link.value}K"
    return (
        f"hmat-lb,initiator={link.initiator},target={link.target},hierarchy={_HIERARCHY[link.cache or 0]},"
        f"data-type={link.type}-{value}"
    )


def _cache(node: int, cache: MemoryCache) -> str:
    parts = [
        f"hmat-cache,node-id={node}",
        f"size={cache.size.value}K",
        f"level={cache.level}",
        f"associativity={_ASSOCIATIVITY[cache.associativity]}",
        f"policy={_POLICY[cache.policy]}",
    ]
    if cache.line is not None and cache.line.value:
        parts.append(f"line={cache.line.value}")
    return ",".join(parts)
