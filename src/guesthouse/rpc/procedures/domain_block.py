"""Procedures for a guest's disks at work: jobs on them, sizes, limits of throughput.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import (
    DOMAIN_BLKIO_PARAMETERS_MAX,
    DOMAIN_BLOCK_COPY_PARAMETERS_MAX,
    DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX,
)
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class DomainSetBlkioParametersArgs(Struct):
    """Arguments of virDomainSetBlkioParameters."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_BLKIO_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetBlkioParametersArgs(Struct):
    """Arguments of virDomainGetBlkioParameters."""

    dom: NonnullDomain
    nparams: int
    flags: UInt = 0


class DomainGetBlkioParametersRet(Struct):
    """Reply of virDomainGetBlkioParameters."""

    params: Annotated[list[TypedParam], DOMAIN_BLKIO_PARAMETERS_MAX]
    nparams: int


class DomainBlockJobAbortArgs(Struct):
    """Arguments of virDomainBlockJobAbort."""

    dom: NonnullDomain
    path: str
    flags: UInt = 0


class DomainGetBlockJobInfoArgs(Struct):
    """Arguments of virDomainGetBlockJobInfo."""

    dom: NonnullDomain
    path: str
    flags: UInt = 0


class DomainGetBlockJobInfoRet(Struct):
    """Reply of virDomainGetBlockJobInfo."""

    found: int
    type: int
    bandwidth: UHyper
    cur: UHyper
    end: UHyper


class DomainBlockJobSetSpeedArgs(Struct):
    """Arguments of virDomainBlockJobSetSpeed."""

    dom: NonnullDomain
    path: str
    bandwidth: UHyper
    flags: UInt = 0


class DomainBlockPullArgs(Struct):
    """Arguments of virDomainBlockPull."""

    dom: NonnullDomain
    path: str
    bandwidth: UHyper
    flags: UInt = 0


class DomainBlockResizeArgs(Struct):
    """Arguments of virDomainBlockResize."""

    dom: NonnullDomain
    disk: str
    size: UHyper
    flags: UInt = 0


class DomainSetBlockIoTuneArgs(Struct):
    """Arguments of virDomainSetBlockIoTune."""

    dom: NonnullDomain
    disk: str
    params: Annotated[list[TypedParam], DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetBlockIoTuneArgs(Struct):
    """Arguments of virDomainGetBlockIoTune."""

    dom: NonnullDomain
    disk: str | None
    nparams: int
    flags: UInt = 0


class DomainGetBlockIoTuneRet(Struct):
    """Reply of virDomainGetBlockIoTune."""

    params: Annotated[list[TypedParam], DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX]
    nparams: int


class DomainBlockRebaseArgs(Struct):
    """Arguments of virDomainBlockRebase."""

    dom: NonnullDomain
    path: str
    base: str | None
    bandwidth: UHyper
    flags: UInt = 0


class DomainBlockCommitArgs(Struct):
    """Arguments of virDomainBlockCommit."""

    dom: NonnullDomain
    disk: str
    base: str | None
    top: str | None
    bandwidth: UHyper
    flags: UInt = 0


class DomainBlockCopyArgs(Struct):
    """Arguments of virDomainBlockCopy."""

    dom: NonnullDomain
    path: str
    destxml: str
    params: Annotated[list[TypedParam], DOMAIN_BLOCK_COPY_PARAMETERS_MAX]
    flags: UInt = 0


class DomainSetBlockThresholdArgs(Struct):
    """Arguments of virDomainSetBlockThreshold."""

    dom: NonnullDomain
    dev: str
    threshold: UHyper
    flags: UInt = 0


class DomainSetThrottleGroupArgs(Struct):
    """Arguments of virDomainSetThrottleGroup."""

    dom: NonnullDomain
    group: str
    params: Annotated[list[TypedParam], DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX]
    flags: UInt = 0


class DomainDelThrottleGroupArgs(Struct):
    """Arguments of virDomainDelThrottleGroup."""

    dom: NonnullDomain
    group: str | None = None
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_SET_BLKIO_PARAMETERS = call(205, "DOMAIN_SET_BLKIO_PARAMETERS", DomainSetBlkioParametersArgs, None, "0.9.0")
DOMAIN_GET_BLKIO_PARAMETERS = call(
    206, "DOMAIN_GET_BLKIO_PARAMETERS", DomainGetBlkioParametersArgs, DomainGetBlkioParametersRet, "0.9.0"
)
DOMAIN_BLOCK_JOB_ABORT = call(237, "DOMAIN_BLOCK_JOB_ABORT", DomainBlockJobAbortArgs, None, "0.9.4")
DOMAIN_GET_BLOCK_JOB_INFO = call(
    238, "DOMAIN_GET_BLOCK_JOB_INFO", DomainGetBlockJobInfoArgs, DomainGetBlockJobInfoRet, "0.9.4"
)
DOMAIN_BLOCK_JOB_SET_SPEED = call(239, "DOMAIN_BLOCK_JOB_SET_SPEED", DomainBlockJobSetSpeedArgs, None, "0.9.4")
DOMAIN_BLOCK_PULL = call(240, "DOMAIN_BLOCK_PULL", DomainBlockPullArgs, None, "0.9.4")
DOMAIN_BLOCK_RESIZE = call(251, "DOMAIN_BLOCK_RESIZE", DomainBlockResizeArgs, None, "0.9.8")
DOMAIN_SET_BLOCK_IO_TUNE = call(252, "DOMAIN_SET_BLOCK_IO_TUNE", DomainSetBlockIoTuneArgs, None, "0.9.8")
DOMAIN_GET_BLOCK_IO_TUNE = call(
    253, "DOMAIN_GET_BLOCK_IO_TUNE", DomainGetBlockIoTuneArgs, DomainGetBlockIoTuneRet, "0.9.8"
)
DOMAIN_BLOCK_REBASE = call(266, "DOMAIN_BLOCK_REBASE", DomainBlockRebaseArgs, None, "0.9.10")
DOMAIN_BLOCK_COMMIT = call(290, "DOMAIN_BLOCK_COMMIT", DomainBlockCommitArgs, None, "0.10.2")
DOMAIN_BLOCK_COPY = call(345, "DOMAIN_BLOCK_COPY", DomainBlockCopyArgs, None, "1.2.8")
DOMAIN_SET_BLOCK_THRESHOLD = call(386, "DOMAIN_SET_BLOCK_THRESHOLD", DomainSetBlockThresholdArgs, None, "3.1.0")
DOMAIN_SET_THROTTLE_GROUP = call(451, "DOMAIN_SET_THROTTLE_GROUP", DomainSetThrottleGroupArgs, None, "11.2.0")
DOMAIN_DEL_THROTTLE_GROUP = call(452, "DOMAIN_DEL_THROTTLE_GROUP", DomainDelThrottleGroupArgs, None, "11.2.0")
