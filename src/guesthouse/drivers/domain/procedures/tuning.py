"""Procedures for how the host serves a guest: shares, pins, limits of memory and disks, memory nodes, I/O threads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import metadata, parameters
from guesthouse.drivers.domain.lifecycle import actions
from guesthouse.drivers.domain.memory import balloon
from guesthouse.drivers.domain.procedures.cpu import check_map
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.tuning import blkio, cpu_shares, iothreads, memory, numa, perf, pinning
from guesthouse.drivers.domain.typed import INT, STRING, UINT, Param
from guesthouse.drivers.domain.vcpus import bitmaps
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain, domain_block, domain_cpu, domain_stats
from guesthouse.rpc.procedures import domain_tuning as rpc
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_IMPACT = flags.LIVE | flags.CONFIG

#: `VIR_TYPED_PARAM_STRING_OKAY`.
_STRINGS = 4

#: `VIR_DOMAIN_MEM_MAXIMUM`.
_MAXIMUM = 4


def _sent(params: Iterable[TypedParam]) -> list[Param]:
    return [(one.field, one.type, one.value) for one in params]


def _wire(params: Iterable[Param], count: int) -> list[TypedParam]:
    return [TypedParam(*one) for one in params][: max(count, 0)]


# Processors


def _vcpu_pin_info(driver: Guests, _: Caller, args: domain_cpu.DomainGetVcpuPinInfoArgs) -> Struct:
    flags.check(args.flags, _IMPACT, "qemuDomainGetVcpuPinInfo")
    definition = metadata.one_definition(find(driver, args.dom), args.flags)
    check_map(args.ncpumaps, args.maplen)
    number = min(max(args.ncpumaps, 0), definition.vcpu.maximum)
    maps = [bitmaps.bitmap(pinning.pin_of(definition, f"vcpu{at}"), args.maplen) for at in range(number)]
    return domain_cpu.DomainGetVcpuPinInfoRet(b"".join(maps), number)


def _emulator_pin_info(driver: Guests, _: Caller, args: domain_cpu.DomainGetEmulatorPinInfoArgs) -> Struct:
    flags.check(args.flags, _IMPACT, "qemuDomainGetEmulatorPinInfo")
    definition = metadata.one_definition(find(driver, args.dom), args.flags)
    check_map(1, args.maplen)
    return domain_cpu.DomainGetEmulatorPinInfoRet(
        bitmaps.bitmap(pinning.pin_of(definition, "emulator"), args.maplen), 1
    )


async def _pin_vcpu(driver: Guests, _: Caller, args: domain_cpu.DomainPinVcpuArgs) -> None:
    cpus = pinning.cpus_of(args.cpumap)
    await pinning.pin_vcpu(driver, find(driver, args.dom), args.vcpu, cpus, flags.LIVE)


async def _pin_vcpu_flags(driver: Guests, _: Caller, args: domain_cpu.DomainPinVcpuFlagsArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainPinVcpuFlags")
    cpus = pinning.cpus_of(args.cpumap)
    await pinning.pin_vcpu(driver, find(driver, args.dom), args.vcpu, cpus, args.flags)


async def _pin_emulator(driver: Guests, _: Caller, args: domain_cpu.DomainPinEmulatorArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainPinEmulator")
    await pinning.pin_emulator(driver, find(driver, args.dom), pinning.cpus_of(args.cpumap), args.flags)


async def _scheduler_type(driver: Guests, _: Caller, args: rpc.DomainGetSchedulerTypeArgs) -> Struct:
    find(driver, args.dom)
    return rpc.DomainGetSchedulerTypeRet(cpu_shares.scheduler(driver), len(cpu_shares.FIELDS))


async def _scheduler(driver: Guests, _: Caller, args: rpc.DomainGetSchedulerParametersArgs) -> Struct:
    found = await cpu_shares.read(driver, find(driver, args.dom), 0)
    return rpc.DomainGetSchedulerParametersRet(_wire(found, args.nparams))


async def _scheduler_flags(driver: Guests, _: Caller, args: rpc.DomainGetSchedulerParametersFlagsArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetSchedulerParametersFlags")
    found = await cpu_shares.read(driver, find(driver, args.dom), args.flags & _IMPACT)
    return rpc.DomainGetSchedulerParametersFlagsRet(_wire(found, args.nparams))


async def _set_scheduler(driver: Guests, _: Caller, args: rpc.DomainSetSchedulerParametersArgs) -> None:
    values = parameters.numbers(_sent(args.params), cpu_shares.TYPES)
    await cpu_shares.set_(driver, find(driver, args.dom), values, 0)


async def _set_scheduler_flags(driver: Guests, _: Caller, args: rpc.DomainSetSchedulerParametersFlagsArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetSchedulerParametersFlags")
    values = parameters.numbers(_sent(args.params), cpu_shares.TYPES)
    await cpu_shares.set_(driver, find(driver, args.dom), values, args.flags)


# Memory and disks


async def _memory_parameters(driver: Guests, _: Caller, args: rpc.DomainGetMemoryParametersArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetMemoryParameters")
    guest = find(driver, args.dom)
    if not args.nparams:
        memory.check_privilege(driver)
        return rpc.DomainGetMemoryParametersRet([], len(memory.NAMES))
    found = _wire(await memory.read(driver, guest, args.flags & _IMPACT), args.nparams)
    return rpc.DomainGetMemoryParametersRet(found, len(found))


async def _set_memory_parameters(driver: Guests, _: Caller, args: rpc.DomainSetMemoryParametersArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetMemoryParameters")
    values = parameters.numbers(_sent(args.params), memory.TYPES)
    await memory.set_(driver, find(driver, args.dom), values, args.flags)


async def _blkio_parameters(driver: Guests, _: Caller, args: domain_block.DomainGetBlkioParametersArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetBlkioParameters")
    guest = find(driver, args.dom)
    if not args.nparams:
        blkio.check_privilege(driver)
        return domain_block.DomainGetBlkioParametersRet([], len(blkio.TYPES))
    found = _wire(await blkio.read(driver, guest, args.flags & _IMPACT), args.nparams)
    shown = _with_strings(found, args.flags)
    return domain_block.DomainGetBlkioParametersRet(shown, len(shown))


def _with_strings(params: list[TypedParam], bits: int) -> list[TypedParam]:
    """Old clients do not know parameters that are strings."""
    return params if bits & _STRINGS else [one for one in params if one.type != STRING]


async def _set_blkio_parameters(driver: Guests, _: Caller, args: domain_block.DomainSetBlkioParametersArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetBlkioParameters")
    values = parameters.checked(_sent(args.params), blkio.TYPES)
    await blkio.set_(driver, find(driver, args.dom), values, args.flags)


def _numa_parameters(driver: Guests, _: Caller, args: rpc.DomainGetNumaParametersArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetNumaParameters")
    found = numa.read(find(driver, args.dom), args.flags & _IMPACT)
    if not args.nparams:
        return rpc.DomainGetNumaParametersRet([], len(found))
    shown = _with_strings(_wire(found, args.nparams), args.flags)
    return rpc.DomainGetNumaParametersRet(shown, len(shown))


async def _set_numa_parameters(driver: Guests, _: Caller, args: rpc.DomainSetNumaParametersArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetNumaParameters")
    values = parameters.checked(_sent(args.params), numa.TYPES)
    await numa.set_(driver, find(driver, args.dom), values, args.flags)


async def _set_memory(driver: Guests, _: Caller, args: rpc.DomainSetMemoryArgs) -> None:
    _check_amount(args.memory, "virDomainSetMemory")
    await balloon.set_current(driver, find(driver, args.dom), args.memory, flags.LIVE)


async def _set_max_memory(driver: Guests, _: Caller, args: rpc.DomainSetMaxMemoryArgs) -> None:
    _check_amount(args.memory, "virDomainSetMaxMemory")
    await balloon.set_maximum(driver, find(driver, args.dom), args.memory, 0)


async def _set_memory_flags(driver: Guests, _: Caller, args: rpc.DomainSetMemoryFlagsArgs) -> None:
    flags.check(args.flags, _IMPACT | _MAXIMUM, "qemuDomainSetMemoryFlags")
    _check_amount(args.memory, "virDomainSetMemoryFlags")
    change = balloon.set_maximum if args.flags & _MAXIMUM else balloon.set_current
    await change(driver, find(driver, args.dom), args.memory, args.flags & _IMPACT)


def _check_amount(kib: int, function: str) -> None:
    if not kib:
        raise InvalidArgumentError(f"memory in {function} must not be zero", domain=Origin.DOMAIN, bare=True)


async def _set_lifecycle_action(driver: Guests, _: Caller, args: domain.DomainSetLifecycleActionArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetLifecycleAction")
    known = ((args.type, "type", actions.EVENTS), (args.action, "action", actions.ACTIONS))
    for number, word, names in known:
        if number >= len(names):
            raise InvalidArgumentError(
                f"{word} in virDomainSetLifecycleAction must be less than {len(names)}", domain=Origin.DOMAIN, bare=True
            )
    await actions.set_(driver, find(driver, args.dom), args.type, args.action, args.flags)


def _perf_events(driver: Guests, _: Caller, args: domain_stats.DomainGetPerfEventsArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetPerfEvents")
    found = perf.read(find(driver, args.dom), args.flags & _IMPACT)
    return domain_stats.DomainGetPerfEventsRet(_wire(found, len(found)))


async def _set_perf_events(driver: Guests, _: Caller, args: domain_stats.DomainSetPerfEventsArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetPerfEvents")
    wanted = parameters.checked(_sent(args.params), perf.TYPES)
    await perf.set_(driver, find(driver, args.dom), {name: bool(on) for name, on in wanted.items()}, args.flags)


# I/O threads


async def _iothread_info(driver: Guests, _: Caller, args: domain_cpu.DomainGetIothreadInfoArgs) -> Struct:
    flags.check(args.flags, _IMPACT, "qemuDomainGetIOThreadInfo")
    found = await iothreads.information(find(driver, args.dom), args.flags)
    length = (max(bitmaps.online(), default=0) + 8) // 8
    shown = [domain_cpu.DomainIothreadInfo(one.number, bitmaps.bitmap(one.cpus, length)) for one in found]
    return domain_cpu.DomainGetIothreadInfoRet(shown, len(shown))


async def _pin_iothread(driver: Guests, _: Caller, args: domain_cpu.DomainPinIothreadArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainPinIOThread")
    _check_thread(args.iothreads_id)
    cpus = pinning.cpus_of(args.cpumap)
    await pinning.pin_iothread(driver, find(driver, args.dom), args.iothreads_id, cpus, args.flags)


async def _add_iothread(driver: Guests, _: Caller, args: domain_cpu.DomainAddIothreadArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainAddIOThread")
    _check_thread(args.iothread_id)
    await iothreads.add(driver, find(driver, args.dom), args.iothread_id, args.flags)


async def _remove_iothread(driver: Guests, _: Caller, args: domain_cpu.DomainDelIothreadArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainDelIOThread")
    _check_thread(args.iothread_id)
    await iothreads.remove(driver, find(driver, args.dom), args.iothread_id, args.flags)


async def _set_iothread(driver: Guests, _: Caller, args: domain_cpu.DomainSetIothreadParamsArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetIOThreadParams")
    _check_thread(args.iothread_id)
    values = parameters.numbers(_unsigned(_sent(args.params)), iothreads.TYPES)
    await iothreads.set_(driver, find(driver, args.dom), args.iothread_id, values, args.flags)


def _unsigned(params: list[Param]) -> list[Param]:
    """Clients may send the factors signed; as libvirt takes them."""
    factors = ("poll_grow", "poll_shrink")
    return [(name, UINT if name in factors and type_ == INT else type_, value) for name, type_, value in params]


def _check_thread(number: int) -> None:
    if not number:
        raise InvalidArgumentError("invalid value of 0 for iothread_id", domain=Origin.QEMU)


TABLE: dict[Procedure, Handler[Guests]] = {
    domain_cpu.DOMAIN_GET_VCPU_PIN_INFO: read(_vcpu_pin_info),
    domain_cpu.DOMAIN_GET_EMULATOR_PIN_INFO: read(_emulator_pin_info),
    domain_cpu.DOMAIN_PIN_VCPU: write(_pin_vcpu),
    domain_cpu.DOMAIN_PIN_VCPU_FLAGS: write(_pin_vcpu_flags),
    domain_cpu.DOMAIN_PIN_EMULATOR: write(_pin_emulator),
    rpc.DOMAIN_GET_SCHEDULER_TYPE: read(_scheduler_type),
    rpc.DOMAIN_GET_SCHEDULER_PARAMETERS: read(_scheduler),
    rpc.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: read(_scheduler_flags),
    rpc.DOMAIN_SET_SCHEDULER_PARAMETERS: write(_set_scheduler),
    rpc.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: write(_set_scheduler_flags),
    rpc.DOMAIN_GET_MEMORY_PARAMETERS: read(_memory_parameters),
    rpc.DOMAIN_SET_MEMORY_PARAMETERS: write(_set_memory_parameters),
    domain_block.DOMAIN_GET_BLKIO_PARAMETERS: read(_blkio_parameters),
    domain_block.DOMAIN_SET_BLKIO_PARAMETERS: write(_set_blkio_parameters),
    rpc.DOMAIN_GET_NUMA_PARAMETERS: read(_numa_parameters),
    rpc.DOMAIN_SET_NUMA_PARAMETERS: write(_set_numa_parameters),
    rpc.DOMAIN_SET_MEMORY: write(_set_memory),
    rpc.DOMAIN_SET_MAX_MEMORY: write(_set_max_memory),
    rpc.DOMAIN_SET_MEMORY_FLAGS: write(_set_memory_flags),
    domain.DOMAIN_SET_LIFECYCLE_ACTION: write(_set_lifecycle_action),
    domain_stats.DOMAIN_GET_PERF_EVENTS: read(_perf_events),
    domain_stats.DOMAIN_SET_PERF_EVENTS: write(_set_perf_events),
    domain_cpu.DOMAIN_GET_IOTHREAD_INFO: read(_iothread_info),
    domain_cpu.DOMAIN_PIN_IOTHREAD: write(_pin_iothread),
    domain_cpu.DOMAIN_ADD_IOTHREAD: write(_add_iothread),
    domain_cpu.DOMAIN_DEL_IOTHREAD: write(_remove_iothread),
    domain_cpu.DOMAIN_SET_IOTHREAD_PARAMS: write(_set_iothread),
}
