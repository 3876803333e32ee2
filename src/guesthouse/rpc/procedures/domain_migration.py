"""Procedures for moving a guest to another host; three generations of the protocol.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_MIGRATE_PARAM_LIST_MAX, MIGRATE_COOKIE_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class DomainMigratePrepareArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE`."""

    uri_in: str | None
    flags: UHyper
    dname: str | None
    resource: UHyper


class DomainMigratePrepareRet(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE`."""

    cookie: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri_out: str | None = None


class DomainMigratePerformArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PERFORM`."""

    dom: NonnullDomain
    cookie: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri: str
    flags: UHyper
    dname: str | None
    resource: UHyper


class DomainMigrateFinishArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_FINISH`."""

    dname: str
    cookie: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri: str
    flags: UHyper


class DomainMigrateFinishRet(Struct):
    """Reply of `DOMAIN_MIGRATE_FINISH`."""

    ddom: NonnullDomain


class DomainMigratePrepare2Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE2`."""

    uri_in: str | None
    flags: UHyper
    dname: str | None
    resource: UHyper
    dom_xml: str


class DomainMigratePrepare2Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE2`."""

    cookie: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri_out: str | None = None


class DomainMigrateFinish2Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_FINISH2`."""

    dname: str
    cookie: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri: str
    flags: UHyper
    retcode: int


class DomainMigrateFinish2Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_FINISH2`."""

    ddom: NonnullDomain


class DomainMigratePrepareTunnelArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE_TUNNEL`."""

    flags: UHyper
    dname: str | None
    resource: UHyper
    dom_xml: str


class DomainMigrateSetMaxDowntimeArgs(Struct):
    """Arguments of virDomainMigrateSetMaxDowntime."""

    dom: NonnullDomain
    downtime: UHyper
    flags: UInt = 0


class DomainMigrateSetMaxSpeedArgs(Struct):
    """Arguments of virDomainMigrateSetMaxSpeed."""

    dom: NonnullDomain
    bandwidth: UHyper
    flags: UInt = 0


class DomainMigrateBegin3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_BEGIN3`."""

    dom: NonnullDomain
    xmlin: str | None
    flags: UHyper
    dname: str | None
    resource: UHyper


class DomainMigrateBegin3Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_BEGIN3`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]
    xml: str


class DomainMigratePrepare3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE3`."""

    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri_in: str | None
    flags: UHyper
    dname: str | None
    resource: UHyper
    dom_xml: str


class DomainMigratePrepare3Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE3`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri_out: str | None = None


class DomainMigratePrepareTunnel3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE_TUNNEL3`."""

    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UHyper
    dname: str | None
    resource: UHyper
    dom_xml: str


class DomainMigratePrepareTunnel3Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE_TUNNEL3`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigratePerform3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_PERFORM3`."""

    dom: NonnullDomain
    xmlin: str | None
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    dconnuri: str | None
    uri: str | None
    flags: UHyper
    dname: str | None
    resource: UHyper


class DomainMigratePerform3Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_PERFORM3`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigrateFinish3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_FINISH3`."""

    dname: str
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    dconnuri: str | None
    uri: str | None
    flags: UHyper
    cancelled: int


class DomainMigrateFinish3Ret(Struct):
    """Reply of `DOMAIN_MIGRATE_FINISH3`."""

    dom: NonnullDomain
    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigrateConfirm3Args(Struct):
    """Arguments of `DOMAIN_MIGRATE_CONFIRM3`."""

    dom: NonnullDomain
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UHyper
    cancelled: int


class DomainMigrateGetMaxSpeedArgs(Struct):
    """Arguments of virDomainMigrateGetMaxSpeed."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainMigrateGetMaxSpeedRet(Struct):
    """Reply of virDomainMigrateGetMaxSpeed."""

    bandwidth: UHyper


class DomainMigrateGetCompressionCacheArgs(Struct):
    """Arguments of virDomainMigrateGetCompressionCache."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainMigrateGetCompressionCacheRet(Struct):
    """Reply of virDomainMigrateGetCompressionCache."""

    cacheSize: UHyper


class DomainMigrateSetCompressionCacheArgs(Struct):
    """Arguments of virDomainMigrateSetCompressionCache."""

    dom: NonnullDomain
    cacheSize: UHyper
    flags: UInt = 0


class DomainMigrateBegin3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_BEGIN3_PARAMS`."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    flags: UInt = 0


class DomainMigrateBegin3ParamsRet(Struct):
    """Reply of `DOMAIN_MIGRATE_BEGIN3_PARAMS`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]
    xml: str


class DomainMigratePrepare3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE3_PARAMS`."""

    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UInt = 0


class DomainMigratePrepare3ParamsRet(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE3_PARAMS`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]
    uri_out: str | None = None


class DomainMigratePrepareTunnel3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS`."""

    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UInt = 0


class DomainMigratePrepareTunnel3ParamsRet(Struct):
    """Reply of `DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigratePerform3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_PERFORM3_PARAMS`."""

    dom: NonnullDomain
    dconnuri: str | None
    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UInt = 0


class DomainMigratePerform3ParamsRet(Struct):
    """Reply of `DOMAIN_MIGRATE_PERFORM3_PARAMS`."""

    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigrateFinish3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_FINISH3_PARAMS`."""

    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UInt
    cancelled: int


class DomainMigrateFinish3ParamsRet(Struct):
    """Reply of `DOMAIN_MIGRATE_FINISH3_PARAMS`."""

    dom: NonnullDomain
    cookie_out: Annotated[bytes, MIGRATE_COOKIE_MAX]


class DomainMigrateConfirm3ParamsArgs(Struct):
    """Arguments of `DOMAIN_MIGRATE_CONFIRM3_PARAMS`."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_MIGRATE_PARAM_LIST_MAX]
    cookie_in: Annotated[bytes, MIGRATE_COOKIE_MAX]
    flags: UInt
    cancelled: int


class DomainMigrateStartPostCopyArgs(Struct):
    """Arguments of virDomainMigrateStartPostCopy."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainMigrateGetMaxDowntimeArgs(Struct):
    """Arguments of virDomainMigrateGetMaxDowntime."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainMigrateGetMaxDowntimeRet(Struct):
    """Reply of virDomainMigrateGetMaxDowntime."""

    downtime: UHyper


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_MIGRATE_PREPARE = call(61, "DOMAIN_MIGRATE_PREPARE", DomainMigratePrepareArgs, DomainMigratePrepareRet, "0.3.2")
DOMAIN_MIGRATE_PERFORM = call(62, "DOMAIN_MIGRATE_PERFORM", DomainMigratePerformArgs, None, "0.3.2")
DOMAIN_MIGRATE_FINISH = call(63, "DOMAIN_MIGRATE_FINISH", DomainMigrateFinishArgs, DomainMigrateFinishRet, "0.3.2")
DOMAIN_MIGRATE_PREPARE2 = call(
    108, "DOMAIN_MIGRATE_PREPARE2", DomainMigratePrepare2Args, DomainMigratePrepare2Ret, "0.5.0"
)
DOMAIN_MIGRATE_FINISH2 = call(109, "DOMAIN_MIGRATE_FINISH2", DomainMigrateFinish2Args, DomainMigrateFinish2Ret, "0.5.0")
DOMAIN_MIGRATE_PREPARE_TUNNEL = call(
    148, "DOMAIN_MIGRATE_PREPARE_TUNNEL", DomainMigratePrepareTunnelArgs, None, "0.7.2", stream="write"
)
DOMAIN_MIGRATE_SET_MAX_DOWNTIME = call(
    166, "DOMAIN_MIGRATE_SET_MAX_DOWNTIME", DomainMigrateSetMaxDowntimeArgs, None, "0.8.0"
)
DOMAIN_MIGRATE_SET_MAX_SPEED = call(207, "DOMAIN_MIGRATE_SET_MAX_SPEED", DomainMigrateSetMaxSpeedArgs, None, "0.9.0")
DOMAIN_MIGRATE_BEGIN3 = call(213, "DOMAIN_MIGRATE_BEGIN3", DomainMigrateBegin3Args, DomainMigrateBegin3Ret, "0.9.2")
DOMAIN_MIGRATE_PREPARE3 = call(
    214, "DOMAIN_MIGRATE_PREPARE3", DomainMigratePrepare3Args, DomainMigratePrepare3Ret, "0.9.2"
)
DOMAIN_MIGRATE_PREPARE_TUNNEL3 = call(
    215,
    "DOMAIN_MIGRATE_PREPARE_TUNNEL3",
    DomainMigratePrepareTunnel3Args,
    DomainMigratePrepareTunnel3Ret,
    "0.9.2",
    stream="write",
)
DOMAIN_MIGRATE_PERFORM3 = call(
    216, "DOMAIN_MIGRATE_PERFORM3", DomainMigratePerform3Args, DomainMigratePerform3Ret, "0.9.2"
)
DOMAIN_MIGRATE_FINISH3 = call(217, "DOMAIN_MIGRATE_FINISH3", DomainMigrateFinish3Args, DomainMigrateFinish3Ret, "0.9.2")
DOMAIN_MIGRATE_CONFIRM3 = call(218, "DOMAIN_MIGRATE_CONFIRM3", DomainMigrateConfirm3Args, None, "0.9.2")
DOMAIN_MIGRATE_GET_MAX_SPEED = call(
    242, "DOMAIN_MIGRATE_GET_MAX_SPEED", DomainMigrateGetMaxSpeedArgs, DomainMigrateGetMaxSpeedRet, "0.9.5"
)
DOMAIN_MIGRATE_GET_COMPRESSION_CACHE = call(
    299,
    "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
    DomainMigrateGetCompressionCacheArgs,
    DomainMigrateGetCompressionCacheRet,
    "1.0.3",
)
DOMAIN_MIGRATE_SET_COMPRESSION_CACHE = call(
    300, "DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", DomainMigrateSetCompressionCacheArgs, None, "1.0.3"
)
DOMAIN_MIGRATE_BEGIN3_PARAMS = call(
    302, "DOMAIN_MIGRATE_BEGIN3_PARAMS", DomainMigrateBegin3ParamsArgs, DomainMigrateBegin3ParamsRet, "1.1.0"
)
DOMAIN_MIGRATE_PREPARE3_PARAMS = call(
    303, "DOMAIN_MIGRATE_PREPARE3_PARAMS", DomainMigratePrepare3ParamsArgs, DomainMigratePrepare3ParamsRet, "1.1.0"
)
DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS = call(
    304,
    "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS",
    DomainMigratePrepareTunnel3ParamsArgs,
    DomainMigratePrepareTunnel3ParamsRet,
    "1.1.0",
    stream="write",
)
DOMAIN_MIGRATE_PERFORM3_PARAMS = call(
    305, "DOMAIN_MIGRATE_PERFORM3_PARAMS", DomainMigratePerform3ParamsArgs, DomainMigratePerform3ParamsRet, "1.1.0"
)
DOMAIN_MIGRATE_FINISH3_PARAMS = call(
    306, "DOMAIN_MIGRATE_FINISH3_PARAMS", DomainMigrateFinish3ParamsArgs, DomainMigrateFinish3ParamsRet, "1.1.0"
)
DOMAIN_MIGRATE_CONFIRM3_PARAMS = call(
    307, "DOMAIN_MIGRATE_CONFIRM3_PARAMS", DomainMigrateConfirm3ParamsArgs, None, "1.1.0"
)
DOMAIN_MIGRATE_START_POST_COPY = call(
    364, "DOMAIN_MIGRATE_START_POST_COPY", DomainMigrateStartPostCopyArgs, None, "1.3.3"
)
DOMAIN_MIGRATE_GET_MAX_DOWNTIME = call(
    387, "DOMAIN_MIGRATE_GET_MAX_DOWNTIME", DomainMigrateGetMaxDowntimeArgs, DomainMigrateGetMaxDowntimeRet, "3.7.0"
)
