"""A guest's memory as its devices and its command line see it, and how a definition's memory is completed.

Sources: https://libvirt.org/formatdomain.html#memory-allocation and #memory-devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.memory_slots import check_together
from guesthouse.model.domain.memory import CurrentMemory
from guesthouse.model.domain.memory_objects import NO_BACKING, NO_POLICY, UNKNOWN_HOST, GuestMemory, HostMemory, Wish
from guesthouse.model.domain.numa import Numa
from guesthouse.model.kinds import parse_cpuset

if TYPE_CHECKING:
    from guesthouse.model.domain.definition import Domain
    from guesthouse.model.domain.host_settings import HostSettings
    from guesthouse.model.domain.launch import LaunchContext

#: Memory comes in whole MiB; a definition may say otherwise, a running guest does not.
_MIB: Final = 1024
#: As many KiB as a file can have.
_MOST: Final = 2**63 - 1 >> 10
#: Architectures on which memory devices need no NUMA nodes.
_WITHOUT_CELLS: Final = ("ppc64", "ppc64le", "s390x")


def _numa(domain: Domain) -> Numa | None:
    return domain.cpu.numa if domain.cpu is not None else None


def device_kib(domain: Domain) -> int:
    """The memory of all memory devices, in KiB."""
    return sum(device.kib for device in domain.devices.memories)


def initial_kib(domain: Domain) -> int:
    """The memory that the guest has without its memory devices, in KiB."""
    return domain.memory.kib - device_kib(domain)


def _balloon_kib(domain: Domain) -> int | None:
    """What the balloon shall leave the guest; None for all. Memory that is virtio-mem is no business of it."""
    most = domain.memory.kib - sum(device.kib for device in domain.devices.memories if device.requestable)
    left = domain.current_memory.kib if domain.current_memory is not None else most
    return left if left < most else None


def guest_memory(
    domain: Domain, settings: HostSettings, short_name: str = "", host: HostMemory = UNKNOWN_HOST
) -> GuestMemory:
    """What is said of the guest's memory as a whole."""
    numa = _numa(domain)
    most = domain.max_memory
    return GuestMemory(
        initial_kib=initial_kib(domain),
        balloon_kib=_balloon_kib(domain),
        maximum_kib=most.kib if most is not None else 0,
        slots=(most.slots or 0) if most is not None else 0,
        backing=domain.memory_backing or NO_BACKING,
        numatune=domain.numatune or NO_POLICY,
        cells=tuple(numa.cells) if numa is not None else (),
        emulator_cpus=_emulator_cpus(domain),
        short_name=short_name,
        settings=settings,
        host=host,
    )


def memory_at_launch(domain: Domain, launch: LaunchContext) -> GuestMemory:
    """The same for a guest that is started, or runs."""
    return guest_memory(domain, launch.settings, launch.short_name, launch.host_memory)


def node_wishes(memory: GuestMemory) -> list[Wish]:
    """What holds the memory of each of the guest's nodes."""
    return [
        Wish(f"ram-node{number}", f"ram-node{number}", cell.kib, number) for number, cell in enumerate(memory.cells)
    ]


def _emulator_cpus(domain: Domain) -> frozenset[int] | None:
    if domain.cputune is not None and domain.cputune.emulatorpin is not None:
        return domain.cputune.emulatorpin.cpus
    return parse_cpuset(domain.vcpu.cpuset) if domain.vcpu.cpuset is not None else None


def complete(domain: Domain, *, kept: bool = False) -> None:
    """Fill in the sizes that follow from others: all memory is that of the nodes and the devices.

    In a definition that was `kept` before, the size of the memory stays, as it does for libvirt.
    Raises `XmlError` for sizes that contradict each other.
    """
    numa = _numa(domain)
    if numa is not None:
        numa.settle(domain.vcpu.maximum)
        if not kept or not domain.memory.kib:
            domain.memory.kib = numa.kib + device_kib(domain)
    if domain.devices.memories and device_kib(domain) > domain.memory.kib:
        raise XmlError("Total size of memory devices exceeds the total memory size")
    if domain.memory.kib <= (device_kib(domain) if domain.devices.memories else 0):
        raise XmlError("Memory size must be specified via <memory> or in the <numa> configuration")
    balloon = domain.current_memory
    if balloon is None or not 0 < balloon.kib <= domain.memory.kib:
        domain.current_memory = new(CurrentMemory, kib=domain.memory.kib)
    if domain.max_memory is not None:
        _complete_maximum(domain)
    if numa is None and domain.memory_backing is not None and domain.memory_backing.hugepages is not None:
        domain.memory_backing.hugepages.forget_first_node()


def _complete_maximum(domain: Domain) -> None:
    most = domain.max_memory
    if most is not None and not most.kib:
        if most.slots:
            raise XmlError("maximum memory size must be specified when specifying number of memory slots")
        domain.max_memory = None
    elif most is not None and most.kib < domain.memory.kib:
        raise XmlError("maximum memory size must be equal or greater than the actual memory size")


def align(domain: Domain) -> None:
    """Round the sizes up to what QEMU can have; `domain` is the running guest's own definition.

    Raises `UnsupportedConfigError` for sizes that no host has.
    """
    initial = -(-initial_kib(domain) // _MIB) * _MIB
    numa = _numa(domain)
    if numa is not None:
        numa.align()
        initial = numa.kib
    if domain.max_memory is not None:
        domain.max_memory.kib = -(-domain.max_memory.kib // _MIB) * _MIB
    for device in domain.devices.memories:
        device.align()
    domain.memory.kib = initial + device_kib(domain)
    _check_sizes(domain, initial)


def _check_sizes(domain: Domain, initial: int) -> None:
    numa = _numa(domain)
    sizes = [(f"memory size of NUMA node '{cell.id}'", cell.kib) for cell in (numa.cells if numa is not None else [])]
    sizes.append(("initial memory size", initial))
    sizes.append(("maximum memory size", domain.max_memory.kib if domain.max_memory is not None else 0))
    sizes += [
        (f"size of memory module '{number}'", device.kib) for number, device in enumerate(domain.devices.memories)
    ]
    for what, kib in sizes:
        if kib > _MOST:
            raise UnsupportedConfigError(f"{what} overflowed after alignment")


def check(domain: Domain, memory: GuestMemory) -> None:
    """Raise a `LibvirtError` for memory that the guest cannot have so."""
    numa = _numa(domain)
    if domain.memory_backing is not None:
        domain.memory_backing.check(len(memory.cells))
    if numa is not None:
        numa.check()
    if domain.devices.memories or memory.hotpluggable:
        needs_cells = domain.os.arch not in _WITHOUT_CELLS
        check_together(domain.devices.memories, memory, needs_cells=needs_cells)
