"""Procedures for statistics of guests, and reading their memory and disks.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import (
    CONNECT_GET_ALL_DOMAIN_STATS_MAX,
    DOMAIN_BLOCK_PEEK_BUFFER_MAX,
    DOMAIN_BLOCK_STATS_PARAMETERS_MAX,
    DOMAIN_DISK_ERRORS_MAX,
    DOMAIN_GET_CPU_STATS_MAX,
    DOMAIN_LIST_MAX,
    DOMAIN_MEMORY_PEEK_BUFFER_MAX,
    DOMAIN_MEMORY_STATS_MAX,
    DOMAIN_MESSAGES_MAX,
    DOMAIN_PERF_EVENTS_MAX,
)
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UHyper, UInt


class DomainBlockStatsArgs(Struct):
    """Arguments of virDomainBlockStats."""

    dom: NonnullDomain
    path: str


class DomainBlockStatsRet(Struct):
    """Reply of virDomainBlockStats."""

    rd_req: Hyper
    rd_bytes: Hyper
    wr_req: Hyper
    wr_bytes: Hyper
    errs: Hyper


class DomainInterfaceStatsArgs(Struct):
    """Arguments of virDomainInterfaceStats."""

    dom: NonnullDomain
    device: str


class DomainInterfaceStatsRet(Struct):
    """Reply of virDomainInterfaceStats."""

    rx_bytes: Hyper
    rx_packets: Hyper
    rx_errs: Hyper
    rx_drop: Hyper
    tx_bytes: Hyper
    tx_packets: Hyper
    tx_errs: Hyper
    tx_drop: Hyper


class DomainBlockPeekArgs(Struct):
    """Arguments of virDomainBlockPeek."""

    dom: NonnullDomain
    path: str
    offset: UHyper
    size: UInt
    flags: UInt = 0


class DomainBlockPeekRet(Struct):
    """Reply of virDomainBlockPeek."""

    buffer: Annotated[bytes, DOMAIN_BLOCK_PEEK_BUFFER_MAX]


class DomainMemoryPeekArgs(Struct):
    """Arguments of virDomainMemoryPeek."""

    dom: NonnullDomain
    offset: UHyper
    size: UInt
    flags: UInt = 0


class DomainMemoryPeekRet(Struct):
    """Reply of virDomainMemoryPeek."""

    buffer: Annotated[bytes, DOMAIN_MEMORY_PEEK_BUFFER_MAX]


class DomainMemoryStatsArgs(Struct):
    """Arguments of virDomainMemoryStats."""

    dom: NonnullDomain
    maxStats: UInt
    flags: UInt = 0


class DomainMemoryStat(Struct):
    """One figure of a guest's memory; `tag` is one of `virDomainMemoryStatTags`."""

    tag: int
    val: UHyper


class DomainMemoryStatsRet(Struct):
    """Reply of virDomainMemoryStats."""

    stats: Annotated[list[DomainMemoryStat], DOMAIN_MEMORY_STATS_MAX]


class DomainGetBlockInfoArgs(Struct):
    """Arguments of virDomainGetBlockInfo."""

    dom: NonnullDomain
    path: str
    flags: UInt = 0


class DomainGetBlockInfoRet(Struct):
    """Reply of virDomainGetBlockInfo."""

    allocation: UHyper
    capacity: UHyper
    physical: UHyper


class DomainBlockStatsFlagsArgs(Struct):
    """Arguments of virDomainBlockStatsFlags."""

    dom: NonnullDomain
    path: str
    nparams: int
    flags: UInt = 0


class DomainBlockStatsFlagsRet(Struct):
    """Reply of virDomainBlockStatsFlags."""

    params: Annotated[list[TypedParam], DOMAIN_BLOCK_STATS_PARAMETERS_MAX]
    nparams: int


class DomainGetCpuStatsArgs(Struct):
    """Arguments of virDomainGetCPUStats."""

    dom: NonnullDomain
    nparams: UInt
    start_cpu: int
    ncpus: UInt
    flags: UInt = 0


class DomainGetCpuStatsRet(Struct):
    """Reply of virDomainGetCPUStats."""

    params: Annotated[list[TypedParam], DOMAIN_GET_CPU_STATS_MAX]
    nparams: int


class DomainGetDiskErrorsArgs(Struct):
    """Arguments of virDomainGetDiskErrors."""

    dom: NonnullDomain
    maxerrors: UInt
    flags: UInt = 0


class DomainDiskError(Struct):
    """A disk that had I/O errors; `error` is one of `virDomainDiskErrorCode`."""

    disk: str
    error: int


