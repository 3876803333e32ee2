"""Procedures for guests: listing, looking up, defining, starting, stopping, asking for state and XML.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_LIST_MAX, SECURITY_LABEL_LIST_MAX, SECURITY_LABEL_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain
from guesthouse.rpc.xdr import Annotated, Chars, Struct, UChar, UHyper, UInt, UShort, Uuid


class DomainCreateArgs(Struct):
    """Arguments of virDomainCreate."""

    dom: NonnullDomain


class DomainCreateXmlArgs(Struct):
    """Arguments of virDomainCreateXML."""

    xml_desc: str
    flags: UInt = 0


class DomainCreateXmlRet(Struct):
    """Reply of virDomainCreateXML."""

    dom: NonnullDomain


class DomainDefineXmlArgs(Struct):
    """Arguments of virDomainDefineXML."""

    xml: str


class DomainDefineXmlRet(Struct):
    """Reply of virDomainDefineXML."""

    dom: NonnullDomain


class DomainDestroyArgs(Struct):
    """Arguments of virDomainDestroy."""

    dom: NonnullDomain


class DomainGetXmlDescArgs(Struct):
    """Arguments of virDomainGetXMLDesc."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetXmlDescRet(Struct):
    """Reply of virDomainGetXMLDesc."""

    xml: str


class DomainGetAutostartArgs(Struct):
    """Arguments of virDomainGetAutostart."""

    dom: NonnullDomain


class DomainGetAutostartRet(Struct):
    """Reply of virDomainGetAutostart."""

    autostart: int


class DomainGetInfoArgs(Struct):
    """Arguments of virDomainGetInfo."""

    dom: NonnullDomain


class DomainGetInfoRet(Struct):
    """Reply of virDomainGetInfo."""

    state: UChar
    maxMem: UHyper
    memory: UHyper
    nrVirtCpu: UShort
    cpuTime: UHyper


class DomainGetOsTypeArgs(Struct):
    """Arguments of virDomainGetOSType."""

    dom: NonnullDomain


class DomainGetOsTypeRet(Struct):
    """Reply of virDomainGetOSType."""

    type: str


class ConnectListDefinedDomainsArgs(Struct):
    """Arguments of virConnectListDefinedDomains."""

    maxnames: int


class ConnectListDefinedDomainsRet(Struct):
    """Reply of virConnectListDefinedDomains."""

    names: Annotated[list[str], DOMAIN_LIST_MAX]


class DomainLookupByIdArgs(Struct):
    """Arguments of virDomainLookupByID."""

    id: int


class DomainLookupByIdRet(Struct):
    """Reply of virDomainLookupByID."""

    dom: NonnullDomain


class DomainLookupByNameArgs(Struct):
    """Arguments of virDomainLookupByName."""

    name: str


class DomainLookupByNameRet(Struct):
    """Reply of virDomainLookupByName."""

    dom: NonnullDomain


class DomainLookupByUuidArgs(Struct):
    """Arguments of virDomainLookupByUUID."""

    uuid: Uuid


class DomainLookupByUuidRet(Struct):
    """Reply of virDomainLookupByUUID."""

    dom: NonnullDomain


class ConnectNumOfDefinedDomainsRet(Struct):
    """Reply of virConnectNumOfDefinedDomains."""

    num: int


