"""Storage volumes of a daemon: finding, making, changing and removing them, and their bytes.

The functions are libvirt's `virStorageVol…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-storage.html). All raise LibvirtError as the daemon sent it. What takes its
time is submitted, so that the caller can look how far it is while it waits (`Connection.wait`).
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError
from guesthouse.rpc.procedures import storage_vol as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.client.pools import Pool
    from guesthouse.client.stream import Stream
    from guesthouse.rpc.procedures.guesthouse_volumes import StorageVolProgressRet
    from guesthouse.rpc.procedures.guesthouse_volumes import VolumeDescription as VolumeDescription
    from guesthouse.rpc.types import NonnullStorageVol

#: Types by number (`virStorageVolType`).
TYPES = ("file", "block", "dir", "network", "netdir", "ploop")

#: Flags of `submit_create` and `submit_copy`, of `Volume.info`, `Volume.delete`, `Volume.submit_resize`, and streams.
PREALLOCATE_METADATA, REFLINK, VALIDATE = 1, 2, 4
PHYSICAL = 1
WITH_SNAPSHOTS = 2
ALLOCATE, DELTA, SHRINK = 1, 2, 4
SPARSE = 1

#: The ways to wipe a volume, by number (`virStorageVolWipeAlgorithm`).
ALGORITHMS = ("zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random", "trim")


class VolumeInfo:
    """What a volume is, as a number of `TYPES`, and its sizes in bytes; with `PHYSICAL` `allocation` is its length."""

    __slots__ = ("allocation", "capacity", "type")

    def __init__(self, kind: int, capacity: int, allocation: int) -> None:
        self.type = kind
        self.capacity = capacity
        self.allocation = allocation

    @property
    def word(self) -> str:
        """The word for the type; `unknown` for one that is newer than this client."""
        return TYPES[self.type] if 0 <= self.type < len(TYPES) else "unknown"


class Volume:
    """One volume. Its name, its key and its pool's name were told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullStorageVol) -> None:
        self.connection = connection
        self.handle = handle

    @property
    def name(self) -> str:
        """Its name."""
        return self.handle.name

    @property
    def key(self) -> str:
        """What identifies it on the host."""
        return self.handle.key

    @property
    def pool(self) -> str:
        """The name of its pool."""
        return self.handle.pool

    def path(self) -> str:
        """Where it is."""
        args = rpc.StorageVolGetPathArgs(self.handle)
        return self.connection.ask(rpc.StorageVolGetPathRet, rpc.STORAGE_VOL_GET_PATH, args).name

    def xml(self) -> str:
        """Its document."""
        args = rpc.StorageVolGetXmlDescArgs(self.handle, 0)
        return self.connection.ask(rpc.StorageVolGetXmlDescRet, rpc.STORAGE_VOL_GET_XML_DESC, args).xml

    def info(self, flags: int = 0) -> VolumeInfo:
        """What it is, and its sizes."""
        if not flags:
            plain = rpc.StorageVolGetInfoArgs(self.handle)
            ret = self.connection.ask(rpc.StorageVolGetInfoRet, rpc.STORAGE_VOL_GET_INFO, plain)
            return VolumeInfo(ret.type, ret.capacity, ret.allocation)
        args = rpc.StorageVolGetInfoFlagsArgs(self.handle, flags)
        more = self.connection.ask(rpc.StorageVolGetInfoFlagsRet, rpc.STORAGE_VOL_GET_INFO_FLAGS, args)
        return VolumeInfo(more.type, more.capacity, more.allocation)

    def delete(self, flags: int = 0) -> None:
        """Remove it."""
        self.connection.call(rpc.STORAGE_VOL_DELETE, rpc.StorageVolDeleteArgs(self.handle, flags))

    def delete_forced(self, flags: int = 0) -> None:
        """Remove it, even if a running guest has it. Only our daemon can."""
        from guesthouse.rpc.procedures import guesthouse_volumes as own

        self.connection.call(own.STORAGE_VOL_DELETE_FORCED, own.StorageVolDeleteForcedArgs(self.handle, flags))

    def submit_resize(self, capacity: int, flags: int) -> int:
        """Ask for another size, in bytes."""
        return self.connection.submit(rpc.STORAGE_VOL_RESIZE, rpc.StorageVolResizeArgs(self.handle, capacity, flags))

    def submit_wipe(self, algorithm: int) -> int:
        """Ask to destroy what it holds."""
        return self.connection.submit(
            rpc.STORAGE_VOL_WIPE_PATTERN, rpc.StorageVolWipePatternArgs(self.handle, algorithm, 0)
        )

    def upload(self, offset: int, length: int, flags: int) -> Stream:
        """A stream to its bytes from `offset` on; it takes at most `length` unless that is 0."""
        args = rpc.StorageVolUploadArgs(self.handle, offset, length, flags)
        return self.connection.open_stream(rpc.STORAGE_VOL_UPLOAD, args)[1]

    def download(self, offset: int, length: int, flags: int) -> Stream:
        """A stream of its bytes from `offset` on, `length` of them or all."""
        args = rpc.StorageVolDownloadArgs(self.handle, offset, length, flags)
        return self.connection.open_stream(rpc.STORAGE_VOL_DOWNLOAD, args)[1]

    def parent(self) -> Pool:
        """Its pool."""
        from guesthouse.client.pools import Pool
        from guesthouse.rpc.procedures import storage

        args = storage.StoragePoolLookupByVolumeArgs(self.handle)
        ret = self.connection.ask(storage.StoragePoolLookupByVolumeRet, storage.STORAGE_POOL_LOOKUP_BY_VOLUME, args)
        return Pool(self.connection, ret.pool)


