"""The table of the connect driver: the protocol's calls about the host, translated into calls of the driver's rooms.

Calls that take an emulator's path run it, so they need a read-write connection, as in libvirt. A getter of statistics
that is called with room for none answers how many there are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.api import Handler, read, write
from guesthouse.drivers.connect import page_pools, processors
from guesthouse.drivers.connect.emulators import ARCHITECTURES
from guesthouse.drivers.connect.host_document import SECURITY
from guesthouse.drivers.flags import check
from guesthouse.errors import (
    InternalError,
    InvalidArgumentError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.model.cpu_models import X86, table
from guesthouse.rpc.limits import NODE_CPU_STATS_MAX, NODE_MEMORY_PARAMETERS_MAX, NODE_MEMORY_STATS_MAX
from guesthouse.rpc.procedures import connect, node
from guesthouse.rpc.types import TypedParam, uint_param, ullong_param

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.drivers.api import Caller
    from guesthouse.drivers.connect.driver import ConnectDriver
    from guesthouse.rpc.procedure import Procedure

_FAIL_INCOMPATIBLE: Final = 1
_VALIDATE: Final = 2
_EXPAND: Final = 1
_MIGRATABLE: Final = 2
#: `VIR_NODE_ALLOC_PAGES_SET`.
_SET_PAGES: Final = 1
_STRING_OKAY: Final = 4
_NO_DEPRECATED: Final = 1

#: Members of kernel same-page merging that fit 32 bits; the others are counters of 64.
_SMALL_MERGING: Final = frozenset({"pages_to_scan", "sleep_millisecs", "merge_across_nodes"})


def _room(nparams: int, limit: int, exactly: int | None, function: str) -> None:
    """Refuse a number of results that the client says it has room for."""
    if nparams < 0:
        raise InternalError("nparams must be non-negative")
    if nparams > limit:
        raise InternalError("nparams too large")
    if exactly is not None and nparams not in (0, exactly):
        raise InvalidArgumentError(f"nparams in {function} must be equal to {exactly}")


def get_type(driver: ConnectDriver, caller: Caller, args: None) -> connect.ConnectGetTypeRet:
    """VirConnectGetType."""
    return connect.ConnectGetTypeRet(type="QEMU")


async def get_version(driver: ConnectDriver, caller: Caller, args: None) -> connect.ConnectGetVersionRet:
    """virConnectGetVersion: the default emulator's version; 0 where there is none."""
    return connect.ConnectGetVersionRet(hv_ver=await driver.hypervisor_version())


def get_hostname(driver: ConnectDriver, caller: Caller, args: None) -> connect.ConnectGetHostnameRet:
    """VirConnectGetHostname."""
    return connect.ConnectGetHostnameRet(hostname=driver.hostname)


def get_sysinfo(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectGetSysinfoArgs
) -> connect.ConnectGetSysinfoRet:
    """VirConnectGetSysinfo."""
    check(args.flags, 0, "qemuConnectGetSysinfo")
    document = driver.sysinfo()
    if document is None:
        raise UnsupportedConfigError("Host SMBIOS information is not available", domain=Origin.QEMU)
    return connect.ConnectGetSysinfoRet(sysinfo=document)


def get_max_vcpus(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectGetMaxVcpusArgs
) -> connect.ConnectGetMaxVcpusRet:
    """VirConnectGetMaxVcpus."""
    return connect.ConnectGetMaxVcpusRet(max_vcpus=driver.node.max_vcpus(args.type))


async def get_capabilities(driver: ConnectDriver, caller: Caller, args: None) -> connect.ConnectGetCapabilitiesRet:
    """VirConnectGetCapabilities."""
    return connect.ConnectGetCapabilitiesRet(capabilities=await driver.capabilities_document())


async def get_domain_capabilities(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectGetDomainCapabilitiesArgs
) -> connect.ConnectGetDomainCapabilitiesRet:
    """VirConnectGetDomainCapabilities. x86 has no deprecated features, so the flag about them changes nothing."""
    check(args.flags, _NO_DEPRECATED, "qemuConnectGetDomainCapabilities")
    choice = await driver.emulators.choose(args.emulatorbin, args.arch, args.virttype, args.machine)
    return connect.ConnectGetDomainCapabilitiesRet(capabilities=await driver.domain_capabilities_document(choice))


