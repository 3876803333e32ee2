"""Procedures for the host itself: processors, memory, pages, suspend.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import (
    CPUMAP_MAX,
    NODE_CPU_STATS_MAX,
    NODE_MAX_CELLS,
    NODE_MEMORY_PARAMETERS_MAX,
    NODE_MEMORY_STATS_MAX,
    NODE_SEV_INFO_MAX,
    SECURITY_DOI_MAX,
    SECURITY_MODEL_MAX,
)
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Annotated, CharField, Chars, Struct, UHyper, UInt


class NodeGetInfoRet(Struct):
    """Reply of virNodeGetInfo."""

    model: Annotated[CharField, 32]
    memory: UHyper
    cpus: int
    mhz: int
    nodes: int
    sockets: int
    cores: int
    threads: int


class NodeGetCellsFreeMemoryArgs(Struct):
    """Arguments of virNodeGetCellsFreeMemory."""

    startCell: int
    maxcells: int


class NodeGetCellsFreeMemoryRet(Struct):
    """Reply of virNodeGetCellsFreeMemory."""

    cells: Annotated[list[UHyper], NODE_MAX_CELLS]


class NodeGetFreeMemoryRet(Struct):
    """Reply of virNodeGetFreeMemory."""

    freeMem: UHyper


class NodeGetSecurityModelRet(Struct):
    """Reply of virNodeGetSecurityModel."""

    model: Annotated[Chars, SECURITY_MODEL_MAX]
    doi: Annotated[Chars, SECURITY_DOI_MAX]


class NodeGetCpuStatsArgs(Struct):
    """Arguments of virNodeGetCPUStats."""

    cpuNum: int
    nparams: int
    flags: UInt = 0


class NodeGetCpuStats(Struct):
    """One counter of a host processor, in nanoseconds or percent."""

    field: str
    value: UHyper


class NodeGetCpuStatsRet(Struct):
    """Reply of virNodeGetCPUStats."""

    params: Annotated[list[NodeGetCpuStats], NODE_CPU_STATS_MAX]
    nparams: int


class NodeGetMemoryStatsArgs(Struct):
    """Arguments of virNodeGetMemoryStats."""

    nparams: int
    cellNum: int
    flags: UInt = 0


class NodeGetMemoryStats(Struct):
    """One figure of the host's memory, in KiB."""

    field: str
    value: UHyper


class NodeGetMemoryStatsRet(Struct):
    """Reply of virNodeGetMemoryStats."""

    params: Annotated[list[NodeGetMemoryStats], NODE_MEMORY_STATS_MAX]
    nparams: int


class NodeSuspendForDurationArgs(Struct):
    """Arguments of virNodeSuspendForDuration."""

    target: UInt
    duration: UHyper
    flags: UInt = 0


class NodeSetMemoryParametersArgs(Struct):
    """Arguments of virNodeSetMemoryParameters."""

    params: Annotated[list[TypedParam], NODE_MEMORY_PARAMETERS_MAX]
    flags: UInt = 0


class NodeGetMemoryParametersArgs(Struct):
    """Arguments of virNodeGetMemoryParameters."""

    nparams: int
    flags: UInt = 0


class NodeGetMemoryParametersRet(Struct):
    """Reply of virNodeGetMemoryParameters."""

    params: Annotated[list[TypedParam], NODE_MEMORY_PARAMETERS_MAX]
    nparams: int


class NodeGetCpuMapArgs(Struct):
    """Arguments of virNodeGetCPUMap."""

    need_map: int
    need_online: int
    flags: UInt = 0


class NodeGetCpuMapRet(Struct):
    """Reply of virNodeGetCPUMap."""

    cpumap: Annotated[bytes, CPUMAP_MAX]
    online: UInt
    ret: int


class NodeGetFreePagesArgs(Struct):
    """Arguments of virNodeGetFreePages."""

    pages: Annotated[list[UInt], NODE_MAX_CELLS]
    startCell: int
    cellCount: UInt
    flags: UInt = 0


class NodeGetFreePagesRet(Struct):
    """Reply of virNodeGetFreePages."""

    counts: Annotated[list[UHyper], NODE_MAX_CELLS]


class NodeAllocPagesArgs(Struct):
    """Arguments of virNodeAllocPages."""

    pageSizes: Annotated[list[UInt], NODE_MAX_CELLS]
    pageCounts: Annotated[list[UHyper], NODE_MAX_CELLS]
    startCell: int
    cellCount: UInt
    flags: UInt = 0


class NodeAllocPagesRet(Struct):
    """Reply of virNodeAllocPages."""

    ret: int


class NodeGetSevInfoArgs(Struct):
    """Arguments of virNodeGetSEVInfo."""

    nparams: int
    flags: UInt = 0


class NodeGetSevInfoRet(Struct):
    """Reply of virNodeGetSEVInfo."""

    params: Annotated[list[TypedParam], NODE_SEV_INFO_MAX]
    nparams: int


_family = Family(REMOTE_PROGRAM)
call = _family.call

NODE_GET_INFO = call(6, "NODE_GET_INFO", None, NodeGetInfoRet, "0.1.0", priority=True)
NODE_GET_CELLS_FREE_MEMORY = call(
    101, "NODE_GET_CELLS_FREE_MEMORY", NodeGetCellsFreeMemoryArgs, NodeGetCellsFreeMemoryRet, "0.3.3", priority=True
)
NODE_GET_FREE_MEMORY = call(102, "NODE_GET_FREE_MEMORY", None, NodeGetFreeMemoryRet, "0.3.3", priority=True)
NODE_GET_SECURITY_MODEL = call(122, "NODE_GET_SECURITY_MODEL", None, NodeGetSecurityModelRet, "0.6.1", priority=True)
NODE_GET_CPU_STATS = call(227, "NODE_GET_CPU_STATS", NodeGetCpuStatsArgs, NodeGetCpuStatsRet, "0.9.3", priority=True)
NODE_GET_MEMORY_STATS = call(
    228, "NODE_GET_MEMORY_STATS", NodeGetMemoryStatsArgs, NodeGetMemoryStatsRet, "0.9.3", priority=True
)
NODE_SUSPEND_FOR_DURATION = call(250, "NODE_SUSPEND_FOR_DURATION", NodeSuspendForDurationArgs, None, "0.9.8")
NODE_SET_MEMORY_PARAMETERS = call(288, "NODE_SET_MEMORY_PARAMETERS", NodeSetMemoryParametersArgs, None, "0.10.2")
NODE_GET_MEMORY_PARAMETERS = call(
    289, "NODE_GET_MEMORY_PARAMETERS", NodeGetMemoryParametersArgs, NodeGetMemoryParametersRet, "0.10.2"
)
NODE_GET_CPU_MAP = call(293, "NODE_GET_CPU_MAP", NodeGetCpuMapArgs, NodeGetCpuMapRet, "1.0.0")
NODE_GET_FREE_PAGES = call(
    340, "NODE_GET_FREE_PAGES", NodeGetFreePagesArgs, NodeGetFreePagesRet, "1.2.6", priority=True
)
NODE_ALLOC_PAGES = call(347, "NODE_ALLOC_PAGES", NodeAllocPagesArgs, NodeAllocPagesRet, "1.2.9")
NODE_GET_SEV_INFO = call(395, "NODE_GET_SEV_INFO", NodeGetSevInfoArgs, NodeGetSevInfoRet, "4.5.0")
