"""Procedures about volumes, and pools and volumes on the wire."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check as check_flags
from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import (
    changing,
    checking,
    creating,
    downloading,
    finding,
    secrets,
    uploading,
    users,
)
from guesthouse.drivers.storage.volumes.describing import TYPES, describe
from guesthouse.errors import Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import storage_vol as rpc
from guesthouse.rpc.types import NonnullStoragePool, NonnullStorageVol
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

check = partial(check_flags, origin=Origin.STORAGE)

#: `virStorageVolInfoFlags`: give the file's length instead of what it takes on disk.
_GET_PHYSICAL: Final = 1

#: Flags of `virStorageVolDelete`: those that libvirt has, and the one that some back ends know.
_WITH_SNAPSHOTS: Final = 2


def find(driver: StorageDriver, pool: NonnullStoragePool) -> StoragePool:
    """The pool that a call is about. Raises `NoPoolError`."""
    return driver.registry.with_uuid(pool.uuid, pool.name)


def handle(pool: StoragePool) -> NonnullStoragePool:
    """The pool's name on the wire."""
    return NonnullStoragePool(pool.name, pool.uuid)


def volume_handle(pool: StoragePool, volume: VolumeFacts) -> NonnullStorageVol:
    """The volume's name on the wire."""
    return NonnullStorageVol(pool.name, volume.name, volume.key)


def listed(pool: StoragePool) -> list[VolumeFacts]:
    """The volumes that are whole, and those that are being made: not those that a dead daemon left half written."""
    pool.need(active=True)
    found = finding.volumes_of(pool)
    return [volume for volume in found if volume.name not in pool.interrupted] if pool.interrupted else found


def _num(driver: StorageDriver, _: Caller, args: rpc.StoragePoolNumOfVolumesArgs) -> Struct:
    return rpc.StoragePoolNumOfVolumesRet(len(listed(find(driver, args.pool))))


def _list(driver: StorageDriver, _: Caller, args: rpc.StoragePoolListVolumesArgs) -> Struct:
    names = [volume.name for volume in listed(find(driver, args.pool))]
    return rpc.StoragePoolListVolumesRet(names[: max(args.maxnames, 0)])


def _list_all(driver: StorageDriver, _: Caller, args: rpc.StoragePoolListAllVolumesArgs) -> Struct:
    check(args.flags, 0, "storagePoolListAllVolumes")
    pool = find(driver, args.pool)
    found = [volume_handle(pool, volume) for volume in listed(pool)]
    return rpc.StoragePoolListAllVolumesRet(found if args.need_results else [], len(found))


def _by_name(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByNameArgs) -> Struct:
    pool = find(driver, args.pool)
    return rpc.StorageVolLookupByNameRet(volume_handle(pool, finding.volume(pool, args.name)))


def _by_key(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByKeyArgs) -> Struct:
    return rpc.StorageVolLookupByKeyRet(volume_handle(*finding.with_key(driver.registry, args.key)))


def _by_path(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByPathArgs) -> Struct:
    return rpc.StorageVolLookupByPathRet(volume_handle(*finding.with_path(driver.registry, args.path)))


async def _get_info(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetInfoArgs) -> Struct:
    volume = await finding.look_again(driver.registry.named(args.vol.pool), args.vol.name)
    return rpc.StorageVolGetInfoRet(TYPES[volume.kind], volume.capacity, volume.allocation)


async def _get_info_flags(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetInfoFlagsArgs) -> Struct:
    check(args.flags, _GET_PHYSICAL, "storageVolGetInfoFlags")
    volume = await finding.look_again(driver.registry.named(args.vol.pool), args.vol.name)
    taken = (volume.physical or 0) if args.flags & _GET_PHYSICAL else volume.allocation
    return rpc.StorageVolGetInfoFlagsRet(TYPES[volume.kind], volume.capacity, taken)


async def _get_xml(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetXmlDescArgs) -> Struct:
    check(args.flags, 0, "storageVolGetXMLDesc")
    pool = driver.registry.named(args.vol.pool)
    volume = await finding.look_again(pool, args.vol.name)
    guests = users.of(driver.surroundings, pool.name, volume)
    rows = tuple((user.name, user.uuid, user.target, "yes" if user.running else "no") for user in guests)
    secret = secrets.secret_uuid(driver.surroundings, volume)
    return rpc.StorageVolGetXmlDescRet(describe(volume, pool.definition.type, secret, rows))


def _get_path(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetPathArgs) -> Struct:
    return rpc.StorageVolGetPathRet(finding.volume(driver.registry.named(args.vol.pool), args.vol.name).path)


