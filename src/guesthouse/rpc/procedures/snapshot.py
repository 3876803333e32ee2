"""Procedures for snapshots of guests.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_SNAPSHOT_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, NonnullDomainSnapshot
from guesthouse.rpc.xdr import Annotated, Struct, UInt


class DomainSnapshotCreateXmlArgs(Struct):
    """Arguments of virDomainSnapshotCreateXML."""

    dom: NonnullDomain
    xml_desc: str
    flags: UInt = 0


class DomainSnapshotCreateXmlRet(Struct):
    """Reply of virDomainSnapshotCreateXML."""

    snap: NonnullDomainSnapshot


class DomainSnapshotGetXmlDescArgs(Struct):
    """Arguments of virDomainSnapshotGetXMLDesc."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotGetXmlDescRet(Struct):
    """Reply of virDomainSnapshotGetXMLDesc."""

    xml: str


class DomainSnapshotNumArgs(Struct):
    """Arguments of virDomainSnapshotNum."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainSnapshotNumRet(Struct):
    """Reply of virDomainSnapshotNum."""

    num: int


class DomainSnapshotListNamesArgs(Struct):
    """Arguments of virDomainSnapshotListNames."""

    dom: NonnullDomain
    maxnames: int
    flags: UInt = 0


class DomainSnapshotListNamesRet(Struct):
    """Reply of virDomainSnapshotListNames."""

    names: Annotated[list[str], DOMAIN_SNAPSHOT_LIST_MAX]


class DomainSnapshotLookupByNameArgs(Struct):
    """Arguments of virDomainSnapshotLookupByName."""

    dom: NonnullDomain
    name: str
    flags: UInt = 0


class DomainSnapshotLookupByNameRet(Struct):
    """Reply of virDomainSnapshotLookupByName."""

    snap: NonnullDomainSnapshot


class DomainHasCurrentSnapshotArgs(Struct):
    """Arguments of virDomainHasCurrentSnapshot."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainHasCurrentSnapshotRet(Struct):
    """Reply of virDomainHasCurrentSnapshot."""

    result: int


class DomainSnapshotCurrentArgs(Struct):
    """Arguments of virDomainSnapshotCurrent."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainSnapshotCurrentRet(Struct):
    """Reply of virDomainSnapshotCurrent."""

    snap: NonnullDomainSnapshot


class DomainRevertToSnapshotArgs(Struct):
    """Arguments of virDomainRevertToSnapshot."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotDeleteArgs(Struct):
    """Arguments of virDomainSnapshotDelete."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotGetParentArgs(Struct):
    """Arguments of virDomainSnapshotGetParent."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotGetParentRet(Struct):
    """Reply of virDomainSnapshotGetParent."""

    snap: NonnullDomainSnapshot


class DomainSnapshotNumChildrenArgs(Struct):
    """Arguments of virDomainSnapshotNumChildren."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotNumChildrenRet(Struct):
    """Reply of virDomainSnapshotNumChildren."""

    num: int


class DomainSnapshotListChildrenNamesArgs(Struct):
    """Arguments of virDomainSnapshotListChildrenNames."""

    snap: NonnullDomainSnapshot
    maxnames: int
    flags: UInt = 0


class DomainSnapshotListChildrenNamesRet(Struct):
    """Reply of virDomainSnapshotListChildrenNames."""

    names: Annotated[list[str], DOMAIN_SNAPSHOT_LIST_MAX]


class DomainSnapshotIsCurrentArgs(Struct):
    """Arguments of virDomainSnapshotIsCurrent."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotIsCurrentRet(Struct):
    """Reply of virDomainSnapshotIsCurrent."""

    current: int


class DomainSnapshotHasMetadataArgs(Struct):
    """Arguments of virDomainSnapshotHasMetadata."""

    snap: NonnullDomainSnapshot
    flags: UInt = 0


class DomainSnapshotHasMetadataRet(Struct):
    """Reply of virDomainSnapshotHasMetadata."""

    metadata: int


class DomainListAllSnapshotsArgs(Struct):
    """Arguments of virDomainListAllSnapshots."""

    dom: NonnullDomain
    need_results: int
    flags: UInt = 0


class DomainListAllSnapshotsRet(Struct):
    """Reply of virDomainListAllSnapshots."""

    snapshots: Annotated[list[NonnullDomainSnapshot], DOMAIN_SNAPSHOT_LIST_MAX]
    ret: int