def get_cpu_model_names(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectGetCpuModelNamesArgs
) -> connect.ConnectGetCpuModelNamesRet:
    """virConnectGetCPUModelNames; an architecture without a table of models takes every name that QEMU takes."""
    check(args.flags, 0, "qemuConnectGetCPUModelNames")
    if args.arch not in ARCHITECTURES:
        raise InvalidArgumentError(f"cannot find architecture {args.arch}", domain=Origin.QEMU)
    names = list(table().models) if args.arch in X86 else []
    return connect.ConnectGetCpuModelNamesRet(models=names if args.need_results else [], ret=len(names))


def compare_cpu(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectCompareCpuArgs
) -> connect.ConnectCompareCpuRet:
    """VirConnectCompareCPU."""
    check(args.flags, _FAIL_INCOMPATIBLE | _VALIDATE, "qemuConnectCompareCPU")
    fail, validate = bool(args.flags & _FAIL_INCOMPATIBLE), bool(args.flags & _VALIDATE)
    result = processors.compare_with_host(driver.host_cpu(), args.xml, fail=fail, validate=validate)
    return connect.ConnectCompareCpuRet(result=result)


async def compare_hypervisor_cpu(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectCompareHypervisorCpuArgs
) -> connect.ConnectCompareHypervisorCpuRet:
    """VirConnectCompareHypervisorCPU."""
    check(args.flags, _FAIL_INCOMPATIBLE | _VALIDATE, "qemuConnectCompareHypervisorCPU")
    choice = await driver.emulators.choose(args.emulator, args.arch, args.virttype, args.machine)
    fail, validate = bool(args.flags & _FAIL_INCOMPATIBLE), bool(args.flags & _VALIDATE)
    result = processors.compare_with_emulator(choice, args.xmlCPU, fail=fail, validate=validate)
    return connect.ConnectCompareHypervisorCpuRet(result=result)


def _need_processors(xmls: Sequence[str], function: str) -> None:
    if not xmls:
        raise InvalidArgumentError(f"xmlCPUs in {function} must not be NULL", domain=Origin.DOMAIN, bare=True)


def baseline_cpu(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectBaselineCpuArgs
) -> connect.ConnectBaselineCpuRet:
    """VirConnectBaselineCPU."""
    _need_processors(args.xmlCPUs, "virConnectBaselineCPU")
    check(args.flags, _EXPAND | _MIGRATABLE, "qemuConnectBaselineCPU")
    expanded, migratable = bool(args.flags & _EXPAND), bool(args.flags & _MIGRATABLE)
    return connect.ConnectBaselineCpuRet(cpu=processors.join(args.xmlCPUs, expanded=expanded, migratable=migratable))


async def baseline_hypervisor_cpu(
    driver: ConnectDriver, caller: Caller, args: connect.ConnectBaselineHypervisorCpuArgs
) -> connect.ConnectBaselineHypervisorCpuRet:
    """VirConnectBaselineHypervisorCPU."""
    _need_processors(args.xmlCPUs, "virConnectBaselineHypervisorCPU")
    check(args.flags, _EXPAND | _MIGRATABLE, "qemuConnectBaselineHypervisorCPU")
    choice = await driver.emulators.choose(args.emulator, args.arch, args.virttype, args.machine)
    document = processors.join_for_emulator(
        choice, args.xmlCPUs, expanded=bool(args.flags & _EXPAND), migratable=bool(args.flags & _MIGRATABLE)
    )
    return connect.ConnectBaselineHypervisorCpuRet(cpu=document)


def get_info(driver: ConnectDriver, caller: Caller, args: None) -> node.NodeGetInfoRet:
    """VirNodeGetInfo."""
    info = driver.node.info()
    counts = info.counts
    return node.NodeGetInfoRet(
        model=info.arch.encode()[:31],
        memory=info.memory,
        cpus=counts.cpus,
        mhz=info.mhz,
        nodes=counts.nodes,
        sockets=counts.sockets,
        cores=counts.cores,
        threads=counts.threads,
    )


