"""Procedures for the QEMU program: monitor and agent commands.

Source: libvirt's `qemu_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import QEMU_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain
from guesthouse.rpc.xdr import Hyper, Struct, UInt


class DomainMonitorCommandArgs(Struct):
    """Arguments of virDomainQemuMonitorCommand."""

    dom: NonnullDomain
    cmd: str
    flags: UInt = 0


class DomainMonitorCommandRet(Struct):
    """Reply of virDomainQemuMonitorCommand."""

    result: str


class DomainAttachArgs(Struct):
    """Arguments of virDomainQemuAttach."""

    pid_value: UInt
    flags: UInt = 0


class DomainAttachRet(Struct):
    """Reply of virDomainQemuAttach."""

    dom: NonnullDomain


class DomainAgentCommandArgs(Struct):
    """Arguments of virDomainQemuAgentCommand."""

    dom: NonnullDomain
    cmd: str
    timeout: int
    flags: UInt = 0


class DomainAgentCommandRet(Struct):
    """Reply of virDomainQemuAgentCommand."""

    result: str | None = None


class ConnectDomainMonitorEventRegisterArgs(Struct):
    """Arguments of virConnectDomainQemuMonitorEventRegister."""

    dom: NonnullDomain | None = None
    event: str | None = None
    flags: UInt = 0


class ConnectDomainMonitorEventRegisterRet(Struct):
    """Reply of virConnectDomainQemuMonitorEventRegister."""

    callbackID: int


class ConnectDomainMonitorEventDeregisterArgs(Struct):
    """Arguments of virConnectDomainQemuMonitorEventDeregister."""

    callbackID: int


class DomainMonitorEventMsg(Struct):
    """The message of `DOMAIN_MONITOR_EVENT`."""

    callbackID: int
    dom: NonnullDomain
    event: str
    seconds: Hyper
    micros: UInt
    details: str | None = None


class DomainMonitorCommandWithFilesArgs(Struct):
    """Arguments of virDomainQemuMonitorCommandWithFiles."""

    dom: NonnullDomain
    cmd: str
    flags: UInt = 0


class DomainMonitorCommandWithFilesRet(Struct):
    """Reply of virDomainQemuMonitorCommandWithFiles."""

    result: str


_family = Family(QEMU_PROGRAM)
call = _family.call
event = _family.event

DOMAIN_MONITOR_COMMAND = call(1, "DOMAIN_MONITOR_COMMAND", DomainMonitorCommandArgs, DomainMonitorCommandRet, "0.8.3")
DOMAIN_ATTACH = call(2, "DOMAIN_ATTACH", DomainAttachArgs, DomainAttachRet, "0.9.4")
DOMAIN_AGENT_COMMAND = call(3, "DOMAIN_AGENT_COMMAND", DomainAgentCommandArgs, DomainAgentCommandRet, "0.10.0")
CONNECT_DOMAIN_MONITOR_EVENT_REGISTER = call(
    4,
    "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER",
    ConnectDomainMonitorEventRegisterArgs,
    ConnectDomainMonitorEventRegisterRet,
    "1.2.3",
    priority=True,
)
CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER = call(
    5, "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", ConnectDomainMonitorEventDeregisterArgs, None, "1.2.3", priority=True
)
DOMAIN_MONITOR_EVENT = event(6, "DOMAIN_MONITOR_EVENT", DomainMonitorEventMsg, "1.2.3")
DOMAIN_MONITOR_COMMAND_WITH_FILES = call(
    7, "DOMAIN_MONITOR_COMMAND_WITH_FILES", DomainMonitorCommandWithFilesArgs, DomainMonitorCommandWithFilesRet, "8.2.0"
)
