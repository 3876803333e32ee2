"""The table of the storage driver, and the procedures about pools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.storage import actions, lifecycle
from guesthouse.drivers.storage.backends import sources
from guesthouse.drivers.storage.backends.table import available
from guesthouse.drivers.storage.procedures_events import TABLE as EVENTS
from guesthouse.drivers.storage.procedures_volume_work import TABLE as VOLUME_WORK
from guesthouse.drivers.storage.procedures_volumes import TABLE as VOLUMES
from guesthouse.drivers.storage.procedures_volumes import find, handle
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.errors import Origin
from guesthouse.model.pool import format_pool
from guesthouse.model.pool_capabilities import format_capabilities
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import storage as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

#: The types of pools in the order of their bits, from the sixth on.
_TYPE_BITS = (
    "dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi", "mpath", "rbd", "sheepdog", "gluster", "zfs", "vstorage",
    "iscsi-direct",
)  # fmt: skip


def _of_type(kind: str) -> Callable[[StoragePool], bool]:
    return lambda pool: pool.definition.type == kind


#: `virConnectListAllStoragePoolsFlags`: groups of bits, each with its test; a group without a bit lets all through.
_FILTERS: tuple[dict[int, Callable[[StoragePool], bool]], ...] = (
    {1: lambda pool: not pool.active, 2: lambda pool: pool.active},
    {4: lambda pool: pool.persistent, 8: lambda pool: not pool.persistent},
    {16: lambda pool: pool.autostart, 32: lambda pool: not pool.autostart},
    {64 << place: _of_type(kind) for place, kind in enumerate(_TYPE_BITS)},
)
_KNOWN_FILTERS = sum(bit for group in _FILTERS for bit in group)

_DEFINE_VALIDATE = 1
_XML_INACTIVE = 1
_CREATE_FLAGS = lifecycle.WITH_BUILD | lifecycle.WITH_BUILD_OVERWRITE | lifecycle.WITH_BUILD_NO_OVERWRITE
#: `virStoragePoolState`.
_INACTIVE, _RUNNING, _INACCESSIBLE = 0, 2, 4

#: Type to the function that libvirt names where the flags of a call that removes storage are unknown.
_DELETE_FUNCTIONS = {
    "logical": "virStorageBackendLogicalDeletePool",
    "disk": "virStorageBackendDiskDeletePool",
    "zfs": "virStorageBackendZFSDeletePool",
}

_check = partial(check, origin=Origin.STORAGE)


def _list_all(driver: StorageDriver, _: Caller, args: rpc.ConnectListAllStoragePoolsArgs) -> Struct:
    _check(args.flags, _KNOWN_FILTERS, "storageConnectListAllStoragePools")
    chosen = [{bit: test for bit, test in group.items() if bit & args.flags} for group in _FILTERS]
    found = [
        pool for pool in driver.registry if all(not tests or any(t(pool) for t in tests.values()) for tests in chosen)
    ]
    return rpc.ConnectListAllStoragePoolsRet([handle(pool) for pool in found] if args.need_results else [], len(found))


def _names(driver: StorageDriver, active: bool) -> list[str]:
    return [pool.name for pool in driver.registry if pool.active is active]


def _num_active(driver: StorageDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfStoragePoolsRet(len(_names(driver, True)))


def _num_inactive(driver: StorageDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfDefinedStoragePoolsRet(len(_names(driver, False)))


def _list_active(driver: StorageDriver, _: Caller, args: rpc.ConnectListStoragePoolsArgs) -> Struct:
    return rpc.ConnectListStoragePoolsRet(_names(driver, True)[: max(args.maxnames, 0)])


def _list_inactive(driver: StorageDriver, _: Caller, args: rpc.ConnectListDefinedStoragePoolsArgs) -> Struct:
    return rpc.ConnectListDefinedStoragePoolsRet(_names(driver, False)[: max(args.maxnames, 0)])


def _by_name(driver: StorageDriver, _: Caller, args: rpc.StoragePoolLookupByNameArgs) -> Struct:
    return rpc.StoragePoolLookupByNameRet(handle(driver.registry.named(args.name)))


def _by_uuid(driver: StorageDriver, _: Caller, args: rpc.StoragePoolLookupByUuidArgs) -> Struct:
    return rpc.StoragePoolLookupByUuidRet(handle(driver.registry.with_uuid(args.uuid)))


def _by_path(driver: StorageDriver, _: Caller, args: rpc.StoragePoolLookupByTargetPathArgs) -> Struct:
    return rpc.StoragePoolLookupByTargetPathRet(handle(driver.registry.with_path(args.path.rstrip("/") or "/")))


def _by_volume(driver: StorageDriver, _: Caller, args: rpc.StoragePoolLookupByVolumeArgs) -> Struct:
    return rpc.StoragePoolLookupByVolumeRet(handle(driver.registry.named(args.vol.pool)))


async def _define(driver: StorageDriver, _: Caller, args: rpc.StoragePoolDefineXmlArgs) -> Struct:
    _check(args.flags, _DEFINE_VALIDATE, "storagePoolDefineXML")
    pool = await actions.define(driver, args.xml, validate=bool(args.flags & _DEFINE_VALIDATE))
    return rpc.StoragePoolDefineXmlRet(handle(pool))


async def _create_xml(driver: StorageDriver, _: Caller, args: rpc.StoragePoolCreateXmlArgs) -> Struct:
    _check(args.flags, _CREATE_FLAGS, "storagePoolCreateXML")
    return rpc.StoragePoolCreateXmlRet(handle(await actions.create_transient(driver, args.xml, args.flags)))


async def _create(driver: StorageDriver, _: Caller, args: rpc.StoragePoolCreateArgs) -> None:
    _check(args.flags, _CREATE_FLAGS, "storagePoolCreate")
    await lifecycle.start(driver, find(driver, args.pool), args.flags)


async def _build(driver: StorageDriver, _: Caller, args: rpc.StoragePoolBuildArgs) -> None:
    await lifecycle.build(driver, find(driver, args.pool), args.flags)


async def _destroy(driver: StorageDriver, _: Caller, args: rpc.StoragePoolDestroyArgs) -> None:
    await lifecycle.stop(driver, find(driver, args.pool))


async def _delete(driver: StorageDriver, _: Caller, args: rpc.StoragePoolDeleteArgs) -> None:
    pool = find(driver, args.pool)
    _check(args.flags, 0, _DELETE_FUNCTIONS.get(pool.definition.type, "virStorageBackendDeleteLocal"))
    await lifecycle.delete(driver, pool)


async def _undefine(driver: StorageDriver, _: Caller, args: rpc.StoragePoolUndefineArgs) -> None:
    await actions.undefine(driver, find(driver, args.pool))


async def _refresh(driver: StorageDriver, _: Caller, args: rpc.StoragePoolRefreshArgs) -> None:
    _check(args.flags, 0, "storagePoolRefresh")
    await lifecycle.refresh(driver, find(driver, args.pool))


async def _find_sources(driver: StorageDriver, _: Caller, args: rpc.ConnectFindStoragePoolSourcesArgs) -> Struct:
    if args.type in ("logical", "netfs", "iscsi", "iscsi-direct", "gluster"):
        _check(args.flags, 0, "storageConnectFindStoragePoolSources")
    return rpc.ConnectFindStoragePoolSourcesRet(await sources.find(args.type, args.srcSpec, driver.host))


def _capabilities(_driver: StorageDriver, _: Caller, args: rpc.ConnectGetStoragePoolCapabilitiesArgs) -> Struct:
    _check(args.flags, 0, "storageConnectGetStoragePoolCapabilities")
    return rpc.ConnectGetStoragePoolCapabilitiesRet(format_capabilities(available))


def _state(pool: StoragePool) -> int:
    if not pool.active:
        return _INACTIVE
    return _INACCESSIBLE if pool.trouble else _RUNNING


def _get_info(driver: StorageDriver, _: Caller, args: rpc.StoragePoolGetInfoArgs) -> Struct:
    pool = find(driver, args.pool)
    sizes = (pool.definition.capacity, pool.definition.allocation, pool.definition.available)
    numbers = [0 if size is None else size.bytes_ for size in sizes]
    return rpc.StoragePoolGetInfoRet(_state(pool), *numbers)


def _get_xml(driver: StorageDriver, _: Caller, args: rpc.StoragePoolGetXmlDescArgs) -> Struct:
    _check(args.flags, _XML_INACTIVE, "storagePoolGetXMLDesc")
    pool = find(driver, args.pool)
    wanted = pool.redefined if args.flags & _XML_INACTIVE and pool.redefined is not None else pool.definition
    return rpc.StoragePoolGetXmlDescRet(format_pool(wanted))


def _get_autostart(driver: StorageDriver, _: Caller, args: rpc.StoragePoolGetAutostartArgs) -> Struct:
    return rpc.StoragePoolGetAutostartRet(int(find(driver, args.pool).autostart))


async def _set_autostart(driver: StorageDriver, _: Caller, args: rpc.StoragePoolSetAutostartArgs) -> None:
    await actions.mark(driver, find(driver, args.pool), bool(args.autostart))


def _is_active(driver: StorageDriver, _: Caller, args: rpc.StoragePoolIsActiveArgs) -> Struct:
    return rpc.StoragePoolIsActiveRet(int(find(driver, args.pool).active))


def _is_persistent(driver: StorageDriver, _: Caller, args: rpc.StoragePoolIsPersistentArgs) -> Struct:
    return rpc.StoragePoolIsPersistentRet(int(find(driver, args.pool).persistent))


TABLE: dict[Procedure, Handler[StorageDriver]] = {
    rpc.CONNECT_LIST_ALL_STORAGE_POOLS: read(_list_all),
    rpc.CONNECT_NUM_OF_STORAGE_POOLS: read(_num_active),
    rpc.CONNECT_NUM_OF_DEFINED_STORAGE_POOLS: read(_num_inactive),
    rpc.CONNECT_LIST_STORAGE_POOLS: read(_list_active),
    rpc.CONNECT_LIST_DEFINED_STORAGE_POOLS: read(_list_inactive),
    rpc.CONNECT_FIND_STORAGE_POOL_SOURCES: write(_find_sources),
    rpc.CONNECT_GET_STORAGE_POOL_CAPABILITIES: read(_capabilities),
    rpc.STORAGE_POOL_LOOKUP_BY_NAME: read(_by_name),
    rpc.STORAGE_POOL_LOOKUP_BY_UUID: read(_by_uuid),
    rpc.STORAGE_POOL_LOOKUP_BY_TARGET_PATH: read(_by_path),
    rpc.STORAGE_POOL_LOOKUP_BY_VOLUME: read(_by_volume),
    rpc.STORAGE_POOL_DEFINE_XML: write(_define),
    rpc.STORAGE_POOL_CREATE_XML: write(_create_xml),
    rpc.STORAGE_POOL_CREATE: write(_create),
    rpc.STORAGE_POOL_BUILD: write(_build),
    rpc.STORAGE_POOL_DESTROY: write(_destroy),
    rpc.STORAGE_POOL_DELETE: write(_delete),
    rpc.STORAGE_POOL_UNDEFINE: write(_undefine),
    rpc.STORAGE_POOL_REFRESH: write(_refresh),
    rpc.STORAGE_POOL_GET_INFO: read(_get_info),
    rpc.STORAGE_POOL_GET_XML_DESC: read(_get_xml),
    rpc.STORAGE_POOL_GET_AUTOSTART: read(_get_autostart),
    rpc.STORAGE_POOL_SET_AUTOSTART: write(_set_autostart),
    rpc.STORAGE_POOL_IS_ACTIVE: read(_is_active),
    rpc.STORAGE_POOL_IS_PERSISTENT: read(_is_persistent),
    **EVENTS,
    **VOLUMES,
    **VOLUME_WORK,
}