def get_cpu_stats(driver: ConnectDriver, caller: Caller, args: node.NodeGetCpuStatsArgs) -> node.NodeGetCpuStatsRet:
    """virNodeGetCPUStats, in nanoseconds."""
    check(args.flags, 0, "virHostCPUGetStats", origin=Origin.NONE)
    times = driver.node.cpu_times(args.cpuNum)
    names = ("kernel", "user", "idle", "iowait")
    _room(args.nparams, NODE_CPU_STATS_MAX, len(names), "virNodeGetCPUStats")
    if args.nparams == 0:
        return node.NodeGetCpuStatsRet(params=[], nparams=len(names))
    params = [node.NodeGetCpuStats(field=name, value=getattr(times, name)) for name in names]
    return node.NodeGetCpuStatsRet(params=params, nparams=0)


def get_memory_stats(
    driver: ConnectDriver, caller: Caller, args: node.NodeGetMemoryStatsArgs
) -> node.NodeGetMemoryStatsRet:
    """virNodeGetMemoryStats, in KiB."""
    check(args.flags, 0, "virHostMemGetStats", origin=Origin.NONE)
    stats = driver.node.memory_stats(args.cellNum)
    _room(args.nparams, NODE_MEMORY_STATS_MAX, len(stats), "virNodeGetMemoryStats")
    if args.nparams == 0:
        return node.NodeGetMemoryStatsRet(params=[], nparams=len(stats))
    params = [node.NodeGetMemoryStats(field=name, value=value) for name, value in stats]
    return node.NodeGetMemoryStatsRet(params=params, nparams=0)


def get_free_memory(driver: ConnectDriver, caller: Caller, args: None) -> node.NodeGetFreeMemoryRet:
    """virNodeGetFreeMemory, in bytes."""
    return node.NodeGetFreeMemoryRet(freeMem=driver.node.free_memory())


def get_cells_free_memory(
    driver: ConnectDriver, caller: Caller, args: node.NodeGetCellsFreeMemoryArgs
) -> node.NodeGetCellsFreeMemoryRet:
    """virNodeGetCellsFreeMemory, in bytes."""
    if args.maxcells <= 0:
        raise InvalidArgumentError("maxCells must be greater than zero")
    return node.NodeGetCellsFreeMemoryRet(cells=driver.node.cells_free_memory(args.startCell, args.maxcells))


def get_free_pages(driver: ConnectDriver, caller: Caller, args: node.NodeGetFreePagesArgs) -> node.NodeGetFreePagesRet:
    """virNodeGetFreePages; sizes in KiB."""
    check(args.flags, 0, "qemuNodeGetFreePages")
    if not args.pages or not args.cellCount:
        raise InvalidArgumentError("a size of pages and a number of cells must be given")
    return node.NodeGetFreePagesRet(counts=driver.node.free_pages(args.pages, args.startCell, args.cellCount))


async def alloc_pages(driver: ConnectDriver, caller: Caller, args: node.NodeAllocPagesArgs) -> node.NodeAllocPagesRet:
    """virNodeAllocPages; sizes in KiB."""
    check(args.flags, _SET_PAGES, "qemuNodeAllocPages")
    if not args.pageSizes or not args.cellCount or len(args.pageSizes) != len(args.pageCounts):
        raise InvalidArgumentError("sizes of pages, their numbers and a number of cells must be given")
    wanted = list(zip(args.pageSizes, args.pageCounts, strict=True))
    add = not args.flags & _SET_PAGES
    done = await asyncio.to_thread(
        page_pools.allocate, driver.node.tree, wanted, args.startCell, args.cellCount, add=add
    )
    return node.NodeAllocPagesRet(done)


