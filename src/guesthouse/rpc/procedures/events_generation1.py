"""Procedures for events of guests as clients before libvirt 1.2.1 know them: without callback numbers.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.procedures.events import (
    DomainEventBalloonChangeMsg,
    DomainEventBlockJobMsg,
    DomainEventControlErrorMsg,
    DomainEventDeviceRemovedMsg,
    DomainEventDiskChangeMsg,
    DomainEventGraphicsMsg,
    DomainEventIoErrorMsg,
    DomainEventIoErrorReasonMsg,
    DomainEventLifecycleMsg,
    DomainEventPmsuspendDiskMsg,
    DomainEventPmsuspendMsg,
    DomainEventPmwakeupMsg,
    DomainEventRebootMsg,
    DomainEventRtcChangeMsg,
    DomainEventTrayChangeMsg,
    DomainEventWatchdogMsg,
)
from guesthouse.rpc.xdr import Struct


class ConnectDomainEventRegisterRet(Struct):
    """Reply of virConnectDomainEventRegister."""

    cb_registered: int


class ConnectDomainEventDeregisterRet(Struct):
    """Reply of virConnectDomainEventDeregister."""

    cb_registered: int


class ConnectDomainEventRegisterAnyArgs(Struct):
    """Arguments of virConnectDomainEventRegisterAny."""

    eventID: int


class ConnectDomainEventDeregisterAnyArgs(Struct):
    """Arguments of virConnectDomainEventDeregisterAny."""

    eventID: int


_family = Family(REMOTE_PROGRAM)
call = _family.call
event = _family.event

CONNECT_DOMAIN_EVENT_REGISTER = call(
    105, "CONNECT_DOMAIN_EVENT_REGISTER", None, ConnectDomainEventRegisterRet, "0.5.0", priority=True
)
CONNECT_DOMAIN_EVENT_DEREGISTER = call(
    106, "CONNECT_DOMAIN_EVENT_DEREGISTER", None, ConnectDomainEventDeregisterRet, "0.5.0", priority=True
)
DOMAIN_EVENT_LIFECYCLE = event(107, "DOMAIN_EVENT_LIFECYCLE", DomainEventLifecycleMsg, "0.5.0")
CONNECT_DOMAIN_EVENT_REGISTER_ANY = call(
    167, "CONNECT_DOMAIN_EVENT_REGISTER_ANY", ConnectDomainEventRegisterAnyArgs, None, "0.8.0", priority=True
)
CONNECT_DOMAIN_EVENT_DEREGISTER_ANY = call(
    168, "CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", ConnectDomainEventDeregisterAnyArgs, None, "0.8.0", priority=True
)
DOMAIN_EVENT_REBOOT = event(169, "DOMAIN_EVENT_REBOOT", DomainEventRebootMsg, "0.8.0")
DOMAIN_EVENT_RTC_CHANGE = event(170, "DOMAIN_EVENT_RTC_CHANGE", DomainEventRtcChangeMsg, "0.8.0")
DOMAIN_EVENT_WATCHDOG = event(171, "DOMAIN_EVENT_WATCHDOG", DomainEventWatchdogMsg, "0.8.0")
DOMAIN_EVENT_IO_ERROR = event(172, "DOMAIN_EVENT_IO_ERROR", DomainEventIoErrorMsg, "0.8.0")
DOMAIN_EVENT_GRAPHICS = event(173, "DOMAIN_EVENT_GRAPHICS", DomainEventGraphicsMsg, "0.8.0")
DOMAIN_EVENT_IO_ERROR_REASON = event(195, "DOMAIN_EVENT_IO_ERROR_REASON", DomainEventIoErrorReasonMsg, "0.8.1")
DOMAIN_EVENT_CONTROL_ERROR = event(224, "DOMAIN_EVENT_CONTROL_ERROR", DomainEventControlErrorMsg, "0.9.2")
DOMAIN_EVENT_BLOCK_JOB = event(241, "DOMAIN_EVENT_BLOCK_JOB", DomainEventBlockJobMsg, "0.9.4")
DOMAIN_EVENT_DISK_CHANGE = event(248, "DOMAIN_EVENT_DISK_CHANGE", DomainEventDiskChangeMsg, "0.9.7")
DOMAIN_EVENT_TRAY_CHANGE = event(268, "DOMAIN_EVENT_TRAY_CHANGE", DomainEventTrayChangeMsg, "0.9.11")
DOMAIN_EVENT_PMWAKEUP = event(269, "DOMAIN_EVENT_PMWAKEUP", DomainEventPmwakeupMsg, "0.9.11")
DOMAIN_EVENT_PMSUSPEND = event(270, "DOMAIN_EVENT_PMSUSPEND", DomainEventPmsuspendMsg, "0.9.11")
DOMAIN_EVENT_BALLOON_CHANGE = event(276, "DOMAIN_EVENT_BALLOON_CHANGE", DomainEventBalloonChangeMsg, "0.10.0")
DOMAIN_EVENT_PMSUSPEND_DISK = event(292, "DOMAIN_EVENT_PMSUSPEND_DISK", DomainEventPmsuspendDiskMsg, "1.0.0")
DOMAIN_EVENT_DEVICE_REMOVED = event(311, "DOMAIN_EVENT_DEVICE_REMOVED", DomainEventDeviceRemovedMsg, "1.1.1")
