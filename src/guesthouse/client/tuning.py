"""How the host serves a guest, as the client asks for it: shares, pins, limits, memory nodes, I/O threads.

The functions are libvirt's `virDomain…` under shorter names (https://libvirt.org/html/libvirt-libvirt-domain.html).
"""

from __future__ import annotations

from guesthouse.client.room import all_of
from guesthouse.rpc.procedures import domain_block as block
from guesthouse.rpc.procedures import domain_cpu as cpu
from guesthouse.rpc.procedures import domain_tuning as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.types import TypedParam

#: `virTypedParameterFlags`: strings are understood.
STRING_OKAY = 4

#: `VIR_DOMAIN_MEM_MAXIMUM`.
MAXIMUM = 4


def set_memory(domain: Domain, kib: int, flags: int) -> None:
    """Change how much memory the guest has."""
    domain.connection.call(rpc.DOMAIN_SET_MEMORY_FLAGS, rpc.DomainSetMemoryFlagsArgs(domain.handle, kib, flags))


def memory(domain: Domain, flags: int) -> list[TypedParam]:
    """The limits of memory."""

    def ask(room: int) -> rpc.DomainGetMemoryParametersRet:
        args = rpc.DomainGetMemoryParametersArgs(domain.handle, room, flags | STRING_OKAY)
        return domain.connection.ask(rpc.DomainGetMemoryParametersRet, rpc.DOMAIN_GET_MEMORY_PARAMETERS, args)

    return all_of(ask)


def set_memory_limits(domain: Domain, params: list[TypedParam], flags: int) -> None:
    """Change limits of memory."""
    args = rpc.DomainSetMemoryParametersArgs(domain.handle, params, flags)
    domain.connection.call(rpc.DOMAIN_SET_MEMORY_PARAMETERS, args)


def numa(domain: Domain, flags: int) -> list[TypedParam]:
    """Where memory comes from."""

    def ask(room: int) -> rpc.DomainGetNumaParametersRet:
        args = rpc.DomainGetNumaParametersArgs(domain.handle, room, flags | STRING_OKAY)
        return domain.connection.ask(rpc.DomainGetNumaParametersRet, rpc.DOMAIN_GET_NUMA_PARAMETERS, args)

    return all_of(ask)


def set_numa(domain: Domain, params: list[TypedParam], flags: int) -> None:
    """Change where memory comes from."""
    args = rpc.DomainSetNumaParametersArgs(domain.handle, params, flags)
    domain.connection.call(rpc.DOMAIN_SET_NUMA_PARAMETERS, args)


def blkio(domain: Domain, flags: int) -> list[TypedParam]:
    """The share of the host's disks."""

    def ask(room: int) -> block.DomainGetBlkioParametersRet:
        args = block.DomainGetBlkioParametersArgs(domain.handle, room, flags | STRING_OKAY)
        return domain.connection.ask(block.DomainGetBlkioParametersRet, block.DOMAIN_GET_BLKIO_PARAMETERS, args)

    return all_of(ask)


def set_blkio(domain: Domain, params: list[TypedParam], flags: int) -> None:
    """Change the share of the host's disks."""
    args = block.DomainSetBlkioParametersArgs(domain.handle, params, flags)
    domain.connection.call(block.DOMAIN_SET_BLKIO_PARAMETERS, args)


def throttling(domain: Domain, disk: str, flags: int) -> list[TypedParam]:
    """The limits of one disk."""

    def ask(room: int) -> block.DomainGetBlockIoTuneRet:
        args = block.DomainGetBlockIoTuneArgs(domain.handle, disk if room else None, room, flags | STRING_OKAY)
        return domain.connection.ask(block.DomainGetBlockIoTuneRet, block.DOMAIN_GET_BLOCK_IO_TUNE, args)

    return all_of(ask)


def set_throttling(domain: Domain, disk: str, params: list[TypedParam], flags: int) -> None:
    """Change the limits of one disk."""
    args = block.DomainSetBlockIoTuneArgs(domain.handle, disk, params, flags)
    domain.connection.call(block.DOMAIN_SET_BLOCK_IO_TUNE, args)


def set_throttle_group(domain: Domain, name: str, params: list[TypedParam], flags: int) -> None:
    """Make a group of limits, or change one."""
    args = block.DomainSetThrottleGroupArgs(domain.handle, name, params, flags)
    domain.connection.call(block.DOMAIN_SET_THROTTLE_GROUP, args)


def remove_throttle_group(domain: Domain, name: str, flags: int) -> None:
    """Take a group of limits away."""
    args = block.DomainDelThrottleGroupArgs(domain.handle, name, flags)
    domain.connection.call(block.DOMAIN_DEL_THROTTLE_GROUP, args)


def resize(domain: Domain, disk: str, size: int, flags: int) -> None:
    """Change the size of a disk (1: in bytes, not KiB; 2: to that of the device under it)."""
    domain.connection.call(block.DOMAIN_BLOCK_RESIZE, block.DomainBlockResizeArgs(domain.handle, disk, size, flags))


def set_vcpu(domain: Domain, numbers: str, on: bool, flags: int) -> None:
    """Turn single vCPUs on or off."""
    domain.connection.call(cpu.DOMAIN_SET_VCPU, cpu.DomainSetVcpuArgs(domain.handle, numbers, int(on), flags))


