"""Procedures for what a guest's own agent answers: file systems, time, users, addresses.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import (
    DOMAIN_AUTHORIZED_SSH_KEYS_MAX,
    DOMAIN_FSFREEZE_MOUNTPOINTS_MAX,
    DOMAIN_FSINFO_DISKS_MAX,
    DOMAIN_FSINFO_MAX,
    DOMAIN_GUEST_INFO_PARAMS_MAX,
    DOMAIN_GUEST_VCPU_PARAMS_MAX,
    DOMAIN_INTERFACE_MAX,
    DOMAIN_IP_ADDR_MAX,
)
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UHyper, UInt


class DomainGetHostnameArgs(Struct):
    """Arguments of virDomainGetHostname."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetHostnameRet(Struct):
    """Reply of virDomainGetHostname."""

    hostname: str


class DomainFstrimArgs(Struct):
    """Arguments of virDomainFSTrim."""

    dom: NonnullDomain
    mountPoint: str | None
    minimum: UHyper
    flags: UInt = 0


class DomainFsfreezeArgs(Struct):
    """Arguments of virDomainFSFreeze."""

    dom: NonnullDomain
    mountpoints: Annotated[list[str], DOMAIN_FSFREEZE_MOUNTPOINTS_MAX]
    flags: UInt = 0


class DomainFsfreezeRet(Struct):
    """Reply of virDomainFSFreeze."""

    filesystems: int


class DomainFsthawArgs(Struct):
    """Arguments of virDomainFSThaw."""

    dom: NonnullDomain
    mountpoints: Annotated[list[str], DOMAIN_FSFREEZE_MOUNTPOINTS_MAX]
    flags: UInt = 0


class DomainFsthawRet(Struct):
    """Reply of virDomainFSThaw."""

    filesystems: int


class DomainGetTimeArgs(Struct):
    """Arguments of virDomainGetTime."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetTimeRet(Struct):
    """Reply of virDomainGetTime."""

    seconds: Hyper
    nseconds: UInt


class DomainSetTimeArgs(Struct):
    """Arguments of virDomainSetTime."""

    dom: NonnullDomain
    seconds: Hyper
    nseconds: UInt
    flags: UInt = 0


class DomainGetFsinfoArgs(Struct):
    """Arguments of virDomainGetFSInfo."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainFsinfo(Struct):
    """One mounted file system of a guest."""

    mountpoint: str
    name: str
    fstype: str
    dev_aliases: Annotated[list[str], DOMAIN_FSINFO_DISKS_MAX]


class DomainGetFsinfoRet(Struct):
    """Reply of virDomainGetFSInfo."""

    info: Annotated[list[DomainFsinfo], DOMAIN_FSINFO_MAX]
    ret: UInt


class DomainInterfaceAddressesArgs(Struct):
    """Arguments of virDomainInterfaceAddresses."""

    dom: NonnullDomain
    source: UInt
    flags: UInt = 0


class DomainIpAddr(Struct):
    """One address of a guest's interface."""

    type: int
    addr: str
    prefix: UInt


class DomainInterface(Struct):
    """One interface of a guest, with its addresses."""

    name: str
    hwaddr: str | None
    addrs: Annotated[list[DomainIpAddr], DOMAIN_IP_ADDR_MAX]


class DomainInterfaceAddressesRet(Struct):
    """Reply of virDomainInterfaceAddresses."""

    ifaces: Annotated[list[DomainInterface], DOMAIN_INTERFACE_MAX]


class DomainSetUserPasswordArgs(Struct):
    """Arguments of virDomainSetUserPassword."""

    dom: NonnullDomain
    user: str | None = None
    password: str | None = None
    flags: UInt = 0