async def _create(driver: StorageDriver, _: Caller, args: rpc.StorageVolCreateXmlArgs) -> Struct:
    check(args.flags, checking.PREALLOCATE_METADATA | checking.VALIDATE, "storageVolCreateXML")
    pool = find(driver, args.pool)
    made = await creating.create(pool, driver.surroundings, args.xml, args.flags)
    return rpc.StorageVolCreateXmlRet(volume_handle(pool, made))


async def _create_from(driver: StorageDriver, _: Caller, args: rpc.StorageVolCreateXmlFromArgs) -> Struct:
    known = checking.PREALLOCATE_METADATA | checking.REFLINK | checking.VALIDATE
    check(args.flags, known, "storageVolCreateXMLFrom")
    pool = find(driver, args.pool)
    source_pool = driver.registry.named(args.clonevol.pool)
    made = await creating.copy(pool, driver.surroundings, args.xml, source_pool, args.clonevol.name, args.flags)
    return rpc.StorageVolCreateXmlFromRet(volume_handle(pool, made))


async def _delete(driver: StorageDriver, _: Caller, args: rpc.StorageVolDeleteArgs) -> None:
    await delete(driver, args.vol, args.flags, force=False)


async def delete(driver: StorageDriver, vol: NonnullStorageVol, flags: int, *, force: bool) -> None:
    """Remove a volume; with `force` also that of a running guest."""
    pool = driver.registry.named(vol.pool)
    snapshots = bool(flags & _WITH_SNAPSHOTS) and pool.definition.type == "rbd"
    check(flags, _WITH_SNAPSHOTS if snapshots else 0, "virStorageBackendVolDeleteLocal")
    await creating.delete(pool, driver.surroundings, vol.name, snapshots=snapshots, force=force)


async def _resize(driver: StorageDriver, _: Caller, args: rpc.StorageVolResizeArgs) -> None:
    check(args.flags, changing.ALLOCATE | changing.DELTA | changing.SHRINK, "storageVolResize")
    pool = driver.registry.named(args.vol.pool)
    await changing.resize(pool, driver.surroundings, args.vol.name, args.capacity, args.flags)


async def _wipe(driver: StorageDriver, _: Caller, args: rpc.StorageVolWipeArgs) -> None:
    check(args.flags, 0, "storageVolWipePattern")
    await changing.wipe(driver.registry.named(args.vol.pool), driver.surroundings, args.vol.name, 0)


async def _wipe_pattern(driver: StorageDriver, _: Caller, args: rpc.StorageVolWipePatternArgs) -> None:
    check(args.flags, 0, "storageVolWipePattern")
    await changing.wipe(driver.registry.named(args.vol.pool), driver.surroundings, args.vol.name, args.algorithm)


async def _upload(driver: StorageDriver, caller: Caller, args: rpc.StorageVolUploadArgs) -> None:
    check(args.flags, downloading.SPARSE, "storageVolUpload")
    pool = driver.registry.named(args.vol.pool)
    await uploading.upload(pool, driver.surroundings, args.vol.name, args.offset, args.length, caller.open_stream)


async def _download(driver: StorageDriver, caller: Caller, args: rpc.StorageVolDownloadArgs) -> None:
    check(args.flags, downloading.SPARSE, "storageVolDownload")
    pool = driver.registry.named(args.vol.pool)
    await downloading.download(pool, args.vol.name, args.offset, args.length, args.flags, caller.open_stream)


TABLE: dict[Procedure, Handler[StorageDriver]] = {
    rpc.STORAGE_POOL_NUM_OF_VOLUMES: read(_num),
    rpc.STORAGE_POOL_LIST_VOLUMES: read(_list),
    rpc.STORAGE_POOL_LIST_ALL_VOLUMES: read(_list_all),
    rpc.STORAGE_VOL_LOOKUP_BY_NAME: read(_by_name),
    rpc.STORAGE_VOL_LOOKUP_BY_KEY: read(_by_key),
    rpc.STORAGE_VOL_LOOKUP_BY_PATH: read(_by_path),
    rpc.STORAGE_VOL_GET_INFO: read(_get_info),
    rpc.STORAGE_VOL_GET_INFO_FLAGS: read(_get_info_flags),
    rpc.STORAGE_VOL_GET_XML_DESC: read(_get_xml),
    rpc.STORAGE_VOL_GET_PATH: read(_get_path),
    rpc.STORAGE_VOL_CREATE_XML: write(_create),
    rpc.STORAGE_VOL_CREATE_XML_FROM: write(_create_from),
    rpc.STORAGE_VOL_DELETE: write(_delete),
    rpc.STORAGE_VOL_RESIZE: write(_resize),
    rpc.STORAGE_VOL_WIPE: write(_wipe),
    rpc.STORAGE_VOL_WIPE_PATTERN: write(_wipe_pattern),
    rpc.STORAGE_VOL_UPLOAD: write(_upload),
    rpc.STORAGE_VOL_DOWNLOAD: write(_download),
}
