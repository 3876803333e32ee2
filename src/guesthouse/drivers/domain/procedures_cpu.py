"""Procedures about a guest's processors: how many, where they run, and how they are scheduled."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, Reply, read, write
from guesthouse.drivers.domain import agent, facts, metadata, processors, vcpus
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.procedures_wire import find
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, OperationUnsupportedError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_cpu as rpc
from guesthouse.rpc.procedures import domain_tuning as tuning
from guesthouse.rpc.types import TypedParam, llong_param, ullong_param
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `VIR_DOMAIN_VCPU_MAXIMUM`, `VIR_DOMAIN_VCPU_GUEST` and `VIR_DOMAIN_VCPU_HOTPLUGGABLE`.
_MAXIMUM, _GUEST, _HOTPLUGGABLE = 4, 8, 16

_IMPACT = flags.LIVE | flags.CONFIG

#: `VIR_TYPED_PARAM_STRING_OKAY`: none of these answers has strings.
_STRINGS = 4

#: Where version 2 of the kernel's control groups is the one in use.
_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")

#: What the kernel gives a process that nobody limits: shares and no quota, by the version of control groups.
_UNLIMITED = {1: (1024, -1), 2: (100, 18446744073709551)}

#: The kernel's period of a quota, in microseconds.
_PERIOD = 100_000

_MAPS_LIMIT = 8_388_608


def _max_vcpus(driver: Guests, _: Caller, args: rpc.DomainGetMaxVcpusArgs) -> Struct:
    guest = find(driver, args.dom)
    guest.live()
    return rpc.DomainGetMaxVcpusRet(guest.current.vcpu.maximum)


def _vcpus_flags(driver: Guests, _: Caller, args: rpc.DomainGetVcpusFlagsArgs) -> Reply | Awaitable[Reply]:
    flags.check(args.flags, _IMPACT | _MAXIMUM | _GUEST, "qemuDomainGetVcpusFlags")
    guest = find(driver, args.dom)
    vcpu = metadata.one_definition(guest, args.flags & _IMPACT).vcpu
    if args.flags & _GUEST and not guest.active:
        raise InvalidArgumentError(
            "vCPU count provided by the guest agent can only be requested for live domains", domain=Origin.QEMU
        )
    if args.flags & _GUEST:
        return _vcpus_of_agent(guest, everything=bool(args.flags & _MAXIMUM))
    return rpc.DomainGetVcpusFlagsRet(vcpu.maximum if args.flags & _MAXIMUM else vcpu.online)


async def _vcpus_of_agent(guest: Guest, *, everything: bool) -> Reply:
    online = await agent.processors(guest)
    return rpc.DomainGetVcpusFlagsRet(len(online) if everything else sum(online))


async def _set_vcpus(driver: Guests, _: Caller, args: rpc.DomainSetVcpusArgs) -> None:
    await vcpus.set_online(driver, find(driver, args.dom), args.nvcpus, flags.LIVE)


async def _set_vcpus_flags(driver: Guests, _: Caller, args: rpc.DomainSetVcpusFlagsArgs) -> None:
    flags.check(args.flags, _IMPACT | _MAXIMUM | _GUEST | _HOTPLUGGABLE, "qemuDomainSetVcpusFlags")
    if args.nvcpus == 0:
        raise InvalidArgumentError("nvcpus in virDomainSetVcpusFlags must not be zero", domain=Origin.DOMAIN, bare=True)
    if args.flags & (_GUEST | _HOTPLUGGABLE):
        raise OperationUnsupportedError(
            "setting processors through the guest agent, or as hotpluggable ones, is not supported",
            hint="leave out --guest and --hotpluggable",
        )
    change = vcpus.set_maximum if args.flags & _MAXIMUM else vcpus.set_online
    await change(driver, find(driver, args.dom), args.nvcpus, args.flags & _IMPACT)


def _vcpus(driver: Guests, _: Caller, args: rpc.DomainGetVcpusArgs) -> Struct:
    guest = find(driver, args.dom)
    if guest.run is None:
        raise OperationInvalidError("cannot retrieve vcpu information for inactive domain")
    _check_map(args.maxinfo, args.maplen)
    threads = facts.threads(guest.run)[: max(args.maxinfo, 0)]
    info = [
        rpc.VcpuInfo(number, facts.VCPU_RUNNING, thread.cpu_time, thread.processor)
        for number, thread in enumerate(threads)
    ]
    maps = b"".join(processors.bitmap(processors.affinity(thread), args.maplen) for thread in threads)
    return rpc.DomainGetVcpusRet(info, maps)


def _vcpu_pin_info(driver: Guests, _: Caller, args: rpc.DomainGetVcpuPinInfoArgs) -> Struct:
    flags.check(args.flags, _IMPACT, "qemuDomainGetVcpuPinInfo")
    domain = metadata.one_definition(find(driver, args.dom), args.flags)
    _check_map(args.ncpumaps, args.maplen)
    number = min(max(args.ncpumaps, 0), domain.vcpu.maximum)
    one = processors.bitmap(processors.allowed(domain), args.maplen)
    return rpc.DomainGetVcpuPinInfoRet(one * number, number)


def _emulator_pin_info(driver: Guests, _: Caller, args: rpc.DomainGetEmulatorPinInfoArgs) -> Struct:
    flags.check(args.flags, _IMPACT, "qemuDomainGetEmulatorPinInfo")
    domain = metadata.one_definition(find(driver, args.dom), args.flags)
    _check_map(1, args.maplen)
    return rpc.DomainGetEmulatorPinInfoRet(processors.bitmap(processors.allowed(domain), args.maplen), 1)


def _check_map(count: int, length: int) -> None:
    """Refuse an answer that could not be sent, before any of its maps is made: even none or one may be too long."""
    if length < 0 or max(count, 1) * length > _MAPS_LIMIT:
        raise InvalidArgumentError(f"a map of {count} times {length} bytes is too large")


def _scheduler_type(driver: Guests, _: Caller, args: tuning.DomainGetSchedulerTypeArgs) -> Struct:
    return tuning.DomainGetSchedulerTypeRet("posix", len(_scheduler(find(driver, args.dom), live=False)))


def _scheduler_parameters(driver: Guests, _: Caller, args: tuning.DomainGetSchedulerParametersArgs) -> Struct:
    guest = find(driver, args.dom)
    return tuning.DomainGetSchedulerParametersRet(_scheduler(guest, live=guest.active)[: max(args.nparams, 0)])


def _scheduler_parameters_flags(
    driver: Guests, _: Caller, args: tuning.DomainGetSchedulerParametersFlagsArgs
) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetSchedulerParametersFlags")
    guest = find(driver, args.dom)
    metadata.one_definition(guest, args.flags & _IMPACT)
    live, _config = metadata.chosen(guest, args.flags & _IMPACT)
    return tuning.DomainGetSchedulerParametersFlagsRet(_scheduler(guest, live=live)[: max(args.nparams, 0)])


def _scheduler(_: Guest, *, live: bool) -> list[TypedParam]:
    """The parameters, in libvirt's order. Nothing is limited, since no definition can say so yet."""
    shares, quota = _UNLIMITED[2 if _UNIFIED.exists() else 1] if live else (0, 0)
    period = _PERIOD if live else 0
    params = [ullong_param("cpu_shares", shares)]
    for what in ("vcpu", "emulator", "global", "iothread"):
        params += (ullong_param(f"{what}_period", period), llong_param(f"{what}_quota", quota))
    return params


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_MAX_VCPUS: read(_max_vcpus),
    rpc.DOMAIN_GET_VCPUS_FLAGS: read(_vcpus_flags),
    rpc.DOMAIN_GET_VCPUS: read(_vcpus),
    rpc.DOMAIN_SET_VCPUS: write(_set_vcpus),
    rpc.DOMAIN_SET_VCPUS_FLAGS: write(_set_vcpus_flags),
    rpc.DOMAIN_GET_VCPU_PIN_INFO: read(_vcpu_pin_info),
    rpc.DOMAIN_GET_EMULATOR_PIN_INFO: read(_emulator_pin_info),
    tuning.DOMAIN_GET_SCHEDULER_TYPE: read(_scheduler_type),
    tuning.DOMAIN_GET_SCHEDULER_PARAMETERS: read(_scheduler_parameters),
    tuning.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: read(_scheduler_parameters_flags),
}
