"""Storage pools of a daemon: finding, defining, building, starting and stopping them.

The functions are libvirt's `virStoragePool…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-storage.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.client.named import Named
from guesthouse.rpc.procedures import storage as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import NonnullStoragePool

#: The types of pools, in the order of their filter bits (`virConnectListAllStoragePoolsFlags`), the first being 64.
TYPES = (
    "dir",
    "fs",
    "netfs",
    "logical",
    "disk",
    "iscsi",
    "scsi",
    "mpath",
    "rbd",
    "sheepdog",
    "gluster",
    "zfs",
    "vstorage",
    "iscsi-direct",
)

#: The other filters of `pools`, and the flags of `define` and `Pool.xml`.
INACTIVE, ACTIVE, PERSISTENT, TRANSIENT, AUTOSTART, NO_AUTOSTART = 1, 2, 4, 8, 16, 32
VALIDATE = 1
XML_INACTIVE = 1

#: Flags of `create` and `Pool.start` (`virStoragePoolCreateFlags`), and of `Pool.build` (`virStoragePoolBuildFlags`).
WITH_BUILD, WITH_BUILD_OVERWRITE, WITH_BUILD_NO_OVERWRITE = 1, 2, 4
BUILD_NO_OVERWRITE, BUILD_OVERWRITE = 4, 8

#: States by number (`virStoragePoolState`), in virsh's words.
STATES = ("inactive", "building", "running", "degraded", "inaccessible")
RUNNING, DEGRADED = 2, 3


class PoolInfo:
    """A pool's state as one of `STATES` by number, and its sizes in bytes."""

    __slots__ = ("allocation", "available", "capacity", "state")

    def __init__(self, state: int, capacity: int, allocation: int, available: int) -> None:
        self.state = state
        self.capacity = capacity
        self.allocation = allocation
        self.available = available

    @property
    def word(self) -> str:
        """The word for the state; `unknown` for one that is newer than this client."""
        return STATES[self.state] if 0 <= self.state < len(STATES) else "unknown"

    @property
    def measured(self) -> bool:
        """Whether the sizes say something."""
        return self.state in (RUNNING, DEGRADED)


