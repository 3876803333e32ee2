"""Procedures that count: processor time, memory, disks, networks, and all of it for all guests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, Reply, read, write
from guesthouse.drivers.domain import devices, filters, taints
from guesthouse.drivers.domain.disks import info as block_info
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.memory.balloon import set_period
from guesthouse.drivers.domain.procedures.wire import counted, find, handle_bytes, uint
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.statistics import block, groups, memory, polling, processor_figures
from guesthouse.errors import InvalidArgumentError, NoSuchDomainError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain as basic
from guesthouse.rpc.procedures import domain_stats as rpc
from guesthouse.rpc.procedures import domain_tuning as tuning
from guesthouse.rpc.types import Encoded, TypedParam, llong_param
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_STRINGS = 4
_NOWAIT, _BACKING, _ENFORCE = 1 << 29, 1 << 30, 1 << 31
_STATS_FILTERS = 0xFF

#: Name of a parameter of BLOCK_STATS_FLAGS and QEMU's counter, in libvirt's order.
_BLOCK_PARAMS = (
    ("wr_bytes", "wr_bytes"),
    ("wr_operations", "wr_operations"),
    ("rd_bytes", "rd_bytes"),
    ("rd_operations", "rd_operations"),
    ("flush_operations", "flush_operations"),
    ("wr_total_times", "wr_total_time_ns"),
    ("rd_total_times", "rd_total_time_ns"),
    ("flush_total_times", "flush_total_time_ns"),
)


def _all_stats(driver: Guests, _: Caller, args: rpc.ConnectGetAllDomainStatsArgs) -> Reply | Awaitable[Reply]:
    flags.check(args.flags, _STATS_FILTERS | _NOWAIT | _BACKING | _ENFORCE, "qemuConnectGetAllDomainStats")
    groups.check(args.stats, enforce=bool(args.flags & _ENFORCE))
    named = [driver.registry.by_uuid.get(dom.uuid) for dom in args.doms]
    if args.doms and None in named:
        missing = args.doms[named.index(None)]
        raise NoSuchDomainError(f"no domain with matching uuid ({missing.name})")
    guests = filters.select([guest for guest in named if guest] if args.doms else driver.registry, args.flags & 0xFF)
    wish = groups.Wish(args.stats, bool(args.flags & _BACKING), driver.image_sizes.of)
    asked: list[Run] = []
    if wish.has(groups.FROM_QEMU):
        asked = [g.run for g in guests if g.run is not None and polling.wants_monitor(g.run, args.stats)]
    off = [guest for guest in guests if guest.run is None and _images(guest)] if wish.has(groups.BLOCK) else []
    if asked or off:
        return _refreshed(driver, guests, wish, asked, off)
    return _records(guests, wish)


async def _refreshed(
    driver: Guests, guests: list[Guest], wish: groups.Wish, asked: list[Run], off: list[Guest]
) -> Reply:
    """The records, after the QEMUs of some guests and the images of others were looked at."""
    paths = [path for guest in off for path in _images(guest)]
    _, changed = await asyncio.gather(
        polling.refresh(asked, wish.groups), driver.image_sizes.refresh(paths, polling.PATIENCE)
    )
    if changed:
        for guest in off:
            guest.wire.clear()
    return _records([guest for guest in guests if not guest.removed], wish)


def _images(guest: Guest) -> list[str]:
    """The paths of a guest's local images."""
    return [disk.path for disk in guest.current.devices.disks if disk.path]


def _records(guests: list[Guest], wish: groups.Wish) -> Encoded:
    return counted([_record(guest, wish) for guest in guests])


def _record(guest: Guest, wish: groups.Wish) -> bytes:
    """One guest's record. That of a guest that is off changes only with its definition and its images, and is kept."""
    key = f"stats{wish.groups},{wish.backing}"
    known = None if guest.active else guest.wire.get(key)
    if isinstance(known, bytes):
        return known
    params = groups.gather(guest, wish)
    parts = [handle_bytes(guest), uint(len(params))]
    for param in params:
        TypedParam(*param).encode_into(parts)
    data = b"".join(parts)
    if not guest.active:
        guest.wire[key] = data
    return data


def _cpu_stats(driver: Guests, _: Caller, args: rpc.DomainGetCpuStatsArgs) -> Struct:
    flags.check(args.flags, _STRINGS, "qemuDomainGetCPUStats")
    guest = find(driver, args.dom)
    guest.live()
    if args.start_cpu == -1:
        params = [TypedParam(*param) for param in processor_figures.total(guest)]
        if not args.nparams:
            return rpc.DomainGetCpuStatsRet([], len(params))
        return rpc.DomainGetCpuStatsRet(params[: args.nparams], min(len(params), args.nparams))
    found = processor_figures.per_processor(guest.live())
    if not args.ncpus:
        return rpc.DomainGetCpuStatsRet([], len(found))
    if not args.nparams:
        return rpc.DomainGetCpuStatsRet([], processor_figures.PER_PROCESSOR)
    chosen = processor_figures.chosen(found, args.start_cpu, args.ncpus)
    return rpc.DomainGetCpuStatsRet([TypedParam(*param) for param in chosen], processor_figures.PER_PROCESSOR)