def get_cpu_map(driver: ConnectDriver, caller: Caller, args: node.NodeGetCpuMapArgs) -> node.NodeGetCpuMapRet:
    """VirNodeGetCPUMap."""
    check(args.flags, 0, "virHostCPUGetMap", origin=Origin.NONE)
    cpus = driver.node.cpus()
    return node.NodeGetCpuMapRet(
        cpumap=cpus.bitmap if args.need_map else b"",
        online=len(cpus.online) if args.need_online else 0,
        ret=max(cpus.present, default=0) + 1,
    )


def get_security_model(driver: ConnectDriver, caller: Caller, args: None) -> node.NodeGetSecurityModelRet:
    """VirNodeGetSecurityModel."""
    return node.NodeGetSecurityModelRet(model=_c_string(SECURITY[0].model), doi=_c_string(SECURITY[0].doi))


def _c_string(text: str) -> bytes:
    """As libvirt's client wants characters: it copies up to the NUL, which must come along."""
    return text.encode() + b"\0"


def get_memory_parameters(
    driver: ConnectDriver, caller: Caller, args: node.NodeGetMemoryParametersArgs
) -> node.NodeGetMemoryParametersRet:
    """virNodeGetMemoryParameters: what the kernel says about merging pages."""
    check(args.flags, _STRING_OKAY, "virHostMemGetParameters", origin=Origin.NONE)
    _room(args.nparams, NODE_MEMORY_PARAMETERS_MAX, None, "virNodeGetMemoryParameters")
    params = [_merging_param(name, value) for name, value in driver.node.merging().items()]
    if args.nparams == 0:
        return node.NodeGetMemoryParametersRet(params=[], nparams=len(params))
    return node.NodeGetMemoryParametersRet(params=params[: args.nparams], nparams=0)


def _merging_param(name: str, value: int) -> TypedParam:
    return (uint_param if name in _SMALL_MERGING else ullong_param)(f"shm_{name}", value)


def get_sev_info(driver: ConnectDriver, caller: Caller, args: node.NodeGetSevInfoArgs) -> node.NodeGetSevInfoRet:
    """virNodeGetSEVInfo: launch security cannot be described yet, so no host has it."""
    check(args.flags, _STRING_OKAY, "qemuNodeGetSEVInfo")
    raise OperationUnsupportedError("QEMU does not support SEV guest")


TABLE: dict[Procedure, Handler[ConnectDriver]] = {
    connect.CONNECT_GET_TYPE: read(get_type),
    connect.CONNECT_GET_VERSION: read(get_version),
    connect.CONNECT_GET_HOSTNAME: read(get_hostname),
    connect.CONNECT_GET_SYSINFO: read(get_sysinfo),
    connect.CONNECT_GET_MAX_VCPUS: read(get_max_vcpus),
    connect.CONNECT_GET_CAPABILITIES: read(get_capabilities),
    connect.CONNECT_GET_DOMAIN_CAPABILITIES: write(get_domain_capabilities),
    connect.CONNECT_GET_CPU_MODEL_NAMES: read(get_cpu_model_names),
    connect.CONNECT_COMPARE_CPU: read(compare_cpu),
    connect.CONNECT_COMPARE_HYPERVISOR_CPU: write(compare_hypervisor_cpu),
    connect.CONNECT_BASELINE_CPU: read(baseline_cpu),
    connect.CONNECT_BASELINE_HYPERVISOR_CPU: write(baseline_hypervisor_cpu),
    node.NODE_GET_INFO: read(get_info),
    node.NODE_GET_CPU_STATS: read(get_cpu_stats),
    node.NODE_GET_MEMORY_STATS: read(get_memory_stats),
    node.NODE_GET_FREE_MEMORY: read(get_free_memory),
    node.NODE_GET_CELLS_FREE_MEMORY: read(get_cells_free_memory),
    node.NODE_GET_FREE_PAGES: read(get_free_pages),
    node.NODE_ALLOC_PAGES: write(alloc_pages),
    node.NODE_GET_CPU_MAP: read(get_cpu_map),
    node.NODE_GET_SECURITY_MODEL: read(get_security_model),
    node.NODE_GET_MEMORY_PARAMETERS: read(get_memory_parameters),
    node.NODE_GET_SEV_INFO: write(get_sev_info),
}
