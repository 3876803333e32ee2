"""Procedures for storage pools.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import STORAGE_POOL_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullStoragePool, NonnullStorageVol
from guesthouse.rpc.xdr import Annotated, Struct, UChar, UHyper, UInt, Uuid


class ConnectNumOfStoragePoolsRet(Struct):
    """Reply of virConnectNumOfStoragePools."""

    num: int


class ConnectListStoragePoolsArgs(Struct):
    """Arguments of virConnectListStoragePools."""

    maxnames: int


class ConnectListStoragePoolsRet(Struct):
    """Reply of virConnectListStoragePools."""

    names: Annotated[list[str], STORAGE_POOL_LIST_MAX]


class ConnectNumOfDefinedStoragePoolsRet(Struct):
    """Reply of virConnectNumOfDefinedStoragePools."""

    num: int


class ConnectListDefinedStoragePoolsArgs(Struct):
    """Arguments of virConnectListDefinedStoragePools."""

    maxnames: int


class ConnectListDefinedStoragePoolsRet(Struct):
    """Reply of virConnectListDefinedStoragePools."""

    names: Annotated[list[str], STORAGE_POOL_LIST_MAX]


class ConnectFindStoragePoolSourcesArgs(Struct):
    """Arguments of virConnectFindStoragePoolSources."""

    type: str
    srcSpec: str | None = None
    flags: UInt = 0


class ConnectFindStoragePoolSourcesRet(Struct):
    """Reply of virConnectFindStoragePoolSources."""

    xml: str


class StoragePoolCreateXmlArgs(Struct):
    """Arguments of virStoragePoolCreateXML."""

    xml: str
    flags: UInt = 0


class StoragePoolCreateXmlRet(Struct):
    """Reply of virStoragePoolCreateXML."""

    pool: NonnullStoragePool


class StoragePoolDefineXmlArgs(Struct):
    """Arguments of virStoragePoolDefineXML."""

    xml: str
    flags: UInt = 0


class StoragePoolDefineXmlRet(Struct):
    """Reply of virStoragePoolDefineXML."""

    pool: NonnullStoragePool


class StoragePoolCreateArgs(Struct):
    """Arguments of virStoragePoolCreate."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolBuildArgs(Struct):
    """Arguments of virStoragePoolBuild."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolDestroyArgs(Struct):
    """Arguments of virStoragePoolDestroy."""

    pool: NonnullStoragePool


class StoragePoolDeleteArgs(Struct):
    """Arguments of virStoragePoolDelete."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolUndefineArgs(Struct):
    """Arguments of virStoragePoolUndefine."""

    pool: NonnullStoragePool


class StoragePoolRefreshArgs(Struct):
    """Arguments of virStoragePoolRefresh."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolLookupByNameArgs(Struct):
    """Arguments of virStoragePoolLookupByName."""

    name: str


class StoragePoolLookupByNameRet(Struct):
    """Reply of virStoragePoolLookupByName."""

    pool: NonnullStoragePool


class StoragePoolLookupByUuidArgs(Struct):
    """Arguments of virStoragePoolLookupByUUID."""

    uuid: Uuid


class StoragePoolLookupByUuidRet(Struct):
    """Reply of virStoragePoolLookupByUUID."""

    pool: NonnullStoragePool


class StoragePoolLookupByVolumeArgs(Struct):
    """Arguments of virStoragePoolLookupByVolume."""

    vol: NonnullStorageVol


class StoragePoolLookupByVolumeRet(Struct):
    """Reply of virStoragePoolLookupByVolume."""

    pool: NonnullStoragePool


class StoragePoolGetInfoArgs(Struct):
    """Arguments of virStoragePoolGetInfo."""

    pool: NonnullStoragePool


class StoragePoolGetInfoRet(Struct):
    """Reply of virStoragePoolGetInfo."""

    state: UChar
    capacity: UHyper
    allocation: UHyper
    available: UHyper


class StoragePoolGetXmlDescArgs(Struct):
    """Arguments of virStoragePoolGetXMLDesc."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolGetXmlDescRet(Struct):
    """Reply of virStoragePoolGetXMLDesc."""

    xml: str


