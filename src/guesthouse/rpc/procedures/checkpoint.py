"""Procedures for checkpoints and backups of guests.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_CHECKPOINT_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, NonnullDomainCheckpoint
from guesthouse.rpc.xdr import Annotated, Struct, UInt


class DomainCheckpointCreateXmlArgs(Struct):
    """Arguments of virDomainCheckpointCreateXML."""

    dom: NonnullDomain
    xml_desc: str
    flags: UInt = 0


class DomainCheckpointCreateXmlRet(Struct):
    """Reply of virDomainCheckpointCreateXML."""

    checkpoint: NonnullDomainCheckpoint


class DomainCheckpointGetXmlDescArgs(Struct):
    """Arguments of virDomainCheckpointGetXMLDesc."""

    checkpoint: NonnullDomainCheckpoint
    flags: UInt = 0


class DomainCheckpointGetXmlDescRet(Struct):
    """Reply of virDomainCheckpointGetXMLDesc."""

    xml: str


class DomainListAllCheckpointsArgs(Struct):
    """Arguments of virDomainListAllCheckpoints."""

    dom: NonnullDomain
    need_results: int
    flags: UInt = 0


class DomainListAllCheckpointsRet(Struct):
    """Reply of virDomainListAllCheckpoints."""

    checkpoints: Annotated[list[NonnullDomainCheckpoint], DOMAIN_CHECKPOINT_LIST_MAX]
    ret: int


class DomainCheckpointListAllChildrenArgs(Struct):
    """Arguments of virDomainCheckpointListAllChildren."""

    checkpoint: NonnullDomainCheckpoint
    need_results: int
    flags: UInt = 0


class DomainCheckpointListAllChildrenRet(Struct):
    """Reply of virDomainCheckpointListAllChildren."""

    checkpoints: Annotated[list[NonnullDomainCheckpoint], DOMAIN_CHECKPOINT_LIST_MAX]
    ret: int


class DomainCheckpointLookupByNameArgs(Struct):
    """Arguments of virDomainCheckpointLookupByName."""

    dom: NonnullDomain
    name: str
    flags: UInt = 0


class DomainCheckpointLookupByNameRet(Struct):
    """Reply of virDomainCheckpointLookupByName."""

    checkpoint: NonnullDomainCheckpoint


class DomainCheckpointGetParentArgs(Struct):
    """Arguments of virDomainCheckpointGetParent."""

    checkpoint: NonnullDomainCheckpoint
    flags: UInt = 0


class DomainCheckpointGetParentRet(Struct):
    """Reply of virDomainCheckpointGetParent."""

    parent: NonnullDomainCheckpoint


class DomainCheckpointDeleteArgs(Struct):
    """Arguments of virDomainCheckpointDelete."""

    checkpoint: NonnullDomainCheckpoint
    flags: UInt = 0


class DomainBackupBeginArgs(Struct):
    """Arguments of virDomainBackupBegin."""

    dom: NonnullDomain
    backup_xml: str
    checkpoint_xml: str | None = None
    flags: UInt = 0


class DomainBackupGetXmlDescArgs(Struct):
    """Arguments of virDomainBackupGetXMLDesc."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainBackupGetXmlDescRet(Struct):
    """Reply of virDomainBackupGetXMLDesc."""

    xml: str


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_CHECKPOINT_CREATE_XML = call(
    411, "DOMAIN_CHECKPOINT_CREATE_XML", DomainCheckpointCreateXmlArgs, DomainCheckpointCreateXmlRet, "5.6.0"
)
DOMAIN_CHECKPOINT_GET_XML_DESC = call(
    412, "DOMAIN_CHECKPOINT_GET_XML_DESC", DomainCheckpointGetXmlDescArgs, DomainCheckpointGetXmlDescRet, "5.6.0"
)
DOMAIN_LIST_ALL_CHECKPOINTS = call(
    413,
    "DOMAIN_LIST_ALL_CHECKPOINTS",
    DomainListAllCheckpointsArgs,
    DomainListAllCheckpointsRet,
    "5.6.0",
    priority=True,
)
DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN = call(
    414,
    "DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN",
    DomainCheckpointListAllChildrenArgs,
    DomainCheckpointListAllChildrenRet,
    "5.6.0",
    priority=True,
)
DOMAIN_CHECKPOINT_LOOKUP_BY_NAME = call(
    415,
    "DOMAIN_CHECKPOINT_LOOKUP_BY_NAME",
    DomainCheckpointLookupByNameArgs,
    DomainCheckpointLookupByNameRet,
    "5.6.0",
    priority=True,
)
DOMAIN_CHECKPOINT_GET_PARENT = call(
    416,
    "DOMAIN_CHECKPOINT_GET_PARENT",
    DomainCheckpointGetParentArgs,
    DomainCheckpointGetParentRet,
    "5.6.0",
    priority=True,
)
DOMAIN_CHECKPOINT_DELETE = call(417, "DOMAIN_CHECKPOINT_DELETE", DomainCheckpointDeleteArgs, None, "5.6.0")
DOMAIN_BACKUP_BEGIN = call(421, "DOMAIN_BACKUP_BEGIN", DomainBackupBeginArgs, None, "6.0.0")
DOMAIN_BACKUP_GET_XML_DESC = call(
    422, "DOMAIN_BACKUP_GET_XML_DESC", DomainBackupGetXmlDescArgs, DomainBackupGetXmlDescRet, "6.0.0", priority=True
)
