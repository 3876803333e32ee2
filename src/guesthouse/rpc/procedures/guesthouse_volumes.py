"""Procedures of Guesthouse's own program about volumes: all that is known of those of a pool in one call, how far long
work on one is, ending it, and removing one in spite of the guest that has it.
"""

from __future__ import annotations

from guesthouse.rpc.limits import STORAGE_VOL_LIST_MAX
from guesthouse.rpc.procedure import GUESTHOUSE_PROGRAM, Family
from guesthouse.rpc.types import NonnullStoragePool, NonnullStorageVol
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt

#: The most guests that are told of one volume.
USERS_MAX = 1024


class VolumeUser(Struct):
    """A guest that has a volume: as which disk, and whether it runs with it."""

    name: str
    uuid: str
    target: str
    running: int


class VolumeDescription(Struct):
    """A volume. Sizes in bytes; `type` is `file`, `block`, `dir`…; `format` and `backing` may be empty.

    `state` is empty for a whole one, else what is done to it (`create`, `copy`, `upload`…), or `interrupted` and what
    was cut off.
    """

    name: str
    path: str
    type: str
    format: str
    capacity: UHyper
    allocation: UHyper
    physical: UHyper
    encryption: str
    backing: str
    state: str
    users: Annotated[list[VolumeUser], USERS_MAX]


class StoragePoolDescribeVolumesArgs(Struct):
    """Arguments of `STORAGE_POOL_DESCRIBE_VOLUMES`."""

    pool: NonnullStoragePool
    flags: UInt = 0


class StoragePoolDescribeVolumesRet(Struct):
    """Reply of `STORAGE_POOL_DESCRIBE_VOLUMES`."""

    volumes: Annotated[list[VolumeDescription], STORAGE_VOL_LIST_MAX]


class StorageVolProgressArgs(Struct):
    """Arguments of `STORAGE_VOL_PROGRESS`: the names of a pool and of a volume in it."""

    pool: str
    name: str


class StorageVolProgressRet(Struct):
    """Reply of `STORAGE_VOL_PROGRESS`: what is done (empty: nothing), and how far it is, in bytes (0: nobody knows)."""

    operation: str
    done: UHyper
    total: UHyper


class StorageVolAbortArgs(Struct):
    """Arguments of `STORAGE_VOL_ABORT`: the names of a pool and of a volume in it."""

    pool: str
    name: str


class StorageVolDeleteForcedArgs(Struct):
    """Arguments of `STORAGE_VOL_DELETE_FORCED`: flags as for `STORAGE_VOL_DELETE`."""

    vol: NonnullStorageVol
    flags: UInt = 0


_family = Family(GUESTHOUSE_PROGRAM)
call = _family.call

STORAGE_POOL_DESCRIBE_VOLUMES = call(
    20, "STORAGE_POOL_DESCRIBE_VOLUMES", StoragePoolDescribeVolumesArgs, StoragePoolDescribeVolumesRet, ""
)
STORAGE_VOL_PROGRESS = call(21, "STORAGE_VOL_PROGRESS", StorageVolProgressArgs, StorageVolProgressRet, "")
STORAGE_VOL_ABORT = call(22, "STORAGE_VOL_ABORT", StorageVolAbortArgs, None, "")
STORAGE_VOL_DELETE_FORCED = call(23, "STORAGE_VOL_DELETE_FORCED", StorageVolDeleteForcedArgs, None, "")