def pin_vcpu(domain: Domain, number: int, cpus: bytes, flags: int | None) -> None:
    """Let a vCPU run on these host CPUs; without flags over the oldest procedure."""
    if flags is None:
        domain.connection.call(cpu.DOMAIN_PIN_VCPU, cpu.DomainPinVcpuArgs(domain.handle, number, cpus))
    else:
        args = cpu.DomainPinVcpuFlagsArgs(domain.handle, number, cpus, flags)
        domain.connection.call(cpu.DOMAIN_PIN_VCPU_FLAGS, args)


def emulator_pin(domain: Domain, map_length: int, flags: int) -> bytes:
    """The host CPUs on which QEMU's own threads may run."""
    args = cpu.DomainGetEmulatorPinInfoArgs(domain.handle, map_length, flags)
    return domain.connection.ask(cpu.DomainGetEmulatorPinInfoRet, cpu.DOMAIN_GET_EMULATOR_PIN_INFO, args).cpumaps


def pin_emulator(domain: Domain, cpus: bytes, flags: int) -> None:
    """Let QEMU's own threads run on these host CPUs."""
    domain.connection.call(cpu.DOMAIN_PIN_EMULATOR, cpu.DomainPinEmulatorArgs(domain.handle, cpus, flags))


def iothreads(domain: Domain, flags: int) -> list[tuple[int, bytes]]:
    """The I/O threads: id, and the host CPUs that each may run on."""
    args = cpu.DomainGetIothreadInfoArgs(domain.handle, flags)
    found = domain.connection.ask(cpu.DomainGetIothreadInfoRet, cpu.DOMAIN_GET_IOTHREAD_INFO, args).info
    return [(one.iothread_id, one.cpumap) for one in found]


def pin_iothread(domain: Domain, number: int, cpus: bytes, flags: int) -> None:
    """Let an I/O thread run on these host CPUs."""
    domain.connection.call(cpu.DOMAIN_PIN_IOTHREAD, cpu.DomainPinIothreadArgs(domain.handle, number, cpus, flags))


def add_iothread(domain: Domain, number: int, flags: int) -> None:
    """Add an I/O thread."""
    domain.connection.call(cpu.DOMAIN_ADD_IOTHREAD, cpu.DomainAddIothreadArgs(domain.handle, number, flags))


def remove_iothread(domain: Domain, number: int, flags: int) -> None:
    """Take an I/O thread away."""
    domain.connection.call(cpu.DOMAIN_DEL_IOTHREAD, cpu.DomainDelIothreadArgs(domain.handle, number, flags))


def set_iothread(domain: Domain, number: int, params: list[TypedParam], flags: int) -> None:
    """Change how an I/O thread works."""
    args = cpu.DomainSetIothreadParamsArgs(domain.handle, number, params, flags)
    domain.connection.call(cpu.DOMAIN_SET_IOTHREAD_PARAMS, args)


def perf_events(domain: Domain, flags: int) -> list[TypedParam]:
    """Which of the kernel's counters are on."""
    from guesthouse.rpc.procedures import domain_stats as stats

    args = stats.DomainGetPerfEventsArgs(domain.handle, flags | STRING_OKAY)
    return domain.connection.ask(stats.DomainGetPerfEventsRet, stats.DOMAIN_GET_PERF_EVENTS, args).params


def set_perf_events(domain: Domain, params: list[TypedParam], flags: int) -> None:
    """Turn counters on and off."""
    from guesthouse.rpc.procedures import domain_stats as stats

    domain.connection.call(stats.DOMAIN_SET_PERF_EVENTS, stats.DomainSetPerfEventsArgs(domain.handle, params, flags))


def set_lifecycle_action(domain: Domain, event: int, action: int, flags: int) -> None:
    """What follows when the guest powers off (0), reboots (1) or crashes (2)."""
    from guesthouse.rpc.procedures import domain as family

    args = family.DomainSetLifecycleActionArgs(domain.handle, event, action, flags)
    domain.connection.call(family.DOMAIN_SET_LIFECYCLE_ACTION, args)


def send_signal(domain: Domain, pid: int, number: int) -> None:
    """Send a signal to a process in the guest."""
    from guesthouse.rpc.procedures import domain_devices as family

    args = family.DomainSendProcessSignalArgs(domain.handle, pid, number, 0)
    domain.connection.call(family.DOMAIN_SEND_PROCESS_SIGNAL, args)


def suspend_guest(domain: Domain, target: int, duration: int) -> None:
    """Have the guest sleep in memory (0), on disk (1) or both (2)."""
    from guesthouse.rpc.procedures import domain_devices as family

    args = family.DomainPmSuspendForDurationArgs(domain.handle, target, duration, 0)
    domain.connection.call(family.DOMAIN_PM_SUSPEND_FOR_DURATION, args)


def dump(domain: Domain, path: str, number: int, flags: int) -> int:
    """Begin to dump a guest to a file in a format (`virDomainCoreDumpFormat`). Returns the serial to wait for."""
    from guesthouse.rpc.procedures import domain_save as family

    if number:
        args = family.DomainCoreDumpWithFormatArgs(domain.handle, path, number, flags)
        return domain.connection.submit(family.DOMAIN_CORE_DUMP_WITH_FORMAT, args)
    return domain.connection.submit(family.DOMAIN_CORE_DUMP, family.DomainCoreDumpArgs(domain.handle, path, flags))