class DomainGetGuestVcpusArgs(Struct):
    """Arguments of virDomainGetGuestVcpus."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainGetGuestVcpusRet(Struct):
    """Reply of virDomainGetGuestVcpus."""

    params: Annotated[list[TypedParam], DOMAIN_GUEST_VCPU_PARAMS_MAX]


class DomainSetGuestVcpusArgs(Struct):
    """Arguments of virDomainSetGuestVcpus."""

    dom: NonnullDomain
    cpumap: str
    state: int
    flags: UInt = 0


class DomainGetGuestInfoArgs(Struct):
    """Arguments of virDomainGetGuestInfo."""

    dom: NonnullDomain
    types: UInt
    flags: UInt = 0


class DomainGetGuestInfoRet(Struct):
    """Reply of virDomainGetGuestInfo."""

    params: Annotated[list[TypedParam], DOMAIN_GUEST_INFO_PARAMS_MAX]


class DomainAgentSetResponseTimeoutArgs(Struct):
    """Arguments of virDomainAgentSetResponseTimeout."""

    dom: NonnullDomain
    timeout: int
    flags: UInt = 0


class DomainAgentSetResponseTimeoutRet(Struct):
    """Reply of virDomainAgentSetResponseTimeout."""

    result: int


class DomainAuthorizedSshKeysGetArgs(Struct):
    """Arguments of virDomainAuthorizedSSHKeysGet."""

    dom: NonnullDomain
    user: str
    flags: UInt = 0


class DomainAuthorizedSshKeysGetRet(Struct):
    """Reply of virDomainAuthorizedSSHKeysGet."""

    keys: Annotated[list[str], DOMAIN_AUTHORIZED_SSH_KEYS_MAX]


class DomainAuthorizedSshKeysSetArgs(Struct):
    """Arguments of virDomainAuthorizedSSHKeysSet."""

    dom: NonnullDomain
    user: str
    keys: Annotated[list[str], DOMAIN_AUTHORIZED_SSH_KEYS_MAX]
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_GET_HOSTNAME = call(277, "DOMAIN_GET_HOSTNAME", DomainGetHostnameArgs, DomainGetHostnameRet, "0.10.0")
DOMAIN_FSTRIM = call(294, "DOMAIN_FSTRIM", DomainFstrimArgs, None, "1.0.1")
DOMAIN_FSFREEZE = call(335, "DOMAIN_FSFREEZE", DomainFsfreezeArgs, DomainFsfreezeRet, "1.2.5")
DOMAIN_FSTHAW = call(336, "DOMAIN_FSTHAW", DomainFsthawArgs, DomainFsthawRet, "1.2.5")
DOMAIN_GET_TIME = call(337, "DOMAIN_GET_TIME", DomainGetTimeArgs, DomainGetTimeRet, "1.2.5")
DOMAIN_SET_TIME = call(338, "DOMAIN_SET_TIME", DomainSetTimeArgs, None, "1.2.5")
DOMAIN_GET_FSINFO = call(349, "DOMAIN_GET_FSINFO", DomainGetFsinfoArgs, DomainGetFsinfoRet, "1.2.11")
DOMAIN_INTERFACE_ADDRESSES = call(
    353, "DOMAIN_INTERFACE_ADDRESSES", DomainInterfaceAddressesArgs, DomainInterfaceAddressesRet, "1.2.14"
)
DOMAIN_SET_USER_PASSWORD = call(357, "DOMAIN_SET_USER_PASSWORD", DomainSetUserPasswordArgs, None, "1.2.16")
DOMAIN_GET_GUEST_VCPUS = call(371, "DOMAIN_GET_GUEST_VCPUS", DomainGetGuestVcpusArgs, DomainGetGuestVcpusRet, "2.0.0")
DOMAIN_SET_GUEST_VCPUS = call(372, "DOMAIN_SET_GUEST_VCPUS", DomainSetGuestVcpusArgs, None, "2.0.0")
DOMAIN_GET_GUEST_INFO = call(418, "DOMAIN_GET_GUEST_INFO", DomainGetGuestInfoArgs, DomainGetGuestInfoRet, "5.7.0")
DOMAIN_AGENT_SET_RESPONSE_TIMEOUT = call(
    420,
    "DOMAIN_AGENT_SET_RESPONSE_TIMEOUT",
    DomainAgentSetResponseTimeoutArgs,
    DomainAgentSetResponseTimeoutRet,
    "5.10.0",
)
DOMAIN_AUTHORIZED_SSH_KEYS_GET = call(
    424, "DOMAIN_AUTHORIZED_SSH_KEYS_GET", DomainAuthorizedSshKeysGetArgs, DomainAuthorizedSshKeysGetRet, "6.10.0"
)
DOMAIN_AUTHORIZED_SSH_KEYS_SET = call(
    425, "DOMAIN_AUTHORIZED_SSH_KEYS_SET", DomainAuthorizedSshKeysSetArgs, None, "6.10.0"
)