class DomainRebootArgs(Struct):
    """Arguments of virDomainReboot."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainResumeArgs(Struct):
    """Arguments of virDomainResume."""

    dom: NonnullDomain


class DomainSetAutostartArgs(Struct):
    """Arguments of virDomainSetAutostart."""

    dom: NonnullDomain
    autostart: int


class DomainShutdownArgs(Struct):
    """Arguments of virDomainShutdown."""

    dom: NonnullDomain


class DomainSuspendArgs(Struct):
    """Arguments of virDomainSuspend."""

    dom: NonnullDomain


class DomainUndefineArgs(Struct):
    """Arguments of virDomainUndefine."""

    dom: NonnullDomain


class ConnectListDomainsArgs(Struct):
    """Arguments of virConnectListDomains."""

    maxids: int


class ConnectListDomainsRet(Struct):
    """Reply of virConnectListDomains."""

    ids: Annotated[list[int], DOMAIN_LIST_MAX]


class ConnectNumOfDomainsRet(Struct):
    """Reply of virConnectNumOfDomains."""

    num: int


class DomainGetSecurityLabelArgs(Struct):
    """Arguments of virDomainGetSecurityLabel."""

    dom: NonnullDomain


class DomainGetSecurityLabelRet(Struct):
    """Reply of virDomainGetSecurityLabel."""

    label: Annotated[Chars, SECURITY_LABEL_MAX]
    enforcing: int


class DomainIsActiveArgs(Struct):
    """Arguments of virDomainIsActive."""

    dom: NonnullDomain


class DomainIsActiveRet(Struct):
    """Reply of virDomainIsActive."""

    active: int


class DomainIsPersistentArgs(Struct):
    """Arguments of virDomainIsPersistent."""

    dom: NonnullDomain


class DomainIsPersistentRet(Struct):
    """Reply of virDomainIsPersistent."""

    persistent: int


class DomainCreateWithFlagsArgs(Struct):
    """Arguments of virDomainCreateWithFlags."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainCreateWithFlagsRet(Struct):
    """Reply of virDomainCreateWithFlags."""

    dom: NonnullDomain


class DomainIsUpdatedArgs(Struct):
    """Arguments of virDomainIsUpdated."""

    dom: NonnullDomain


class DomainIsUpdatedRet(Struct):
    """Reply of virDomainIsUpdated."""

    updated: int


class DomainGetStateArgs(Struct):
    """Arguments of virDomainGetState."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetStateRet(Struct):
    """Reply of virDomainGetState."""

    state: int
    reason: int


class DomainUndefineFlagsArgs(Struct):
    """Arguments of virDomainUndefineFlags."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainDestroyFlagsArgs(Struct):
    """Arguments of virDomainDestroyFlags."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainResetArgs(Struct):
    """Arguments of virDomainReset."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainShutdownFlagsArgs(Struct):
    """Arguments of virDomainShutdownFlags."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainSetMetadataArgs(Struct):
    """Arguments of virDomainSetMetadata."""

    dom: NonnullDomain
    type: int
    metadata: str | None = None
    key: str | None = None
    uri: str | None = None
    flags: UInt = 0


class DomainGetMetadataArgs(Struct):
    """Arguments of virDomainGetMetadata."""

    dom: NonnullDomain
    type: int
    uri: str | None = None
    flags: UInt = 0


class DomainGetMetadataRet(Struct):
    """Reply of virDomainGetMetadata."""

    metadata: str


class ConnectListAllDomainsArgs(Struct):
    """Arguments of virConnectListAllDomains."""

    need_results: int
    flags: UInt = 0


class ConnectListAllDomainsRet(Struct):
    """Reply of virConnectListAllDomains."""

    domains: Annotated[list[NonnullDomain], DOMAIN_LIST_MAX]
    ret: UInt


class DomainGetSecurityLabelListArgs(Struct):
    """Arguments of virDomainGetSecurityLabelList."""

    dom: NonnullDomain


class DomainGetSecurityLabelListRet(Struct):
    """Reply of virDomainGetSecurityLabelList."""

    labels: Annotated[list[DomainGetSecurityLabelRet], SECURITY_LABEL_LIST_MAX]
    ret: int


class DomainCreateXmlWithFilesArgs(Struct):
    """Arguments of virDomainCreateXMLWithFiles."""

    xml_desc: str
    flags: UInt = 0


class DomainCreateXmlWithFilesRet(Struct):
    """Reply of virDomainCreateXMLWithFiles."""

    dom: NonnullDomain


class DomainCreateWithFilesArgs(Struct):
    """Arguments of virDomainCreateWithFiles."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainCreateWithFilesRet(Struct):
    """Reply of virDomainCreateWithFiles."""

    dom: NonnullDomain


class DomainDefineXmlFlagsArgs(Struct):
    """Arguments of virDomainDefineXMLFlags."""

    xml: str
    flags: UInt = 0


class DomainDefineXmlFlagsRet(Struct):
    """Reply of virDomainDefineXMLFlags."""

    dom: NonnullDomain


class DomainRenameArgs(Struct):
    """Arguments of virDomainRename."""

    dom: NonnullDomain
    new_name: str | None = None
    flags: UInt = 0


class DomainRenameRet(Struct):
    """Reply of virDomainRename."""

    retcode: int


