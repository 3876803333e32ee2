"""Procedures for a guest's memory, schedulers, NUMA, interfaces and launch security: its limits and measurements.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import (
    DOMAIN_INTERFACE_PARAMETERS_MAX,
    DOMAIN_LAUNCH_SECURITY_INFO_PARAMS_MAX,
    DOMAIN_LAUNCH_SECURITY_STATE_PARAMS_MAX,
    DOMAIN_MEMORY_PARAMETERS_MAX,
    DOMAIN_NUMA_PARAMETERS_MAX,
    DOMAIN_SCHEDULER_PARAMETERS_MAX,
)
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class DomainGetMaxMemoryArgs(Struct):
    """Arguments of virDomainGetMaxMemory."""

    dom: NonnullDomain


class DomainGetMaxMemoryRet(Struct):
    """Reply of virDomainGetMaxMemory."""

    memory: UHyper


class DomainSetMaxMemoryArgs(Struct):
    """Arguments of virDomainSetMaxMemory."""

    dom: NonnullDomain
    memory: UHyper


class DomainSetMemoryArgs(Struct):
    """Arguments of virDomainSetMemory."""

    dom: NonnullDomain
    memory: UHyper


class DomainGetSchedulerTypeArgs(Struct):
    """Arguments of virDomainGetSchedulerType."""

    dom: NonnullDomain


class DomainGetSchedulerTypeRet(Struct):
    """Reply of virDomainGetSchedulerType."""

    type: str
    nparams: int


class DomainGetSchedulerParametersArgs(Struct):
    """Arguments of virDomainGetSchedulerParameters."""

    dom: NonnullDomain
    nparams: int


class DomainGetSchedulerParametersRet(Struct):
    """Reply of virDomainGetSchedulerParameters."""

    params: Annotated[list[TypedParam], DOMAIN_SCHEDULER_PARAMETERS_MAX]


class DomainSetSchedulerParametersArgs(Struct):
    """Arguments of virDomainSetSchedulerParameters."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_SCHEDULER_PARAMETERS_MAX]


class DomainSetMemoryParametersArgs(Struct):
    """Arguments of virDomainSetMemoryParameters."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_MEMORY_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetMemoryParametersArgs(Struct):
    """Arguments of virDomainGetMemoryParameters."""

    dom: NonnullDomain
    nparams: int
    flags: UInt = 0


class DomainGetMemoryParametersRet(Struct):
    """Reply of virDomainGetMemoryParameters."""

    params: Annotated[list[TypedParam], DOMAIN_MEMORY_PARAMETERS_MAX]
    nparams: int


class DomainSetMemoryFlagsArgs(Struct):
    """Arguments of virDomainSetMemoryFlags."""

    dom: NonnullDomain
    memory: UHyper
    flags: UInt = 0


class DomainSetSchedulerParametersFlagsArgs(Struct):
    """Arguments of virDomainSetSchedulerParametersFlags."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_SCHEDULER_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetSchedulerParametersFlagsArgs(Struct):
    """Arguments of virDomainGetSchedulerParametersFlags."""

    dom: NonnullDomain
    nparams: int
    flags: UInt = 0


class DomainGetSchedulerParametersFlagsRet(Struct):
    """Reply of virDomainGetSchedulerParametersFlags."""

    params: Annotated[list[TypedParam], DOMAIN_SCHEDULER_PARAMETERS_MAX]


class DomainSetNumaParametersArgs(Struct):
    """Arguments of virDomainSetNumaParameters."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_NUMA_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetNumaParametersArgs(Struct):
    """Arguments of virDomainGetNumaParameters."""

    dom: NonnullDomain
    nparams: int
    flags: UInt = 0


class DomainGetNumaParametersRet(Struct):
    """Reply of virDomainGetNumaParameters."""

    params: Annotated[list[TypedParam], DOMAIN_NUMA_PARAMETERS_MAX]
    nparams: int


class DomainSetInterfaceParametersArgs(Struct):
    """Arguments of virDomainSetInterfaceParameters."""

    dom: NonnullDomain
    device: str
    params: Annotated[list[TypedParam], DOMAIN_INTERFACE_PARAMETERS_MAX]
    flags: UInt = 0


class DomainGetInterfaceParametersArgs(Struct):
    """Arguments of virDomainGetInterfaceParameters."""

    dom: NonnullDomain
    device: str
    nparams: int
    flags: UInt = 0


class DomainGetInterfaceParametersRet(Struct):
    """Reply of virDomainGetInterfaceParameters."""

    params: Annotated[list[TypedParam], DOMAIN_INTERFACE_PARAMETERS_MAX]
    nparams: int


class DomainSetMemoryStatsPeriodArgs(Struct):
    """Arguments of virDomainSetMemoryStatsPeriod."""

    dom: NonnullDomain
    period: int
    flags: UInt = 0


class DomainGetLaunchSecurityInfoArgs(Struct):
    """Arguments of virDomainGetLaunchSecurityInfo."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetLaunchSecurityInfoRet(Struct):
    """Reply of virDomainGetLaunchSecurityInfo."""

    params: Annotated[list[TypedParam], DOMAIN_LAUNCH_SECURITY_INFO_PARAMS_MAX]