class StoragePoolGetAutostartArgs(Struct):
    """Arguments of virStoragePoolGetAutostart."""

    pool: NonnullStoragePool


class StoragePoolGetAutostartRet(Struct):
    """Reply of virStoragePoolGetAutostart."""

    autostart: int


class StoragePoolSetAutostartArgs(Struct):
    """Arguments of virStoragePoolSetAutostart."""

    pool: NonnullStoragePool
    autostart: int


class StoragePoolIsActiveArgs(Struct):
    """Arguments of virStoragePoolIsActive."""

    pool: NonnullStoragePool


class StoragePoolIsActiveRet(Struct):
    """Reply of virStoragePoolIsActive."""

    active: int


class StoragePoolIsPersistentArgs(Struct):
    """Arguments of virStoragePoolIsPersistent."""

    pool: NonnullStoragePool


class StoragePoolIsPersistentRet(Struct):
    """Reply of virStoragePoolIsPersistent."""

    persistent: int


class ConnectListAllStoragePoolsArgs(Struct):
    """Arguments of virConnectListAllStoragePools."""

    need_results: int
    flags: UInt = 0


class ConnectListAllStoragePoolsRet(Struct):
    """Reply of virConnectListAllStoragePools."""

    pools: Annotated[list[NonnullStoragePool], STORAGE_POOL_LIST_MAX]
    ret: UInt


class StoragePoolLookupByTargetPathArgs(Struct):
    """Arguments of virStoragePoolLookupByTargetPath."""

    path: str


class StoragePoolLookupByTargetPathRet(Struct):
    """Reply of virStoragePoolLookupByTargetPath."""

    pool: NonnullStoragePool


class ConnectGetStoragePoolCapabilitiesArgs(Struct):
    """Arguments of virConnectGetStoragePoolCapabilities."""

    flags: UInt = 0


class ConnectGetStoragePoolCapabilitiesRet(Struct):
    """Reply of virConnectGetStoragePoolCapabilities."""

    capabilities: str


_family = Family(REMOTE_PROGRAM)
call = _family.call

