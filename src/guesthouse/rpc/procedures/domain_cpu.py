"""Procedures for a guest's processors and I/O threads: numbers, pinning, scheduling of I/O threads.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import CPUMAP_MAX, CPUMAPS_MAX, DOMAIN_IOTHREAD_PARAMS_MAX, IOTHREAD_INFO_MAX, VCPUINFO_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class DomainGetMaxVcpusArgs(Struct):
    """Arguments of virDomainGetMaxVcpus."""

    dom: NonnullDomain


class DomainGetMaxVcpusRet(Struct):
    """Reply of virDomainGetMaxVcpus."""

    num: int


class DomainGetVcpusArgs(Struct):
    """Arguments of virDomainGetVcpus."""

    dom: NonnullDomain
    maxinfo: int
    maplen: int


class VcpuInfo(Struct):
    """One virtual processor: libvirt's `virVcpuInfo`. `cpu_time` in nanoseconds; `cpu` is -1 while it is off."""

    number: UInt
    state: int
    cpu_time: UHyper
    cpu: int


class DomainGetVcpusRet(Struct):
    """Reply of virDomainGetVcpus."""

    info: Annotated[list[VcpuInfo], VCPUINFO_MAX]
    cpumaps: Annotated[bytes, CPUMAPS_MAX]


class DomainPinVcpuArgs(Struct):
    """Arguments of virDomainPinVcpu."""

    dom: NonnullDomain
    vcpu: UInt
    cpumap: Annotated[bytes, CPUMAP_MAX]


class DomainSetVcpusArgs(Struct):
    """Arguments of virDomainSetVcpus."""

    dom: NonnullDomain
    nvcpus: UInt


class DomainSetVcpusFlagsArgs(Struct):
    """Arguments of virDomainSetVcpusFlags."""

    dom: NonnullDomain
    nvcpus: UInt
    flags: UInt = 0


class DomainGetVcpusFlagsArgs(Struct):
    """Arguments of virDomainGetVcpusFlags."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetVcpusFlagsRet(Struct):
    """Reply of virDomainGetVcpusFlags."""

    num: int


class DomainPinVcpuFlagsArgs(Struct):
    """Arguments of virDomainPinVcpuFlags."""

    dom: NonnullDomain
    vcpu: UInt
    cpumap: Annotated[bytes, CPUMAP_MAX]
    flags: UInt = 0


class DomainGetVcpuPinInfoArgs(Struct):
    """Arguments of virDomainGetVcpuPinInfo."""

    dom: NonnullDomain
    ncpumaps: int
    maplen: int
    flags: UInt = 0


class DomainGetVcpuPinInfoRet(Struct):
    """Reply of virDomainGetVcpuPinInfo."""

    cpumaps: Annotated[bytes, CPUMAPS_MAX]
    num: int


class DomainPinEmulatorArgs(Struct):
    """Arguments of virDomainPinEmulator."""

    dom: NonnullDomain
    cpumap: Annotated[bytes, CPUMAP_MAX]
    flags: UInt = 0


class DomainGetEmulatorPinInfoArgs(Struct):
    """Arguments of virDomainGetEmulatorPinInfo."""

    dom: NonnullDomain
    maplen: int
    flags: UInt = 0


class DomainGetEmulatorPinInfoRet(Struct):
    """Reply of virDomainGetEmulatorPinInfo."""

    cpumaps: Annotated[bytes, CPUMAPS_MAX]
    ret: int


class DomainGetIothreadInfoArgs(Struct):
    """Arguments of virDomainGetIOThreadInfo."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainIothreadInfo(Struct):
    """One I/O thread and the host processors that it may use."""

    iothread_id: UInt
    cpumap: Annotated[bytes, CPUMAP_MAX]


class DomainGetIothreadInfoRet(Struct):
    """Reply of virDomainGetIOThreadInfo."""

    info: Annotated[list[DomainIothreadInfo], IOTHREAD_INFO_MAX]
    ret: UInt