class DomainSnapshotListAllChildrenArgs(Struct):
    """Arguments of virDomainSnapshotListAllChildren."""

    snapshot: NonnullDomainSnapshot
    need_results: int
    flags: UInt = 0


class DomainSnapshotListAllChildrenRet(Struct):
    """Reply of virDomainSnapshotListAllChildren."""

    snapshots: Annotated[list[NonnullDomainSnapshot], DOMAIN_SNAPSHOT_LIST_MAX]
    ret: int


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_SNAPSHOT_CREATE_XML = call(
    185, "DOMAIN_SNAPSHOT_CREATE_XML", DomainSnapshotCreateXmlArgs, DomainSnapshotCreateXmlRet, "0.8.0"
)
DOMAIN_SNAPSHOT_GET_XML_DESC = call(
    186,
    "DOMAIN_SNAPSHOT_GET_XML_DESC",
    DomainSnapshotGetXmlDescArgs,
    DomainSnapshotGetXmlDescRet,
    "0.8.0",
    priority=True,
)
DOMAIN_SNAPSHOT_NUM = call(
    187, "DOMAIN_SNAPSHOT_NUM", DomainSnapshotNumArgs, DomainSnapshotNumRet, "0.8.0", priority=True
)
DOMAIN_SNAPSHOT_LIST_NAMES = call(
    188, "DOMAIN_SNAPSHOT_LIST_NAMES", DomainSnapshotListNamesArgs, DomainSnapshotListNamesRet, "0.8.0", priority=True
)
DOMAIN_SNAPSHOT_LOOKUP_BY_NAME = call(
    189,
    "DOMAIN_SNAPSHOT_LOOKUP_BY_NAME",
    DomainSnapshotLookupByNameArgs,
    DomainSnapshotLookupByNameRet,
    "0.8.0",
    priority=True,
)
DOMAIN_HAS_CURRENT_SNAPSHOT = call(
    190, "DOMAIN_HAS_CURRENT_SNAPSHOT", DomainHasCurrentSnapshotArgs, DomainHasCurrentSnapshotRet, "0.8.0"
)
DOMAIN_SNAPSHOT_CURRENT = call(
    191, "DOMAIN_SNAPSHOT_CURRENT", DomainSnapshotCurrentArgs, DomainSnapshotCurrentRet, "0.8.0"
)
DOMAIN_REVERT_TO_SNAPSHOT = call(192, "DOMAIN_REVERT_TO_SNAPSHOT", DomainRevertToSnapshotArgs, None, "0.8.0")
DOMAIN_SNAPSHOT_DELETE = call(193, "DOMAIN_SNAPSHOT_DELETE", DomainSnapshotDeleteArgs, None, "0.8.0")
DOMAIN_SNAPSHOT_GET_PARENT = call(
    244, "DOMAIN_SNAPSHOT_GET_PARENT", DomainSnapshotGetParentArgs, DomainSnapshotGetParentRet, "0.9.7", priority=True
)
DOMAIN_SNAPSHOT_NUM_CHILDREN = call(
    246,
    "DOMAIN_SNAPSHOT_NUM_CHILDREN",
    DomainSnapshotNumChildrenArgs,
    DomainSnapshotNumChildrenRet,
    "0.9.7",
    priority=True,
)
DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES = call(
    247,
    "DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES",
    DomainSnapshotListChildrenNamesArgs,
    DomainSnapshotListChildrenNamesRet,
    "0.9.7",
    priority=True,
)
DOMAIN_SNAPSHOT_IS_CURRENT = call(
    271, "DOMAIN_SNAPSHOT_IS_CURRENT", DomainSnapshotIsCurrentArgs, DomainSnapshotIsCurrentRet, "0.9.13"
)
DOMAIN_SNAPSHOT_HAS_METADATA = call(
    272, "DOMAIN_SNAPSHOT_HAS_METADATA", DomainSnapshotHasMetadataArgs, DomainSnapshotHasMetadataRet, "0.9.13"
)
DOMAIN_LIST_ALL_SNAPSHOTS = call(
    274, "DOMAIN_LIST_ALL_SNAPSHOTS", DomainListAllSnapshotsArgs, DomainListAllSnapshotsRet, "0.9.13", priority=True
)
DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN = call(
    275,
    "DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN",
    DomainSnapshotListAllChildrenArgs,
    DomainSnapshotListAllChildrenRet,
    "0.9.13",
    priority=True,
)
