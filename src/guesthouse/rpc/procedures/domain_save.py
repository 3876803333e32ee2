"""Procedures for saving, restoring and dumping a guest, and watching such jobs.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_JOB_STATS_MAX, DOMAIN_SAVE_PARAMS_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class DomainCoreDumpArgs(Struct):
    """Arguments of virDomainCoreDump."""

    dom: NonnullDomain
    to: str
    flags: UInt = 0


class DomainRestoreArgs(Struct):
    """Arguments of virDomainRestore."""

    from_: str


class DomainSaveArgs(Struct):
    """Arguments of virDomainSave."""

    dom: NonnullDomain
    to: str


class DomainGetJobInfoArgs(Struct):
    """Arguments of virDomainGetJobInfo."""

    dom: NonnullDomain


class DomainGetJobInfoRet(Struct):
    """Reply of virDomainGetJobInfo."""

    type: int
    timeElapsed: UHyper
    timeRemaining: UHyper
    dataTotal: UHyper
    dataProcessed: UHyper
    dataRemaining: UHyper
    memTotal: UHyper
    memProcessed: UHyper
    memRemaining: UHyper
    fileTotal: UHyper
    fileProcessed: UHyper
    fileRemaining: UHyper


class DomainAbortJobArgs(Struct):
    """Arguments of virDomainAbortJob."""

    dom: NonnullDomain


class DomainManagedSaveArgs(Struct):
    """Arguments of virDomainManagedSave."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainHasManagedSaveImageArgs(Struct):
    """Arguments of virDomainHasManagedSaveImage."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainHasManagedSaveImageRet(Struct):
    """Reply of virDomainHasManagedSaveImage."""

    result: int


class DomainManagedSaveRemoveArgs(Struct):
    """Arguments of virDomainManagedSaveRemove."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetControlInfoArgs(Struct):
    """Arguments of virDomainGetControlInfo."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetControlInfoRet(Struct):
    """Reply of virDomainGetControlInfo."""

    state: UInt
    details: UInt
    stateTime: UHyper


class DomainSaveFlagsArgs(Struct):
    """Arguments of virDomainSaveFlags."""

    dom: NonnullDomain
    to: str
    dxml: str | None = None
    flags: UInt = 0


class DomainRestoreFlagsArgs(Struct):
    """Arguments of virDomainRestoreFlags."""

    from_: str
    dxml: str | None = None
    flags: UInt = 0


class DomainSaveImageGetXmlDescArgs(Struct):
    """Arguments of virDomainSaveImageGetXMLDesc."""

    file: str
    flags: UInt = 0


class DomainSaveImageGetXmlDescRet(Struct):
    """Reply of virDomainSaveImageGetXMLDesc."""

    xml: str


class DomainSaveImageDefineXmlArgs(Struct):
    """Arguments of virDomainSaveImageDefineXML."""

    file: str
    dxml: str
    flags: UInt = 0


class DomainGetJobStatsArgs(Struct):
    """Arguments of virDomainGetJobStats."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetJobStatsRet(Struct):
    """Reply of virDomainGetJobStats."""

    type: int
    params: Annotated[list[TypedParam], DOMAIN_JOB_STATS_MAX]


class DomainCoreDumpWithFormatArgs(Struct):
    """Arguments of virDomainCoreDumpWithFormat."""

    dom: NonnullDomain
    to: str
    dumpformat: UInt
    flags: UInt = 0


class DomainManagedSaveGetXmlDescArgs(Struct):
    """Arguments of virDomainManagedSaveGetXMLDesc."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainManagedSaveGetXmlDescRet(Struct):
    """Reply of virDomainManagedSaveGetXMLDesc."""

    xml: str


class DomainManagedSaveDefineXmlArgs(Struct):
    """Arguments of virDomainManagedSaveDefineXML."""

    dom: NonnullDomain
    dxml: str | None = None
    flags: UInt = 0


class DomainSaveParamsArgs(Struct):
    """Arguments of virDomainSaveParams."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_SAVE_PARAMS_MAX]
    flags: UInt = 0