class DomainGetDiskErrorsRet(Struct):
    """Reply of virDomainGetDiskErrors."""

    errors: Annotated[list[DomainDiskError], DOMAIN_DISK_ERRORS_MAX]
    nerrors: int


class ConnectGetAllDomainStatsArgs(Struct):
    """Arguments of virConnectGetAllDomainStats."""

    doms: Annotated[list[NonnullDomain], DOMAIN_LIST_MAX]
    stats: UInt
    flags: UInt = 0


class DomainStatsRecord(Struct):
    """The statistics of one guest."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], CONNECT_GET_ALL_DOMAIN_STATS_MAX]


class ConnectGetAllDomainStatsRet(Struct):
    """Reply of virConnectGetAllDomainStats."""

    retStats: Annotated[list[DomainStatsRecord], DOMAIN_LIST_MAX]


class DomainGetPerfEventsArgs(Struct):
    """Arguments of virDomainGetPerfEvents."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetPerfEventsRet(Struct):
    """Reply of virDomainGetPerfEvents."""

    params: Annotated[list[TypedParam], DOMAIN_PERF_EVENTS_MAX]


class DomainSetPerfEventsArgs(Struct):
    """Arguments of virDomainSetPerfEvents."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_PERF_EVENTS_MAX]
    flags: UInt = 0


class DomainGetMessagesArgs(Struct):
    """Arguments of virDomainGetMessages."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetMessagesRet(Struct):
    """Reply of virDomainGetMessages."""

    msgs: Annotated[list[str], DOMAIN_MESSAGES_MAX]


class DomainStartDirtyRateCalcArgs(Struct):
    """Arguments of virDomainStartDirtyRateCalc."""

    dom: NonnullDomain
    seconds: int
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_BLOCK_STATS = call(64, "DOMAIN_BLOCK_STATS", DomainBlockStatsArgs, DomainBlockStatsRet, "0.3.2")
DOMAIN_INTERFACE_STATS = call(
    65, "DOMAIN_INTERFACE_STATS", DomainInterfaceStatsArgs, DomainInterfaceStatsRet, "0.3.2", priority=True
)
DOMAIN_BLOCK_PEEK = call(103, "DOMAIN_BLOCK_PEEK", DomainBlockPeekArgs, DomainBlockPeekRet, "0.4.2")
DOMAIN_MEMORY_PEEK = call(104, "DOMAIN_MEMORY_PEEK", DomainMemoryPeekArgs, DomainMemoryPeekRet, "0.4.2")
DOMAIN_MEMORY_STATS = call(159, "DOMAIN_MEMORY_STATS", DomainMemoryStatsArgs, DomainMemoryStatsRet, "0.7.5")
DOMAIN_GET_BLOCK_INFO = call(194, "DOMAIN_GET_BLOCK_INFO", DomainGetBlockInfoArgs, DomainGetBlockInfoRet, "0.8.1")
DOMAIN_BLOCK_STATS_FLAGS = call(
    243, "DOMAIN_BLOCK_STATS_FLAGS", DomainBlockStatsFlagsArgs, DomainBlockStatsFlagsRet, "0.9.5"
)
DOMAIN_GET_CPU_STATS = call(262, "DOMAIN_GET_CPU_STATS", DomainGetCpuStatsArgs, DomainGetCpuStatsRet, "0.9.10")
DOMAIN_GET_DISK_ERRORS = call(263, "DOMAIN_GET_DISK_ERRORS", DomainGetDiskErrorsArgs, DomainGetDiskErrorsRet, "0.9.10")
CONNECT_GET_ALL_DOMAIN_STATS = call(
    344, "CONNECT_GET_ALL_DOMAIN_STATS", ConnectGetAllDomainStatsArgs, ConnectGetAllDomainStatsRet, "1.2.8"
)
DOMAIN_GET_PERF_EVENTS = call(365, "DOMAIN_GET_PERF_EVENTS", DomainGetPerfEventsArgs, DomainGetPerfEventsRet, "1.3.3")
DOMAIN_SET_PERF_EVENTS = call(366, "DOMAIN_SET_PERF_EVENTS", DomainSetPerfEventsArgs, None, "1.3.3")
DOMAIN_GET_MESSAGES = call(426, "DOMAIN_GET_MESSAGES", DomainGetMessagesArgs, DomainGetMessagesRet, "7.1.0")
DOMAIN_START_DIRTY_RATE_CALC = call(427, "DOMAIN_START_DIRTY_RATE_CALC", DomainStartDirtyRateCalcArgs, None, "7.2.0")
