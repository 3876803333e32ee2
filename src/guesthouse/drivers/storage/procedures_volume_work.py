"""Procedures of our own about volumes: what libvirt's protocol has no words for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.procedures_volumes import check, delete, find
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import finding, users
from guesthouse.errors import OperationInvalidError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import guesthouse_volumes as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver


def _describe(driver: StorageDriver, _: Caller, args: rpc.StoragePoolDescribeVolumesArgs) -> Struct:
    check(args.flags, 0, "guesthouseStoragePoolDescribeVolumes")
    pool = find(driver, args.pool)
    pool.need(active=True)
    return rpc.StoragePoolDescribeVolumesRet([_description(driver, pool, one) for one in finding.volumes_of(pool)])


def _description(driver: StorageDriver, pool: StoragePool, volume: VolumeFacts) -> rpc.VolumeDescription:
    guests = users.of(driver.surroundings, pool.name, volume)
    if volume.name in pool.claims.making:
        volume = finding.progressed(pool, volume.name)
    return rpc.VolumeDescription(
        name=volume.name,
        path=volume.path,
        type=volume.kind,
        format=volume.format,
        capacity=volume.capacity,
        allocation=volume.allocation,
        physical=volume.physical or 0,
        encryption=volume.encryption,
        backing=volume.backing.path if volume.backing is not None else "",
        state=_state(pool, volume.name),
        users=[
            rpc.VolumeUser(user.name, user.uuid, user.target, int(user.running)) for user in guests[: rpc.USERS_MAX]
        ],
    )


def _state(pool: StoragePool, name: str) -> str:
    work = pool.claims.work(name)
    if work is not None:
        return work.operation
    return f"interrupted {pool.interrupted[name]}" if name in pool.interrupted else ""


def _progress(driver: StorageDriver, _: Caller, args: rpc.StorageVolProgressArgs) -> Struct:
    work = driver.registry.named(args.pool).claims.work(args.name)
    return rpc.StorageVolProgressRet("", 0, 0) if work is None else rpc.StorageVolProgressRet(
        work.operation, work.done, work.total
    )  # fmt: skip


def _abort(driver: StorageDriver, _: Caller, args: rpc.StorageVolAbortArgs) -> None:
    work = driver.registry.named(args.pool).claims.work(args.name)
    if work is None or work.abort is None:
        raise OperationInvalidError(
            f"nothing is done to volume '{args.name}' that can be aborted", domain=Origin.STORAGE
        )
    work.abort()


async def _delete_forced(driver: StorageDriver, _: Caller, args: rpc.StorageVolDeleteForcedArgs) -> None:
    await delete(driver, args.vol, args.flags, force=True)


TABLE: dict[Procedure, Handler[StorageDriver]] = {
    rpc.STORAGE_POOL_DESCRIBE_VOLUMES: read(_describe),
    rpc.STORAGE_VOL_PROGRESS: read(_progress),
    rpc.STORAGE_VOL_ABORT: write(_abort),
    rpc.STORAGE_VOL_DELETE_FORCED: write(_delete_forced),
}