class DomainSetLifecycleActionArgs(Struct):
    """Arguments of virDomainSetLifecycleAction."""

    dom: NonnullDomain
    type: UInt
    action: UInt
    flags: UInt = 0


class DomainGetAutostartOnceArgs(Struct):
    """Arguments of virDomainGetAutostartOnce."""

    dom: NonnullDomain


class DomainGetAutostartOnceRet(Struct):
    """Reply of virDomainGetAutostartOnce."""

    autostart: int


class DomainSetAutostartOnceArgs(Struct):
    """Arguments of virDomainSetAutostartOnce."""

    dom: NonnullDomain
    autostart: int


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_CREATE = call(9, "DOMAIN_CREATE", DomainCreateArgs, None, "0.1.1")
DOMAIN_CREATE_XML = call(10, "DOMAIN_CREATE_XML", DomainCreateXmlArgs, DomainCreateXmlRet, "0.5.0")
DOMAIN_DEFINE_XML = call(11, "DOMAIN_DEFINE_XML", DomainDefineXmlArgs, DomainDefineXmlRet, "0.1.1", priority=True)
DOMAIN_DESTROY = call(12, "DOMAIN_DESTROY", DomainDestroyArgs, None, "0.0.3", priority=True)
DOMAIN_GET_XML_DESC = call(14, "DOMAIN_GET_XML_DESC", DomainGetXmlDescArgs, DomainGetXmlDescRet, "0.0.3")
DOMAIN_GET_AUTOSTART = call(
    15, "DOMAIN_GET_AUTOSTART", DomainGetAutostartArgs, DomainGetAutostartRet, "0.2.1", priority=True
)
DOMAIN_GET_INFO = call(16, "DOMAIN_GET_INFO", DomainGetInfoArgs, DomainGetInfoRet, "0.0.3")
DOMAIN_GET_OS_TYPE = call(19, "DOMAIN_GET_OS_TYPE", DomainGetOsTypeArgs, DomainGetOsTypeRet, "0.0.3", priority=True)
CONNECT_LIST_DEFINED_DOMAINS = call(
    21,
    "CONNECT_LIST_DEFINED_DOMAINS",
    ConnectListDefinedDomainsArgs,
    ConnectListDefinedDomainsRet,
    "0.1.1",
    priority=True,
)
DOMAIN_LOOKUP_BY_ID = call(22, "DOMAIN_LOOKUP_BY_ID", DomainLookupByIdArgs, DomainLookupByIdRet, "0.0.3", priority=True)
DOMAIN_LOOKUP_BY_NAME = call(
    23, "DOMAIN_LOOKUP_BY_NAME", DomainLookupByNameArgs, DomainLookupByNameRet, "0.0.3", priority=True
)
DOMAIN_LOOKUP_BY_UUID = call(
    24, "DOMAIN_LOOKUP_BY_UUID", DomainLookupByUuidArgs, DomainLookupByUuidRet, "0.0.5", priority=True
)
CONNECT_NUM_OF_DEFINED_DOMAINS = call(
    25, "CONNECT_NUM_OF_DEFINED_DOMAINS", None, ConnectNumOfDefinedDomainsRet, "0.1.5", priority=True
)
DOMAIN_REBOOT = call(27, "DOMAIN_REBOOT", DomainRebootArgs, None, "0.1.0")
DOMAIN_RESUME = call(28, "DOMAIN_RESUME", DomainResumeArgs, None, "0.0.3")
DOMAIN_SET_AUTOSTART = call(29, "DOMAIN_SET_AUTOSTART", DomainSetAutostartArgs, None, "0.2.1", priority=True)
DOMAIN_SHUTDOWN = call(33, "DOMAIN_SHUTDOWN", DomainShutdownArgs, None, "0.0.3")
DOMAIN_SUSPEND = call(34, "DOMAIN_SUSPEND", DomainSuspendArgs, None, "0.0.3")
DOMAIN_UNDEFINE = call(35, "DOMAIN_UNDEFINE", DomainUndefineArgs, None, "0.1.1", priority=True)
CONNECT_LIST_DOMAINS = call(
    37, "CONNECT_LIST_DOMAINS", ConnectListDomainsArgs, ConnectListDomainsRet, "0.0.3", priority=True
)
CONNECT_NUM_OF_DOMAINS = call(51, "CONNECT_NUM_OF_DOMAINS", None, ConnectNumOfDomainsRet, "0.0.3", priority=True)
DOMAIN_GET_SECURITY_LABEL = call(
    121, "DOMAIN_GET_SECURITY_LABEL", DomainGetSecurityLabelArgs, DomainGetSecurityLabelRet, "0.6.1", priority=True
)
DOMAIN_IS_ACTIVE = call(150, "DOMAIN_IS_ACTIVE", DomainIsActiveArgs, DomainIsActiveRet, "0.7.3", priority=True)
DOMAIN_IS_PERSISTENT = call(
    151, "DOMAIN_IS_PERSISTENT", DomainIsPersistentArgs, DomainIsPersistentRet, "0.7.3", priority=True
)
DOMAIN_CREATE_WITH_FLAGS = call(
    196, "DOMAIN_CREATE_WITH_FLAGS", DomainCreateWithFlagsArgs, DomainCreateWithFlagsRet, "0.8.2"
)
DOMAIN_IS_UPDATED = call(202, "DOMAIN_IS_UPDATED", DomainIsUpdatedArgs, DomainIsUpdatedRet, "0.8.6", priority=True)
DOMAIN_GET_STATE = call(212, "DOMAIN_GET_STATE", DomainGetStateArgs, DomainGetStateRet, "0.9.2", priority=True)
DOMAIN_UNDEFINE_FLAGS = call(231, "DOMAIN_UNDEFINE_FLAGS", DomainUndefineFlagsArgs, None, "0.9.4", priority=True)
DOMAIN_DESTROY_FLAGS = call(234, "DOMAIN_DESTROY_FLAGS", DomainDestroyFlagsArgs, None, "0.9.4", priority=True)
DOMAIN_RESET = call(245, "DOMAIN_RESET", DomainResetArgs, None, "0.9.7")
DOMAIN_SHUTDOWN_FLAGS = call(258, "DOMAIN_SHUTDOWN_FLAGS", DomainShutdownFlagsArgs, None, "0.9.10")
DOMAIN_SET_METADATA = call(264, "DOMAIN_SET_METADATA", DomainSetMetadataArgs, None, "0.9.10")
DOMAIN_GET_METADATA = call(265, "DOMAIN_GET_METADATA", DomainGetMetadataArgs, DomainGetMetadataRet, "0.9.10")
CONNECT_LIST_ALL_DOMAINS = call(
    273, "CONNECT_LIST_ALL_DOMAINS", ConnectListAllDomainsArgs, ConnectListAllDomainsRet, "0.9.13", priority=True
)
DOMAIN_GET_SECURITY_LABEL_LIST = call(
    278,
    "DOMAIN_GET_SECURITY_LABEL_LIST",
    DomainGetSecurityLabelListArgs,
    DomainGetSecurityLabelListRet,
    "0.10.0",
    priority=True,
)
DOMAIN_CREATE_XML_WITH_FILES = call(
    309, "DOMAIN_CREATE_XML_WITH_FILES", DomainCreateXmlWithFilesArgs, DomainCreateXmlWithFilesRet, "1.1.1"
)
DOMAIN_CREATE_WITH_FILES = call(
    310, "DOMAIN_CREATE_WITH_FILES", DomainCreateWithFilesArgs, DomainCreateWithFilesRet, "1.1.1"
)
DOMAIN_DEFINE_XML_FLAGS = call(
    350, "DOMAIN_DEFINE_XML_FLAGS", DomainDefineXmlFlagsArgs, DomainDefineXmlFlagsRet, "1.2.12", priority=True
)
DOMAIN_RENAME = call(358, "DOMAIN_RENAME", DomainRenameArgs, DomainRenameRet, "1.2.19")
DOMAIN_SET_LIFECYCLE_ACTION = call(390, "DOMAIN_SET_LIFECYCLE_ACTION", DomainSetLifecycleActionArgs, None, "3.9.0")
DOMAIN_GET_AUTOSTART_ONCE = call(
    449, "DOMAIN_GET_AUTOSTART_ONCE", DomainGetAutostartOnceArgs, DomainGetAutostartOnceRet, "11.2.0", priority=True
)
DOMAIN_SET_AUTOSTART_ONCE = call(
    450, "DOMAIN_SET_AUTOSTART_ONCE", DomainSetAutostartOnceArgs, None, "11.2.0", priority=True
)
