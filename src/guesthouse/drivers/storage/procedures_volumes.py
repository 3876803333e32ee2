"""Procedures about volumes, and pools and volumes on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.storage import creating, volumes
from guesthouse.drivers.storage.registry import NoVolumeError, StoragePool
from guesthouse.errors import Origin
from guesthouse.qemu.directory import Entry
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import storage_vol as rpc
from guesthouse.rpc.types import NonnullStoragePool, NonnullStorageVol
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

#: `virStorageVolInfoFlags`: give the file's length instead of what it takes on disk.
_GET_PHYSICAL = 1


def find(driver: StorageDriver, pool: NonnullStoragePool) -> StoragePool:
    """The pool that a call is about. Raises `NoPoolError`."""
    return driver.registry.with_uuid(pool.uuid, pool.name)


def handle(pool: StoragePool) -> NonnullStoragePool:
    """The pool's name on the wire."""
    return NonnullStoragePool(pool.name, pool.uuid)


def _volume(pool: StoragePool, entry: Entry) -> NonnullStorageVol:
    return NonnullStorageVol(pool.name, entry.name, volumes.path_of(pool, entry))


def _num(driver: StorageDriver, _: Caller, args: rpc.StoragePoolNumOfVolumesArgs) -> Struct:
    pool = find(driver, args.pool)
    pool.need(active=True)
    return rpc.StoragePoolNumOfVolumesRet(len(pool.volumes))


def _list(driver: StorageDriver, _: Caller, args: rpc.StoragePoolListVolumesArgs) -> Struct:
    pool = find(driver, args.pool)
    pool.need(active=True)
    return rpc.StoragePoolListVolumesRet(list(pool.volumes)[: max(args.maxnames, 0)])


def _list_all(driver: StorageDriver, _: Caller, args: rpc.StoragePoolListAllVolumesArgs) -> Struct:
    check(args.flags, 0, "storagePoolListAllVolumes", origin=Origin.STORAGE)
    pool = find(driver, args.pool)
    pool.need(active=True)
    found = [_volume(pool, entry) for entry in pool.volumes.values()]
    return rpc.StoragePoolListAllVolumesRet(found if args.need_results else [], len(found))


def _by_name(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByNameArgs) -> Struct:
    pool = find(driver, args.pool)
    return rpc.StorageVolLookupByNameRet(_volume(pool, pool.volume(args.name)))


def _by_key(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByKeyArgs) -> Struct:
    try:
        return rpc.StorageVolLookupByKeyRet(_volume(*volumes.at_path(driver.registry, args.key)))
    except NoVolumeError:
        raise NoVolumeError(f"no storage vol with matching key {args.key}") from None


def _by_path(driver: StorageDriver, _: Caller, args: rpc.StorageVolLookupByPathArgs) -> Struct:
    return rpc.StorageVolLookupByPathRet(_volume(*volumes.at_path(driver.registry, args.path)))


async def _get_info(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetInfoArgs) -> Struct:
    entry = await volumes.look_again(driver.registry.named(args.vol.pool), args.vol.name)
    return rpc.StorageVolGetInfoRet(volumes.TYPES[entry.kind], entry.capacity, entry.allocation)


async def _get_info_flags(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetInfoFlagsArgs) -> Struct:
    check(args.flags, _GET_PHYSICAL, "storageVolGetInfoFlags", origin=Origin.STORAGE)
    entry = await volumes.look_again(driver.registry.named(args.vol.pool), args.vol.name)
    taken = entry.size if args.flags & _GET_PHYSICAL else entry.allocation
    return rpc.StorageVolGetInfoFlagsRet(volumes.TYPES[entry.kind], entry.capacity, taken)


async def _get_xml(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetXmlDescArgs) -> Struct:
    check(args.flags, 0, "storageVolGetXMLDesc", origin=Origin.STORAGE)
    pool = driver.registry.named(args.vol.pool)
    return rpc.StorageVolGetXmlDescRet(volumes.describe(pool, await volumes.look_again(pool, args.vol.name)))


def _get_path(driver: StorageDriver, _: Caller, args: rpc.StorageVolGetPathArgs) -> Struct:
    pool = driver.registry.named(args.vol.pool)
    return rpc.StorageVolGetPathRet(volumes.path_of(pool, pool.volume(args.vol.name)))


def _check_creation(flags: int, function: str) -> None:
    check(flags, creating.PREALLOCATE_METADATA | creating.VALIDATE, function, origin=Origin.STORAGE)


async def _create(driver: StorageDriver, _: Caller, args: rpc.StorageVolCreateXmlArgs) -> Struct:
    _check_creation(args.flags, "storageVolCreateXML")
    pool = find(driver, args.pool)
    return rpc.StorageVolCreateXmlRet(_volume(pool, await creating.create(pool, args.xml, args.flags)))


async def _create_from(driver: StorageDriver, _: Caller, args: rpc.StorageVolCreateXmlFromArgs) -> Struct:
    _check_creation(args.flags, "storageVolCreateXMLFrom")
    pool = find(driver, args.pool)
    source_pool = driver.registry.named(args.clonevol.pool)
    source = await volumes.look_again(source_pool, args.clonevol.name)
    entry = await creating.copy(pool, args.xml, source_pool, source, args.flags)
    return rpc.StorageVolCreateXmlFromRet(_volume(pool, entry))


async def _delete(driver: StorageDriver, _: Caller, args: rpc.StorageVolDeleteArgs) -> None:
    check(args.flags, 0, "virStorageBackendVolDeleteLocal", origin=Origin.STORAGE)
    await creating.delete(driver.registry.named(args.vol.pool), args.vol.name)


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
}