class DomainRestoreParamsArgs(Struct):
    """Arguments of virDomainRestoreParams."""

    params: Annotated[list[TypedParam], DOMAIN_SAVE_PARAMS_MAX]
    flags: UInt = 0


class DomainAbortJobFlagsArgs(Struct):
    """Arguments of virDomainAbortJobFlags."""

    dom: NonnullDomain
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_CORE_DUMP = call(53, "DOMAIN_CORE_DUMP", DomainCoreDumpArgs, None, "0.1.9")
DOMAIN_RESTORE = call(54, "DOMAIN_RESTORE", DomainRestoreArgs, None, "0.0.3")
DOMAIN_SAVE = call(55, "DOMAIN_SAVE", DomainSaveArgs, None, "0.0.3")
DOMAIN_GET_JOB_INFO = call(163, "DOMAIN_GET_JOB_INFO", DomainGetJobInfoArgs, DomainGetJobInfoRet, "0.7.7")
DOMAIN_ABORT_JOB = call(164, "DOMAIN_ABORT_JOB", DomainAbortJobArgs, None, "0.7.7")
DOMAIN_MANAGED_SAVE = call(182, "DOMAIN_MANAGED_SAVE", DomainManagedSaveArgs, None, "0.8.0")
DOMAIN_HAS_MANAGED_SAVE_IMAGE = call(
    183, "DOMAIN_HAS_MANAGED_SAVE_IMAGE", DomainHasManagedSaveImageArgs, DomainHasManagedSaveImageRet, "0.8.0"
)
DOMAIN_MANAGED_SAVE_REMOVE = call(184, "DOMAIN_MANAGED_SAVE_REMOVE", DomainManagedSaveRemoveArgs, None, "0.8.0")
DOMAIN_GET_CONTROL_INFO = call(
    229, "DOMAIN_GET_CONTROL_INFO", DomainGetControlInfoArgs, DomainGetControlInfoRet, "0.9.3", priority=True
)
DOMAIN_SAVE_FLAGS = call(232, "DOMAIN_SAVE_FLAGS", DomainSaveFlagsArgs, None, "0.9.4")
DOMAIN_RESTORE_FLAGS = call(233, "DOMAIN_RESTORE_FLAGS", DomainRestoreFlagsArgs, None, "0.9.4")
DOMAIN_SAVE_IMAGE_GET_XML_DESC = call(
    235,
    "DOMAIN_SAVE_IMAGE_GET_XML_DESC",
    DomainSaveImageGetXmlDescArgs,
    DomainSaveImageGetXmlDescRet,
    "0.9.4",
    priority=True,
)
DOMAIN_SAVE_IMAGE_DEFINE_XML = call(
    236, "DOMAIN_SAVE_IMAGE_DEFINE_XML", DomainSaveImageDefineXmlArgs, None, "0.9.4", priority=True
)
DOMAIN_GET_JOB_STATS = call(298, "DOMAIN_GET_JOB_STATS", DomainGetJobStatsArgs, DomainGetJobStatsRet, "1.0.3")
DOMAIN_CORE_DUMP_WITH_FORMAT = call(334, "DOMAIN_CORE_DUMP_WITH_FORMAT", DomainCoreDumpWithFormatArgs, None, "1.2.3")
DOMAIN_MANAGED_SAVE_GET_XML_DESC = call(
    388, "DOMAIN_MANAGED_SAVE_GET_XML_DESC", DomainManagedSaveGetXmlDescArgs, DomainManagedSaveGetXmlDescRet, "3.7.0"
)
DOMAIN_MANAGED_SAVE_DEFINE_XML = call(
    389, "DOMAIN_MANAGED_SAVE_DEFINE_XML", DomainManagedSaveDefineXmlArgs, None, "3.7.0"
)
DOMAIN_SAVE_PARAMS = call(440, "DOMAIN_SAVE_PARAMS", DomainSaveParamsArgs, None, "8.4.0")
DOMAIN_RESTORE_PARAMS = call(441, "DOMAIN_RESTORE_PARAMS", DomainRestoreParamsArgs, None, "8.4.0")
DOMAIN_ABORT_JOB_FLAGS = call(442, "DOMAIN_ABORT_JOB_FLAGS", DomainAbortJobFlagsArgs, None, "8.5.0")