class DomainSetLaunchSecurityStateArgs(Struct):
    """Arguments of virDomainSetLaunchSecurityState."""

    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_LAUNCH_SECURITY_STATE_PARAMS_MAX]
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_GET_MAX_MEMORY = call(
    17, "DOMAIN_GET_MAX_MEMORY", DomainGetMaxMemoryArgs, DomainGetMaxMemoryRet, "0.0.3", priority=True
)
DOMAIN_SET_MAX_MEMORY = call(30, "DOMAIN_SET_MAX_MEMORY", DomainSetMaxMemoryArgs, None, "0.0.3", priority=True)
DOMAIN_SET_MEMORY = call(31, "DOMAIN_SET_MEMORY", DomainSetMemoryArgs, None, "0.1.1")
DOMAIN_GET_SCHEDULER_TYPE = call(
    56, "DOMAIN_GET_SCHEDULER_TYPE", DomainGetSchedulerTypeArgs, DomainGetSchedulerTypeRet, "0.2.3"
)
DOMAIN_GET_SCHEDULER_PARAMETERS = call(
    57, "DOMAIN_GET_SCHEDULER_PARAMETERS", DomainGetSchedulerParametersArgs, DomainGetSchedulerParametersRet, "0.2.3"
)
DOMAIN_SET_SCHEDULER_PARAMETERS = call(
    58, "DOMAIN_SET_SCHEDULER_PARAMETERS", DomainSetSchedulerParametersArgs, None, "0.2.3"
)
DOMAIN_SET_MEMORY_PARAMETERS = call(197, "DOMAIN_SET_MEMORY_PARAMETERS", DomainSetMemoryParametersArgs, None, "0.8.5")
DOMAIN_GET_MEMORY_PARAMETERS = call(
    198, "DOMAIN_GET_MEMORY_PARAMETERS", DomainGetMemoryParametersArgs, DomainGetMemoryParametersRet, "0.8.5"
)
DOMAIN_SET_MEMORY_FLAGS = call(204, "DOMAIN_SET_MEMORY_FLAGS", DomainSetMemoryFlagsArgs, None, "0.9.0")
DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS = call(
    219, "DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", DomainSetSchedulerParametersFlagsArgs, None, "0.9.2"
)
DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS = call(
    223,
    "DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS",
    DomainGetSchedulerParametersFlagsArgs,
    DomainGetSchedulerParametersFlagsRet,
    "0.9.2",
)
DOMAIN_SET_NUMA_PARAMETERS = call(254, "DOMAIN_SET_NUMA_PARAMETERS", DomainSetNumaParametersArgs, None, "0.9.9")
DOMAIN_GET_NUMA_PARAMETERS = call(
    255, "DOMAIN_GET_NUMA_PARAMETERS", DomainGetNumaParametersArgs, DomainGetNumaParametersRet, "0.9.9"
)
DOMAIN_SET_INTERFACE_PARAMETERS = call(
    256, "DOMAIN_SET_INTERFACE_PARAMETERS", DomainSetInterfaceParametersArgs, None, "0.9.9"
)
DOMAIN_GET_INTERFACE_PARAMETERS = call(
    257, "DOMAIN_GET_INTERFACE_PARAMETERS", DomainGetInterfaceParametersArgs, DomainGetInterfaceParametersRet, "0.9.9"
)
DOMAIN_SET_MEMORY_STATS_PERIOD = call(
    308, "DOMAIN_SET_MEMORY_STATS_PERIOD", DomainSetMemoryStatsPeriodArgs, None, "1.1.1"
)
DOMAIN_GET_LAUNCH_SECURITY_INFO = call(
    396, "DOMAIN_GET_LAUNCH_SECURITY_INFO", DomainGetLaunchSecurityInfoArgs, DomainGetLaunchSecurityInfoRet, "4.5.0"
)
DOMAIN_SET_LAUNCH_SECURITY_STATE = call(
    439, "DOMAIN_SET_LAUNCH_SECURITY_STATE", DomainSetLaunchSecurityStateArgs, None, "8.0.0"
)