CONNECT_NUM_OF_STORAGE_POOLS = call(
    71, "CONNECT_NUM_OF_STORAGE_POOLS", None, ConnectNumOfStoragePoolsRet, "0.4.1", priority=True
)
CONNECT_LIST_STORAGE_POOLS = call(
    72, "CONNECT_LIST_STORAGE_POOLS", ConnectListStoragePoolsArgs, ConnectListStoragePoolsRet, "0.4.1", priority=True
)
CONNECT_NUM_OF_DEFINED_STORAGE_POOLS = call(
    73, "CONNECT_NUM_OF_DEFINED_STORAGE_POOLS", None, ConnectNumOfDefinedStoragePoolsRet, "0.4.1", priority=True
)
CONNECT_LIST_DEFINED_STORAGE_POOLS = call(
    74,
    "CONNECT_LIST_DEFINED_STORAGE_POOLS",
    ConnectListDefinedStoragePoolsArgs,
    ConnectListDefinedStoragePoolsRet,
    "0.4.1",
    priority=True,
)
CONNECT_FIND_STORAGE_POOL_SOURCES = call(
    75,
    "CONNECT_FIND_STORAGE_POOL_SOURCES",
    ConnectFindStoragePoolSourcesArgs,
    ConnectFindStoragePoolSourcesRet,
    "0.4.5",
)
STORAGE_POOL_CREATE_XML = call(
    76, "STORAGE_POOL_CREATE_XML", StoragePoolCreateXmlArgs, StoragePoolCreateXmlRet, "0.4.1"
)
STORAGE_POOL_DEFINE_XML = call(
    77, "STORAGE_POOL_DEFINE_XML", StoragePoolDefineXmlArgs, StoragePoolDefineXmlRet, "0.4.1", priority=True
)
STORAGE_POOL_CREATE = call(78, "STORAGE_POOL_CREATE", StoragePoolCreateArgs, None, "0.4.1")
STORAGE_POOL_BUILD = call(79, "STORAGE_POOL_BUILD", StoragePoolBuildArgs, None, "0.4.1")
STORAGE_POOL_DESTROY = call(80, "STORAGE_POOL_DESTROY", StoragePoolDestroyArgs, None, "0.4.1", priority=True)
STORAGE_POOL_DELETE = call(81, "STORAGE_POOL_DELETE", StoragePoolDeleteArgs, None, "0.4.1")
STORAGE_POOL_UNDEFINE = call(82, "STORAGE_POOL_UNDEFINE", StoragePoolUndefineArgs, None, "0.4.1", priority=True)
STORAGE_POOL_REFRESH = call(83, "STORAGE_POOL_REFRESH", StoragePoolRefreshArgs, None, "0.4.1")
STORAGE_POOL_LOOKUP_BY_NAME = call(
    84, "STORAGE_POOL_LOOKUP_BY_NAME", StoragePoolLookupByNameArgs, StoragePoolLookupByNameRet, "0.4.1", priority=True
)
STORAGE_POOL_LOOKUP_BY_UUID = call(
    85, "STORAGE_POOL_LOOKUP_BY_UUID", StoragePoolLookupByUuidArgs, StoragePoolLookupByUuidRet, "0.4.1", priority=True
)
STORAGE_POOL_LOOKUP_BY_VOLUME = call(
    86,
    "STORAGE_POOL_LOOKUP_BY_VOLUME",
    StoragePoolLookupByVolumeArgs,
    StoragePoolLookupByVolumeRet,
    "0.4.1",
    priority=True,
)
STORAGE_POOL_GET_INFO = call(
    87, "STORAGE_POOL_GET_INFO", StoragePoolGetInfoArgs, StoragePoolGetInfoRet, "0.4.1", priority=True
)
STORAGE_POOL_GET_XML_DESC = call(
    88, "STORAGE_POOL_GET_XML_DESC", StoragePoolGetXmlDescArgs, StoragePoolGetXmlDescRet, "0.4.1", priority=True
)
STORAGE_POOL_GET_AUTOSTART = call(
    89, "STORAGE_POOL_GET_AUTOSTART", StoragePoolGetAutostartArgs, StoragePoolGetAutostartRet, "0.4.1", priority=True
)
STORAGE_POOL_SET_AUTOSTART = call(
    90, "STORAGE_POOL_SET_AUTOSTART", StoragePoolSetAutostartArgs, None, "0.4.1", priority=True
)
STORAGE_POOL_IS_ACTIVE = call(
    154, "STORAGE_POOL_IS_ACTIVE", StoragePoolIsActiveArgs, StoragePoolIsActiveRet, "0.7.3", priority=True
)
STORAGE_POOL_IS_PERSISTENT = call(
    155, "STORAGE_POOL_IS_PERSISTENT", StoragePoolIsPersistentArgs, StoragePoolIsPersistentRet, "0.7.3", priority=True
)
CONNECT_LIST_ALL_STORAGE_POOLS = call(
    281,
    "CONNECT_LIST_ALL_STORAGE_POOLS",
    ConnectListAllStoragePoolsArgs,
    ConnectListAllStoragePoolsRet,
    "0.10.2",
    priority=True,
)
STORAGE_POOL_LOOKUP_BY_TARGET_PATH = call(
    391,
    "STORAGE_POOL_LOOKUP_BY_TARGET_PATH",
    StoragePoolLookupByTargetPathArgs,
    StoragePoolLookupByTargetPathRet,
    "4.1.0",
    priority=True,
)
CONNECT_GET_STORAGE_POOL_CAPABILITIES = call(
    403,
    "CONNECT_GET_STORAGE_POOL_CAPABILITIES",
    ConnectGetStoragePoolCapabilitiesArgs,
    ConnectGetStoragePoolCapabilitiesRet,
    "5.2.0",
)