class DomainPinIothreadArgs(Struct):
    """Arguments of virDomainPinIOThread."""

    dom: NonnullDomain
    iothreads_id: UInt
    cpumap: Annotated[bytes, CPUMAP_MAX]
    flags: UInt = 0


class DomainAddIothreadArgs(Struct):
    """Arguments of virDomainAddIOThread."""

    dom: NonnullDomain
    iothread_id: UInt
    flags: UInt = 0


class DomainDelIothreadArgs(Struct):
    """Arguments of virDomainDelIOThread."""

    dom: NonnullDomain
    iothread_id: UInt
    flags: UInt = 0


class DomainSetVcpuArgs(Struct):
    """Arguments of virDomainSetVcpu."""

    dom: NonnullDomain
    cpumap: str
    state: int
    flags: UInt = 0


class DomainSetIothreadParamsArgs(Struct):
    """Arguments of virDomainSetIOThreadParams."""

    dom: NonnullDomain
    iothread_id: UInt
    params: Annotated[list[TypedParam], DOMAIN_IOTHREAD_PARAMS_MAX]
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_GET_MAX_VCPUS = call(
    18, "DOMAIN_GET_MAX_VCPUS", DomainGetMaxVcpusArgs, DomainGetMaxVcpusRet, "0.2.1", priority=True
)
DOMAIN_GET_VCPUS = call(20, "DOMAIN_GET_VCPUS", DomainGetVcpusArgs, DomainGetVcpusRet, "0.1.4", priority=True)
DOMAIN_PIN_VCPU = call(26, "DOMAIN_PIN_VCPU", DomainPinVcpuArgs, None, "0.1.4")
DOMAIN_SET_VCPUS = call(32, "DOMAIN_SET_VCPUS", DomainSetVcpusArgs, None, "0.1.4")
DOMAIN_SET_VCPUS_FLAGS = call(199, "DOMAIN_SET_VCPUS_FLAGS", DomainSetVcpusFlagsArgs, None, "0.8.5")
DOMAIN_GET_VCPUS_FLAGS = call(200, "DOMAIN_GET_VCPUS_FLAGS", DomainGetVcpusFlagsArgs, DomainGetVcpusFlagsRet, "0.8.5")
DOMAIN_PIN_VCPU_FLAGS = call(225, "DOMAIN_PIN_VCPU_FLAGS", DomainPinVcpuFlagsArgs, None, "0.9.3")
DOMAIN_GET_VCPU_PIN_INFO = call(
    230, "DOMAIN_GET_VCPU_PIN_INFO", DomainGetVcpuPinInfoArgs, DomainGetVcpuPinInfoRet, "0.9.3"
)
DOMAIN_PIN_EMULATOR = call(279, "DOMAIN_PIN_EMULATOR", DomainPinEmulatorArgs, None, "0.10.0")
DOMAIN_GET_EMULATOR_PIN_INFO = call(
    280, "DOMAIN_GET_EMULATOR_PIN_INFO", DomainGetEmulatorPinInfoArgs, DomainGetEmulatorPinInfoRet, "0.10.0"
)
DOMAIN_GET_IOTHREAD_INFO = call(
    351, "DOMAIN_GET_IOTHREAD_INFO", DomainGetIothreadInfoArgs, DomainGetIothreadInfoRet, "1.2.14"
)
DOMAIN_PIN_IOTHREAD = call(352, "DOMAIN_PIN_IOTHREAD", DomainPinIothreadArgs, None, "1.2.14")
DOMAIN_ADD_IOTHREAD = call(355, "DOMAIN_ADD_IOTHREAD", DomainAddIothreadArgs, None, "1.2.15")
DOMAIN_DEL_IOTHREAD = call(356, "DOMAIN_DEL_IOTHREAD", DomainDelIothreadArgs, None, "1.2.15")
DOMAIN_SET_VCPU = call(384, "DOMAIN_SET_VCPU", DomainSetVcpuArgs, None, "3.1.0")
DOMAIN_SET_IOTHREAD_PARAMS = call(402, "DOMAIN_SET_IOTHREAD_PARAMS", DomainSetIothreadParamsArgs, None, "4.10.0")