def volumes(pool: Pool) -> list[Volume]:
    """The volumes of an active pool."""
    args = rpc.StoragePoolListAllVolumesArgs(pool.handle, 1, 0)
    ret = pool.connection.ask(rpc.StoragePoolListAllVolumesRet, rpc.STORAGE_POOL_LIST_ALL_VOLUMES, args)
    return [Volume(pool.connection, handle) for handle in ret.vols]


def descriptions(pool: Pool) -> list[VolumeDescription] | None:
    """All that is known of the volumes of a pool, in one call; None where the daemon is not ours."""
    from guesthouse.rpc.procedures import guesthouse_volumes as own

    args = own.StoragePoolDescribeVolumesArgs(pool.handle, 0)
    try:
        return pool.connection.ask(own.StoragePoolDescribeVolumesRet, own.STORAGE_POOL_DESCRIBE_VOLUMES, args).volumes
    except LibvirtError as error:
        if error.code == Code.RPC:
            return None
        raise


def progress(connection: Connection, pool: str, name: str) -> StorageVolProgressRet:
    """What is done to a volume, and how far that is. Only our daemon knows."""
    from guesthouse.rpc.procedures import guesthouse_volumes as own

    return connection.ask(own.StorageVolProgressRet, own.STORAGE_VOL_PROGRESS, own.StorageVolProgressArgs(pool, name))


def abort(connection: Connection, pool: str, name: str) -> None:
    """End what is done to a volume. Only our daemon can."""
    from guesthouse.rpc.procedures import guesthouse_volumes as own

    connection.call(own.STORAGE_VOL_ABORT, own.StorageVolAbortArgs(pool, name))


def by_name(pool: Pool, name: str) -> Volume:
    """The volume of this name. Raises LibvirtError (50) where there is none."""
    args = rpc.StorageVolLookupByNameArgs(pool.handle, name)
    ret = pool.connection.ask(rpc.StorageVolLookupByNameRet, rpc.STORAGE_VOL_LOOKUP_BY_NAME, args)
    return Volume(pool.connection, ret.vol)


def by_key(connection: Connection, key: str) -> Volume:
    """The volume with this key. Raises LibvirtError (50) where there is none."""
    args = rpc.StorageVolLookupByKeyArgs(key)
    return Volume(connection, connection.ask(rpc.StorageVolLookupByKeyRet, rpc.STORAGE_VOL_LOOKUP_BY_KEY, args).vol)


def by_path(connection: Connection, path: str) -> Volume:
    """The volume at this path. Raises LibvirtError (50) where there is none."""
    args = rpc.StorageVolLookupByPathArgs(path)
    return Volume(connection, connection.ask(rpc.StorageVolLookupByPathRet, rpc.STORAGE_VOL_LOOKUP_BY_PATH, args).vol)


def submit_create(pool: Pool, xml: str, flags: int) -> int:
    """Ask for a new volume; `made` tells which from the reply."""
    return pool.connection.submit(rpc.STORAGE_VOL_CREATE_XML, rpc.StorageVolCreateXmlArgs(pool.handle, xml, flags))


def submit_copy(pool: Pool, xml: str, source: Volume, flags: int) -> int:
    """Ask for a new volume with the content of another."""
    args = rpc.StorageVolCreateXmlFromArgs(pool.handle, xml, source.handle, flags)
    return pool.connection.submit(rpc.STORAGE_VOL_CREATE_XML_FROM, args)


def made(connection: Connection, serial: int) -> Volume:
    """The volume that the reply to `submit_create` or `submit_copy` tells of."""
    reply = connection.wait(serial)
    if not isinstance(reply, rpc.StorageVolCreateXmlRet | rpc.StorageVolCreateXmlFromRet):
        raise LibvirtError("unexpected reply to the creation of a volume", code=Code.RPC)
    return Volume(connection, reply.vol)