class Pool(Named):
    """One pool. Its name and UUID were told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullStoragePool) -> None:
        self.connection = connection
        self.handle: NonnullStoragePool = handle

    def xml(self, flags: int = 0) -> str:
        """Its document: of what is active, or with `XML_INACTIVE` its definition."""
        args = rpc.StoragePoolGetXmlDescArgs(self.handle, flags)
        return self.connection.ask(rpc.StoragePoolGetXmlDescRet, rpc.STORAGE_POOL_GET_XML_DESC, args).xml

    def info(self) -> PoolInfo:
        """Its state and its sizes."""
        args = rpc.StoragePoolGetInfoArgs(self.handle)
        ret = self.connection.ask(rpc.StoragePoolGetInfoRet, rpc.STORAGE_POOL_GET_INFO, args)
        return PoolInfo(ret.state, ret.capacity, ret.allocation, ret.available)

    def build(self, flags: int = 0) -> None:
        """Make what it needs on its storage: a directory, a file system, a volume group, a table of partitions."""
        self.connection.call(rpc.STORAGE_POOL_BUILD, rpc.StoragePoolBuildArgs(self.handle, flags))

    def start(self, flags: int = 0) -> None:
        """Make it active."""
        self.connection.call(rpc.STORAGE_POOL_CREATE, rpc.StoragePoolCreateArgs(self.handle, flags))

    def destroy(self) -> None:
        """Let it be active no more. Its storage stays as it is."""
        self.connection.call(rpc.STORAGE_POOL_DESTROY, rpc.StoragePoolDestroyArgs(self.handle))

    def delete(self) -> None:
        """Remove its storage. What is on it may be lost."""
        self.connection.call(rpc.STORAGE_POOL_DELETE, rpc.StoragePoolDeleteArgs(self.handle, 0))

    def undefine(self) -> None:
        """Remove its definition. Its storage stays as it is."""
        self.connection.call(rpc.STORAGE_POOL_UNDEFINE, rpc.StoragePoolUndefineArgs(self.handle))

    def refresh(self) -> None:
        """Look again what is on its storage."""
        self.connection.call(rpc.STORAGE_POOL_REFRESH, rpc.StoragePoolRefreshArgs(self.handle, 0))

    def is_active(self) -> bool:
        """Whether it is active."""
        args = rpc.StoragePoolIsActiveArgs(self.handle)
        return bool(self.connection.ask(rpc.StoragePoolIsActiveRet, rpc.STORAGE_POOL_IS_ACTIVE, args).active)

    def is_persistent(self) -> bool:
        """Whether it has a definition that outlives it."""
        args = rpc.StoragePoolIsPersistentArgs(self.handle)
        return bool(
            self.connection.ask(rpc.StoragePoolIsPersistentRet, rpc.STORAGE_POOL_IS_PERSISTENT, args).persistent
        )

    def autostart(self) -> bool:
        """Whether it starts with the daemon."""
        args = rpc.StoragePoolGetAutostartArgs(self.handle)
        return bool(self.connection.ask(rpc.StoragePoolGetAutostartRet, rpc.STORAGE_POOL_GET_AUTOSTART, args).autostart)

    def set_autostart(self, on: bool) -> None:
        """Start it with the daemon from now on, or no longer."""
        self.connection.call(rpc.STORAGE_POOL_SET_AUTOSTART, rpc.StoragePoolSetAutostartArgs(self.handle, int(on)))


def pools(connection: Connection, flags: int = 0) -> list[Pool]:
    """The pools that pass a filter (0 takes all)."""
    args = rpc.ConnectListAllStoragePoolsArgs(1, flags)
    ret = connection.ask(rpc.ConnectListAllStoragePoolsRet, rpc.CONNECT_LIST_ALL_STORAGE_POOLS, args)
    return [Pool(connection, handle) for handle in ret.pools]


def by_name(connection: Connection, name: str) -> Pool:
    """The pool of this name. Raises LibvirtError (49) where there is none."""
    args = rpc.StoragePoolLookupByNameArgs(name)
    ret = connection.ask(rpc.StoragePoolLookupByNameRet, rpc.STORAGE_POOL_LOOKUP_BY_NAME, args)
    return Pool(connection, ret.pool)


def by_uuid(connection: Connection, uuid: bytes) -> Pool:
    """The pool with this UUID. Raises LibvirtError (49) where there is none."""
    args = rpc.StoragePoolLookupByUuidArgs(uuid)
    ret = connection.ask(rpc.StoragePoolLookupByUuidRet, rpc.STORAGE_POOL_LOOKUP_BY_UUID, args)
    return Pool(connection, ret.pool)


def define(connection: Connection, xml: str, flags: int = 0) -> Pool:
    """Define a pool, or change the one of this name."""
    args = rpc.StoragePoolDefineXmlArgs(xml, flags)
    return Pool(connection, connection.ask(rpc.StoragePoolDefineXmlRet, rpc.STORAGE_POOL_DEFINE_XML, args).pool)


def create(connection: Connection, xml: str, flags: int = 0) -> Pool:
    """Make and start a pool that is forgotten when it stops."""
    args = rpc.StoragePoolCreateXmlArgs(xml, flags)
    return Pool(connection, connection.ask(rpc.StoragePoolCreateXmlRet, rpc.STORAGE_POOL_CREATE_XML, args).pool)


def find_sources(connection: Connection, kind: str, spec: str | None) -> str:
    """The sources that there are for pools of a type, as a document `<sources>`; `spec` is a `<source>` to ask."""
    args = rpc.ConnectFindStoragePoolSourcesArgs(kind, spec, 0)
    ret = connection.ask(rpc.ConnectFindStoragePoolSourcesRet, rpc.CONNECT_FIND_STORAGE_POOL_SOURCES, args)
    return ret.xml


def capabilities(connection: Connection) -> str:
    """What the daemon can do for which type of pool, as a document `<storagepoolCapabilities>`."""
    args = rpc.ConnectGetStoragePoolCapabilitiesArgs(0)
    ret = connection.ask(rpc.ConnectGetStoragePoolCapabilitiesRet, rpc.CONNECT_GET_STORAGE_POOL_CAPABILITIES, args)
    return ret.capabilities
