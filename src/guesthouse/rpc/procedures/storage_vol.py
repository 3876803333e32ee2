"""Procedures for storage volumes.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import STORAGE_VOL_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullStoragePool, NonnullStorageVol
from guesthouse.rpc.xdr import Annotated, Char, Struct, UHyper, UInt


class StoragePoolNumOfVolumesArgs(Struct):
    """Arguments of virStoragePoolNumOfVolumes."""

    pool: NonnullStoragePool


class StoragePoolNumOfVolumesRet(Struct):
    """Reply of virStoragePoolNumOfVolumes."""

    num: int


class StoragePoolListVolumesArgs(Struct):
    """Arguments of virStoragePoolListVolumes."""

    pool: NonnullStoragePool
    maxnames: int


class StoragePoolListVolumesRet(Struct):
    """Reply of virStoragePoolListVolumes."""

    names: Annotated[list[str], STORAGE_VOL_LIST_MAX]


class StorageVolCreateXmlArgs(Struct):
    """Arguments of virStorageVolCreateXML."""

    pool: NonnullStoragePool
    xml: str
    flags: UInt = 0


class StorageVolCreateXmlRet(Struct):
    """Reply of virStorageVolCreateXML."""

    vol: NonnullStorageVol


class StorageVolDeleteArgs(Struct):
    """Arguments of virStorageVolDelete."""

    vol: NonnullStorageVol
    flags: UInt = 0


class StorageVolLookupByNameArgs(Struct):
    """Arguments of virStorageVolLookupByName."""

    pool: NonnullStoragePool
    name: str


class StorageVolLookupByNameRet(Struct):
    """Reply of virStorageVolLookupByName."""

    vol: NonnullStorageVol


class StorageVolLookupByKeyArgs(Struct):
    """Arguments of virStorageVolLookupByKey."""

    key: str


class StorageVolLookupByKeyRet(Struct):
    """Reply of virStorageVolLookupByKey."""

    vol: NonnullStorageVol


class StorageVolLookupByPathArgs(Struct):
    """Arguments of virStorageVolLookupByPath."""

    path: str


class StorageVolLookupByPathRet(Struct):
    """Reply of virStorageVolLookupByPath."""

    vol: NonnullStorageVol


class StorageVolGetInfoArgs(Struct):
    """Arguments of virStorageVolGetInfo."""

    vol: NonnullStorageVol


class StorageVolGetInfoRet(Struct):
    """Reply of virStorageVolGetInfo."""

    type: Char
    capacity: UHyper
    allocation: UHyper


class StorageVolGetXmlDescArgs(Struct):
    """Arguments of virStorageVolGetXMLDesc."""

    vol: NonnullStorageVol
    flags: UInt = 0


class StorageVolGetXmlDescRet(Struct):
    """Reply of virStorageVolGetXMLDesc."""

    xml: str


class StorageVolGetPathArgs(Struct):
    """Arguments of virStorageVolGetPath."""

    vol: NonnullStorageVol


class StorageVolGetPathRet(Struct):
    """Reply of virStorageVolGetPath."""

    name: str


class StorageVolCreateXmlFromArgs(Struct):
    """Arguments of virStorageVolCreateXMLFrom."""

    pool: NonnullStoragePool
    xml: str
    clonevol: NonnullStorageVol
    flags: UInt = 0


class StorageVolCreateXmlFromRet(Struct):
    """Reply of virStorageVolCreateXMLFrom."""

    vol: NonnullStorageVol


class StorageVolWipeArgs(Struct):
    """Arguments of virStorageVolWipe."""

    vol: NonnullStorageVol
    flags: UInt = 0


class StorageVolUploadArgs(Struct):
    """Arguments of virStorageVolUpload."""

    vol: NonnullStorageVol
    offset: UHyper
    length: UHyper
    flags: UInt = 0


class StorageVolDownloadArgs(Struct):
    """Arguments of virStorageVolDownload."""

    vol: NonnullStorageVol
    offset: UHyper
    length: UHyper
    flags: UInt = 0


class StorageVolWipePatternArgs(Struct):
    """Arguments of virStorageVolWipePattern."""

    vol: NonnullStorageVol
    algorithm: UInt
    flags: UInt = 0


class StorageVolResizeArgs(Struct):
    """Arguments of virStorageVolResize."""

    vol: NonnullStorageVol
    capacity: UHyper
    flags: UInt = 0


class StoragePoolListAllVolumesArgs(Struct):
    """Arguments of virStoragePoolListAllVolumes."""

    pool: NonnullStoragePool
    need_results: int
    flags: UInt = 0


class StoragePoolListAllVolumesRet(Struct):
    """Reply of virStoragePoolListAllVolumes."""

    vols: Annotated[list[NonnullStorageVol], STORAGE_VOL_LIST_MAX]
    ret: UInt


class StorageVolGetInfoFlagsArgs(Struct):
    """Arguments of virStorageVolGetInfoFlags."""

    vol: NonnullStorageVol
    flags: UInt = 0


class StorageVolGetInfoFlagsRet(Struct):
    """Reply of virStorageVolGetInfoFlags."""

    type: Char
    capacity: UHyper
    allocation: UHyper


_family = Family(REMOTE_PROGRAM)
call = _family.call

STORAGE_POOL_NUM_OF_VOLUMES = call(
    91, "STORAGE_POOL_NUM_OF_VOLUMES", StoragePoolNumOfVolumesArgs, StoragePoolNumOfVolumesRet, "0.4.1", priority=True
)
STORAGE_POOL_LIST_VOLUMES = call(
    92, "STORAGE_POOL_LIST_VOLUMES", StoragePoolListVolumesArgs, StoragePoolListVolumesRet, "0.4.1", priority=True
)
STORAGE_VOL_CREATE_XML = call(93, "STORAGE_VOL_CREATE_XML", StorageVolCreateXmlArgs, StorageVolCreateXmlRet, "0.4.1")
STORAGE_VOL_DELETE = call(94, "STORAGE_VOL_DELETE", StorageVolDeleteArgs, None, "0.4.1")
STORAGE_VOL_LOOKUP_BY_NAME = call(
    95, "STORAGE_VOL_LOOKUP_BY_NAME", StorageVolLookupByNameArgs, StorageVolLookupByNameRet, "0.4.1", priority=True
)
STORAGE_VOL_LOOKUP_BY_KEY = call(
    96, "STORAGE_VOL_LOOKUP_BY_KEY", StorageVolLookupByKeyArgs, StorageVolLookupByKeyRet, "0.4.1", priority=True
)
STORAGE_VOL_LOOKUP_BY_PATH = call(
    97, "STORAGE_VOL_LOOKUP_BY_PATH", StorageVolLookupByPathArgs, StorageVolLookupByPathRet, "0.4.1", priority=True
)
STORAGE_VOL_GET_INFO = call(
    98, "STORAGE_VOL_GET_INFO", StorageVolGetInfoArgs, StorageVolGetInfoRet, "0.4.1", priority=True
)
STORAGE_VOL_GET_XML_DESC = call(
    99, "STORAGE_VOL_GET_XML_DESC", StorageVolGetXmlDescArgs, StorageVolGetXmlDescRet, "0.4.1", priority=True
)
STORAGE_VOL_GET_PATH = call(
    100, "STORAGE_VOL_GET_PATH", StorageVolGetPathArgs, StorageVolGetPathRet, "0.4.1", priority=True
)
STORAGE_VOL_CREATE_XML_FROM = call(
    125, "STORAGE_VOL_CREATE_XML_FROM", StorageVolCreateXmlFromArgs, StorageVolCreateXmlFromRet, "0.6.4"
)
STORAGE_VOL_WIPE = call(165, "STORAGE_VOL_WIPE", StorageVolWipeArgs, None, "0.8.0")
STORAGE_VOL_UPLOAD = call(208, "STORAGE_VOL_UPLOAD", StorageVolUploadArgs, None, "0.9.0", stream="write")
STORAGE_VOL_DOWNLOAD = call(209, "STORAGE_VOL_DOWNLOAD", StorageVolDownloadArgs, None, "0.9.0", stream="read")
STORAGE_VOL_WIPE_PATTERN = call(259, "STORAGE_VOL_WIPE_PATTERN", StorageVolWipePatternArgs, None, "0.9.10")
STORAGE_VOL_RESIZE = call(260, "STORAGE_VOL_RESIZE", StorageVolResizeArgs, None, "0.9.10")
STORAGE_POOL_LIST_ALL_VOLUMES = call(
    282,
    "STORAGE_POOL_LIST_ALL_VOLUMES",
    StoragePoolListAllVolumesArgs,
    StoragePoolListAllVolumesRet,
    "0.10.2",
    priority=True,
)
STORAGE_VOL_GET_INFO_FLAGS = call(
    378, "STORAGE_VOL_GET_INFO_FLAGS", StorageVolGetInfoFlagsArgs, StorageVolGetInfoFlagsRet, "3.0.0", priority=True
)