async def _memory_stats(driver: Guests, _: Caller, args: rpc.DomainMemoryStatsArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainMemoryStats")
    guest = find(driver, args.dom)
    await polling.refresh([guest.live()], groups.BALLOON)
    found = memory.tagged(guest, guest.live())[: args.maxStats]
    return rpc.DomainMemoryStatsRet([rpc.DomainMemoryStat(tag, value) for tag, value in found])


async def _disk_counters(guest: Guest, path: str) -> dict[str, int]:
    run = guest.live()
    disks = run.live.devices.disks
    if path:
        disk = devices.disk_named(run.live, path)
        if disk is None:
            raise InvalidArgumentError(f"invalid path: {path}", domain=Origin.QEMU)
        disks = [disk]
    await polling.refresh_or_fail(run)
    total: dict[str, int] = {}
    for disk in disks:
        for name, value in block.disk_counters(run, disk).items():
            total[name] = total.get(name, 0) + value
    return total


async def _block_stats(driver: Guests, _: Caller, args: rpc.DomainBlockStatsArgs) -> Struct:
    counters = await _disk_counters(find(driver, args.dom), args.path)
    reads, bytes_read, writes, bytes_written = (
        counters.get(name, 0) for name in ("rd_operations", "rd_bytes", "wr_operations", "wr_bytes")
    )
    return rpc.DomainBlockStatsRet(reads, bytes_read, writes, bytes_written, errs=-1)


async def _block_stats_flags(driver: Guests, _: Caller, args: rpc.DomainBlockStatsFlagsArgs) -> Struct:
    flags.check(args.flags, _STRINGS, "qemuDomainBlockStatsFlags")
    counters = await _disk_counters(find(driver, args.dom), args.path)
    params = [llong_param(name, counters.get(key, 0)) for name, key in _BLOCK_PARAMS]
    if not args.nparams:
        return rpc.DomainBlockStatsFlagsRet([], len(params))
    chosen = params[: max(args.nparams, 0)]
    return rpc.DomainBlockStatsFlagsRet(chosen, len(chosen))


async def _block_info(driver: Guests, _: Caller, args: rpc.DomainGetBlockInfoArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetBlockInfo")
    info = await block_info.of(find(driver, args.dom), args.path)
    return rpc.DomainGetBlockInfoRet(info.allocation, info.capacity, info.physical)


async def _disk_errors(driver: Guests, _: Caller, args: rpc.DomainGetDiskErrorsArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetDiskErrors")
    guest = find(driver, args.dom)
    run = guest.live()
    if not args.maxerrors:
        return rpc.DomainGetDiskErrorsRet([], len(run.live.devices.disks))
    errors = [rpc.DomainDiskError(name, code) for name, code in await block_info.errors(run)][: args.maxerrors]
    return rpc.DomainGetDiskErrorsRet(errors, len(errors))


async def _set_memory_stats_period(driver: Guests, _: Caller, args: tuning.DomainSetMemoryStatsPeriodArgs) -> None:
    flags.check(args.flags, flags.LIVE | flags.CONFIG, "qemuDomainSetMemoryStatsPeriod")
    await set_period(driver, find(driver, args.dom), args.period, args.flags)


def _max_memory(driver: Guests, _: Caller, args: tuning.DomainGetMaxMemoryArgs) -> Struct:
    return tuning.DomainGetMaxMemoryRet(find(driver, args.dom).current.memory.kib)


def _messages(driver: Guests, _: Caller, args: rpc.DomainGetMessagesArgs) -> Struct:
    flags.check(args.flags, taints.DEPRECATION | taints.TAINTING | taints.IO_ERRORS, "qemuDomainGetMessages")
    return rpc.DomainGetMessagesRet(taints.messages(find(driver, args.dom), args.flags))


def _security_label(driver: Guests, _: Caller, args: basic.DomainGetSecurityLabelArgs) -> Struct:
    find(driver, args.dom)
    return basic.DomainGetSecurityLabelRet(b"\0", 0)


def _security_labels(driver: Guests, _: Caller, args: basic.DomainGetSecurityLabelListArgs) -> Struct:
    find(driver, args.dom)
    return basic.DomainGetSecurityLabelListRet([], 0)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.CONNECT_GET_ALL_DOMAIN_STATS: read(_all_stats),
    rpc.DOMAIN_GET_CPU_STATS: read(_cpu_stats),
    rpc.DOMAIN_MEMORY_STATS: read(_memory_stats),
    rpc.DOMAIN_BLOCK_STATS: read(_block_stats),
    rpc.DOMAIN_BLOCK_STATS_FLAGS: read(_block_stats_flags),
    rpc.DOMAIN_GET_BLOCK_INFO: read(_block_info),
    rpc.DOMAIN_GET_DISK_ERRORS: read(_disk_errors),
    rpc.DOMAIN_GET_MESSAGES: read(_messages),
    tuning.DOMAIN_SET_MEMORY_STATS_PERIOD: write(_set_memory_stats_period),
    tuning.DOMAIN_GET_MAX_MEMORY: read(_max_memory),
    basic.DOMAIN_GET_SECURITY_LABEL: read(_security_label),
    basic.DOMAIN_GET_SECURITY_LABEL_LIST: read(_security_labels),
}
