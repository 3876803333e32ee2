"""Procedures about a guest's processors: how many, which, and where they run now."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, Reply, read, write
from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.agent import vcpus as agent_vcpus
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.statistics import facts
from guesthouse.drivers.domain.vcpus import bitmaps
from guesthouse.drivers.domain.vcpus import count as vcpus
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, Origin
from guesthouse.model.kinds import parse_cpuset
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_cpu as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `VIR_DOMAIN_VCPU_MAXIMUM`, `VIR_DOMAIN_VCPU_GUEST` and `VIR_DOMAIN_VCPU_HOTPLUGGABLE`.
_MAXIMUM, _GUEST, _HOTPLUGGABLE = 4, 8, 16

_IMPACT = flags.LIVE | flags.CONFIG

_MAPS_LIMIT = 8_388_608


def _max_vcpus(driver: Guests, _: Caller, args: rpc.DomainGetMaxVcpusArgs) -> Struct:
    guest = find(driver, args.dom)
    guest.live()
    return rpc.DomainGetMaxVcpusRet(guest.current.vcpu.maximum)


def _vcpus_flags(driver: Guests, caller: Caller, args: rpc.DomainGetVcpusFlagsArgs) -> Reply | Awaitable[Reply]:
    flags.check(args.flags, _IMPACT | _MAXIMUM | _GUEST, "qemuDomainGetVcpusFlags")
    if args.flags & _GUEST:
        flags.need_write(caller, "virDomainGetVcpusFlags")
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
    known = await agent_vcpus.read(guest)
    return rpc.DomainGetVcpusFlagsRet(len(known) if everything else sum(one.online for one in known))


async def _set_vcpus(driver: Guests, _: Caller, args: rpc.DomainSetVcpusArgs) -> None:
    await vcpus.set_online(driver, find(driver, args.dom), args.nvcpus, flags.LIVE)


async def _set_vcpus_flags(driver: Guests, _: Caller, args: rpc.DomainSetVcpusFlagsArgs) -> None:
    flags.check(args.flags, _IMPACT | _MAXIMUM | _GUEST | _HOTPLUGGABLE, "qemuDomainSetVcpusFlags")
    if args.nvcpus == 0:
        raise InvalidArgumentError("nvcpus in virDomainSetVcpusFlags must not be zero", domain=Origin.DOMAIN, bare=True)
    guest = find(driver, args.dom)
    impact = args.flags & _IMPACT
    if args.flags & _GUEST:
        metadata.chosen(guest, impact)
        await agent_vcpus.set_count(guest, args.nvcpus)
    elif args.flags & _MAXIMUM:
        await vcpus.set_maximum(driver, guest, args.nvcpus, impact)
    else:
        hotpluggable = bool(args.flags & _HOTPLUGGABLE)
        await vcpus.set_online(driver, guest, args.nvcpus, impact, hotpluggable=hotpluggable)


async def _set_vcpu(driver: Guests, _: Caller, args: rpc.DomainSetVcpuArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetVcpu")
    if args.state not in (0, 1):
        raise InvalidArgumentError("state in qemuDomainSetVcpu must be zero or one", domain=Origin.QEMU, bare=True)
    numbers = parsed_map(args.cpumap)
    if not numbers:
        raise InvalidArgumentError("no vcpus selected for modification", domain=Origin.QEMU)
    await vcpus.set_states(driver, find(driver, args.dom), numbers, args.flags, on=bool(args.state))


def parsed_map(text: str) -> frozenset[int]:
    """The numbers of a set such as `0-3,7`. Raises `InvalidArgumentError`."""
    try:
        return parse_cpuset(text)
    except ValueError:
        raise InvalidArgumentError(f"Failed to parse bitmap '{text}'") from None


def _vcpus(driver: Guests, _: Caller, args: rpc.DomainGetVcpusArgs) -> Struct:
    guest = find(driver, args.dom)
    if guest.run is None:
        raise OperationInvalidError("cannot retrieve vcpu information for inactive domain")
    check_map(args.maxinfo, args.maplen)
    threads = facts.threads(guest.run)[: max(args.maxinfo, 0)]
    info = [
        rpc.VcpuInfo(number, facts.VCPU_RUNNING, thread.cpu_time, thread.processor)
        for number, thread in zip(guest.run.readings.vcpu_numbers, threads, strict=False)
    ]
    maps = b"".join(bitmaps.bitmap(bitmaps.affinity(thread), args.maplen) for thread in threads)
    return rpc.DomainGetVcpusRet(info, maps)


def check_map(count: int, length: int) -> None:
    """Refuse an answer that could not be sent, before any of its maps is made: even none or one may be too long."""
    if length < 0 or max(count, 1) * length > _MAPS_LIMIT:
        raise InvalidArgumentError(f"a map of {count} times {length} bytes is too large")


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_MAX_VCPUS: read(_max_vcpus),
    rpc.DOMAIN_GET_VCPUS_FLAGS: read(_vcpus_flags),
    rpc.DOMAIN_GET_VCPUS: read(_vcpus),
    rpc.DOMAIN_SET_VCPUS: write(_set_vcpus),
    rpc.DOMAIN_SET_VCPUS_FLAGS: write(_set_vcpus_flags),
    rpc.DOMAIN_SET_VCPU: write(_set_vcpu),
}
