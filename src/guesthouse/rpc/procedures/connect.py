"""Procedures for opening, asking and leaving a connection.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import CONNECT_CPU_MODELS_MAX, CONNECT_IDENTITY_PARAMS_MAX, CPU_BASELINE_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UHyper, UInt


class ConnectOpenArgs(Struct):
    """Arguments of virConnectOpen."""

    name: str | None = None
    flags: UInt = 0


class ConnectGetTypeRet(Struct):
    """Reply of virConnectGetType."""

    type: str


class ConnectGetVersionRet(Struct):
    """Reply of virConnectGetVersion."""

    hv_ver: UHyper


class ConnectGetMaxVcpusArgs(Struct):
    """Arguments of virConnectGetMaxVcpus."""

    type: str | None = None


class ConnectGetMaxVcpusRet(Struct):
    """Reply of virConnectGetMaxVcpus."""

    max_vcpus: int


class ConnectGetCapabilitiesRet(Struct):
    """Reply of virConnectGetCapabilities."""

    capabilities: str


class ConnectGetHostnameRet(Struct):
    """Reply of virConnectGetHostname."""

    hostname: str


class ConnectSupportsFeatureArgs(Struct):
    """Arguments of `CONNECT_SUPPORTS_FEATURE`."""

    feature: int


class ConnectSupportsFeatureRet(Struct):
    """Reply of `CONNECT_SUPPORTS_FEATURE`."""

    supported: int


class ConnectGetUriRet(Struct):
    """Reply of virConnectGetURI."""

    uri: str


class ConnectDomainXmlFromNativeArgs(Struct):
    """Arguments of virConnectDomainXMLFromNative."""

    nativeFormat: str
    nativeConfig: str
    flags: UInt = 0


class ConnectDomainXmlFromNativeRet(Struct):
    """Reply of virConnectDomainXMLFromNative."""

    domainXml: str


class ConnectDomainXmlToNativeArgs(Struct):
    """Arguments of virConnectDomainXMLToNative."""

    nativeFormat: str
    domainXml: str
    flags: UInt = 0


class ConnectDomainXmlToNativeRet(Struct):
    """Reply of virConnectDomainXMLToNative."""

    nativeConfig: str


class ConnectIsSecureRet(Struct):
    """Reply of virConnectIsSecure."""

    secure: int


class ConnectGetLibVersionRet(Struct):
    """Reply of virConnectGetLibVersion."""

    lib_ver: UHyper


class ConnectCompareCpuArgs(Struct):
    """Arguments of virConnectCompareCPU."""

    xml: str
    flags: UInt = 0


class ConnectCompareCpuRet(Struct):
    """Reply of virConnectCompareCPU."""

    result: int


class ConnectBaselineCpuArgs(Struct):
    """Arguments of virConnectBaselineCPU."""

    xmlCPUs: Annotated[list[str], CPU_BASELINE_MAX]
    flags: UInt = 0


class ConnectBaselineCpuRet(Struct):
    """Reply of virConnectBaselineCPU."""

    cpu: str


class ConnectGetSysinfoArgs(Struct):
    """Arguments of virConnectGetSysinfo."""

    flags: UInt = 0


class ConnectGetSysinfoRet(Struct):
    """Reply of virConnectGetSysinfo."""

    sysinfo: str


class ConnectGetCpuModelNamesArgs(Struct):
    """Arguments of virConnectGetCPUModelNames."""

    arch: str
    need_results: int
    flags: UInt = 0


class ConnectGetCpuModelNamesRet(Struct):
    """Reply of virConnectGetCPUModelNames."""

    models: Annotated[list[str], CONNECT_CPU_MODELS_MAX]
    ret: int


class ConnectGetDomainCapabilitiesArgs(Struct):
    """Arguments of virConnectGetDomainCapabilities."""

    emulatorbin: str | None = None
    arch: str | None = None
    machine: str | None = None
    virttype: str | None = None
    flags: UInt = 0


class ConnectGetDomainCapabilitiesRet(Struct):
    """Reply of virConnectGetDomainCapabilities."""

    capabilities: str


class ConnectCompareHypervisorCpuArgs(Struct):
    """Arguments of virConnectCompareHypervisorCPU."""

    emulator: str | None
    arch: str | None
    machine: str | None
    virttype: str | None
    xmlCPU: str
    flags: UInt = 0


class ConnectCompareHypervisorCpuRet(Struct):
    """Reply of virConnectCompareHypervisorCPU."""

    result: int


class ConnectBaselineHypervisorCpuArgs(Struct):
    """Arguments of virConnectBaselineHypervisorCPU."""

    emulator: str | None
    arch: str | None
    machine: str | None
    virttype: str | None
    xmlCPUs: Annotated[list[str], CPU_BASELINE_MAX]
    flags: UInt = 0


class ConnectBaselineHypervisorCpuRet(Struct):
    """Reply of virConnectBaselineHypervisorCPU."""

    cpu: str


class ConnectSetIdentityArgs(Struct):
    """Arguments of virConnectSetIdentity."""

    params: Annotated[list[TypedParam], CONNECT_IDENTITY_PARAMS_MAX]
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

CONNECT_OPEN = call(1, "CONNECT_OPEN", ConnectOpenArgs, None, "0.0.3", priority=True)
CONNECT_CLOSE = call(2, "CONNECT_CLOSE", None, None, "0.0.3", priority=True)
CONNECT_GET_TYPE = call(3, "CONNECT_GET_TYPE", None, ConnectGetTypeRet, "0.0.3", priority=True)
CONNECT_GET_VERSION = call(4, "CONNECT_GET_VERSION", None, ConnectGetVersionRet, "0.0.3", priority=True)
CONNECT_GET_MAX_VCPUS = call(
    5, "CONNECT_GET_MAX_VCPUS", ConnectGetMaxVcpusArgs, ConnectGetMaxVcpusRet, "0.2.1", priority=True
)
CONNECT_GET_CAPABILITIES = call(7, "CONNECT_GET_CAPABILITIES", None, ConnectGetCapabilitiesRet, "0.2.1")
CONNECT_GET_HOSTNAME = call(59, "CONNECT_GET_HOSTNAME", None, ConnectGetHostnameRet, "0.3.0", priority=True)
CONNECT_SUPPORTS_FEATURE = call(
    60, "CONNECT_SUPPORTS_FEATURE", ConnectSupportsFeatureArgs, ConnectSupportsFeatureRet, "0.3.2", priority=True
)
CONNECT_GET_URI = call(110, "CONNECT_GET_URI", None, ConnectGetUriRet, "0.3.0", priority=True)
CONNECT_DOMAIN_XML_FROM_NATIVE = call(
    135, "CONNECT_DOMAIN_XML_FROM_NATIVE", ConnectDomainXmlFromNativeArgs, ConnectDomainXmlFromNativeRet, "0.6.4"
)
CONNECT_DOMAIN_XML_TO_NATIVE = call(
    136, "CONNECT_DOMAIN_XML_TO_NATIVE", ConnectDomainXmlToNativeArgs, ConnectDomainXmlToNativeRet, "0.6.4"
)
CONNECT_IS_SECURE = call(149, "CONNECT_IS_SECURE", None, ConnectIsSecureRet, "0.7.3", priority=True)
CONNECT_GET_LIB_VERSION = call(157, "CONNECT_GET_LIB_VERSION", None, ConnectGetLibVersionRet, "0.7.3", priority=True)
CONNECT_COMPARE_CPU = call(
    158, "CONNECT_COMPARE_CPU", ConnectCompareCpuArgs, ConnectCompareCpuRet, "0.7.5", priority=True
)
CONNECT_BASELINE_CPU = call(162, "CONNECT_BASELINE_CPU", ConnectBaselineCpuArgs, ConnectBaselineCpuRet, "0.7.7")
CONNECT_GET_SYSINFO = call(
    203, "CONNECT_GET_SYSINFO", ConnectGetSysinfoArgs, ConnectGetSysinfoRet, "0.8.8", priority=True
)
CONNECT_GET_CPU_MODEL_NAMES = call(
    312, "CONNECT_GET_CPU_MODEL_NAMES", ConnectGetCpuModelNamesArgs, ConnectGetCpuModelNamesRet, "1.1.3"
)
CONNECT_GET_DOMAIN_CAPABILITIES = call(
    342, "CONNECT_GET_DOMAIN_CAPABILITIES", ConnectGetDomainCapabilitiesArgs, ConnectGetDomainCapabilitiesRet, "1.2.7"
)
CONNECT_COMPARE_HYPERVISOR_CPU = call(
    393, "CONNECT_COMPARE_HYPERVISOR_CPU", ConnectCompareHypervisorCpuArgs, ConnectCompareHypervisorCpuRet, "4.4.0"
)
CONNECT_BASELINE_HYPERVISOR_CPU = call(
    394, "CONNECT_BASELINE_HYPERVISOR_CPU", ConnectBaselineHypervisorCpuArgs, ConnectBaselineHypervisorCpuRet, "4.4.0"
)
CONNECT_SET_IDENTITY = call(419, "CONNECT_SET_IDENTITY", ConnectSetIdentityArgs, None, "5.8.0")
