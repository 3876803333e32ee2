"""Procedures that watch and abort a guest's job; and the empty answers about saved states and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import checkpoint, snapshot
from guesthouse.rpc.procedures import domain_save as rpc
from guesthouse.rpc.types import TypedParam, int_param, ullong_param
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainControlState`.
_OK, _JOB, _OCCUPIED, _ERROR = range(4)

#: `virDomainGetJobStatsFlags`: the last finished job, kept afterwards.
_COMPLETED, _KEEP = 1, 2

#: Fields of GET_JOB_INFO after the type and the times, by the name of their typed parameter.
_JOB_FIELDS = (
    "data_total",
    "data_processed",
    "data_remaining",
    "memory_total",
    "memory_processed",
    "memory_remaining",
    "disk_total",
    "disk_processed",
    "disk_remaining",
)


def _job_info(driver: Guests, _: Caller, args: rpc.DomainGetJobInfoArgs) -> Struct:
    guest = find(driver, args.dom)
    guest.live()
    work = guest.job.current
    if work is None or not work.type_:
        return rpc.DomainGetJobInfoRet(*[0] * 12)
    known = dict(work.statistics)
    for what in ("total", "processed", "remaining"):
        known.setdefault(f"data_{what}", known.get(f"memory_{what}", 0) + known.get(f"disk_{what}", 0))
    remaining = known.get("time_remaining", 0)
    return rpc.DomainGetJobInfoRet(
        work.type_, work.elapsed_ms, remaining, *(known.get(field, 0) for field in _JOB_FIELDS)
    )


def _job_stats(driver: Guests, _: Caller, args: rpc.DomainGetJobStatsArgs) -> Struct:
    flags.check(args.flags, _COMPLETED | _KEEP, "qemuDomainGetJobStats")
    guest = find(driver, args.dom)
    work = guest.job.last if args.flags & _COMPLETED else guest.job.current
    if not args.flags & _COMPLETED:
        guest.live()
    elif not args.flags & _KEEP:
        guest.job.last = None
    if work is None or not work.type_:
        return rpc.DomainGetJobStatsRet(0, [])
    params: list[TypedParam] = [int_param("operation", work.operation)] if work.operation else []
    params.append(ullong_param("time_elapsed", work.elapsed_ms))
    params += [ullong_param(name, value) for name, value in work.statistics.items()]
    return rpc.DomainGetJobStatsRet(work.type_, params)


def _abort_job(driver: Guests, _: Caller, args: rpc.DomainAbortJobArgs) -> None:
    guest = find(driver, args.dom)
    guest.live()
    guest.job.abort()


def _abort_job_flags(driver: Guests, _: Caller, args: rpc.DomainAbortJobFlagsArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainAbortJobFlags")
    guest = find(driver, args.dom)
    guest.live()
    guest.job.abort()


def _control_info(driver: Guests, _: Caller, args: rpc.DomainGetControlInfoArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetControlInfo")
    guest = find(driver, args.dom)
    run = guest.live()
    if run.monitor is not None and run.monitor.closed is not None:
        return rpc.DomainGetControlInfoRet(_ERROR, 2, 0)
    work = guest.job.current
    if work is None:
        return rpc.DomainGetControlInfoRet(_OK, 0, 0)
    return rpc.DomainGetControlInfoRet(_JOB if work.type_ else _OCCUPIED, 0, work.elapsed_ms)


def _has_managed_save(driver: Guests, _: Caller, args: rpc.DomainHasManagedSaveImageArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainHasManagedSaveImage")
    find(driver, args.dom)
    return rpc.DomainHasManagedSaveImageRet(0)


def _list_snapshots(driver: Guests, _: Caller, args: snapshot.DomainListAllSnapshotsArgs) -> Struct:
    find(driver, args.dom)
    return snapshot.DomainListAllSnapshotsRet([], 0)


def _number_of_snapshots(driver: Guests, _: Caller, args: snapshot.DomainSnapshotNumArgs) -> Struct:
    find(driver, args.dom)
    return snapshot.DomainSnapshotNumRet(0)


def _snapshot_names(driver: Guests, _: Caller, args: snapshot.DomainSnapshotListNamesArgs) -> Struct:
    find(driver, args.dom)
    return snapshot.DomainSnapshotListNamesRet([])


def _has_snapshot(driver: Guests, _: Caller, args: snapshot.DomainHasCurrentSnapshotArgs) -> Struct:
    find(driver, args.dom)
    return snapshot.DomainHasCurrentSnapshotRet(0)


def _list_checkpoints(driver: Guests, _: Caller, args: checkpoint.DomainListAllCheckpointsArgs) -> Struct:
    find(driver, args.dom)
    return checkpoint.DomainListAllCheckpointsRet([], 0)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_JOB_INFO: read(_job_info),
    rpc.DOMAIN_GET_JOB_STATS: read(_job_stats),
    rpc.DOMAIN_ABORT_JOB: write(_abort_job),
    rpc.DOMAIN_ABORT_JOB_FLAGS: write(_abort_job_flags),
    rpc.DOMAIN_GET_CONTROL_INFO: read(_control_info),
    rpc.DOMAIN_HAS_MANAGED_SAVE_IMAGE: read(_has_managed_save),
    snapshot.DOMAIN_LIST_ALL_SNAPSHOTS: read(_list_snapshots),
    snapshot.DOMAIN_SNAPSHOT_NUM: read(_number_of_snapshots),
    snapshot.DOMAIN_SNAPSHOT_LIST_NAMES: read(_snapshot_names),
    snapshot.DOMAIN_HAS_CURRENT_SNAPSHOT: read(_has_snapshot),
    checkpoint.DOMAIN_LIST_ALL_CHECKPOINTS: read(_list_checkpoints),
}
