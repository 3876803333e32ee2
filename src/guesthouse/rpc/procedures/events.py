"""Procedures for registering for events of guests and of the connection, and their messages.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_EVENT_GRAPHICS_IDENTITY_MAX, DOMAIN_EVENT_TUNABLE_MAX, DOMAIN_JOB_STATS_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain, TypedParam
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UHyper, UInt


class ConnectDomainEventCallbackRegisterAnyArgs(Struct):
    """Arguments of `CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY`."""

    eventID: int
    dom: NonnullDomain | None = None


class ConnectDomainEventCallbackRegisterAnyRet(Struct):
    """Reply of `CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY`."""

    callbackID: int


class ConnectDomainEventCallbackDeregisterAnyArgs(Struct):
    """Arguments of `CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY`."""

    callbackID: int


class DomainEventLifecycleMsg(Struct):
    """The message of `DOMAIN_EVENT_LIFECYCLE`."""

    dom: NonnullDomain
    event: int
    detail: int


class DomainEventCallbackLifecycleMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_LIFECYCLE`."""

    callbackID: int
    msg: DomainEventLifecycleMsg


class DomainEventRebootMsg(Struct):
    """The message of `DOMAIN_EVENT_REBOOT`."""

    dom: NonnullDomain


class DomainEventCallbackRebootMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_REBOOT`."""

    callbackID: int
    msg: DomainEventRebootMsg


class DomainEventRtcChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_RTC_CHANGE`."""

    dom: NonnullDomain
    offset: Hyper


class DomainEventCallbackRtcChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_RTC_CHANGE`."""

    callbackID: int
    msg: DomainEventRtcChangeMsg


class DomainEventWatchdogMsg(Struct):
    """The message of `DOMAIN_EVENT_WATCHDOG`."""

    dom: NonnullDomain
    action: int


class DomainEventCallbackWatchdogMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_WATCHDOG`."""

    callbackID: int
    msg: DomainEventWatchdogMsg


class DomainEventIoErrorMsg(Struct):
    """The message of `DOMAIN_EVENT_IO_ERROR`."""

    dom: NonnullDomain
    srcPath: str
    devAlias: str
    action: int


class DomainEventCallbackIoErrorMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_IO_ERROR`."""

    callbackID: int
    msg: DomainEventIoErrorMsg


class DomainEventGraphicsAddress(Struct):
    """One end of a graphics connection."""

    family: int
    node: str
    service: str


class DomainEventGraphicsIdentity(Struct):
    """What a graphics client authenticated as."""

    type: str
    name: str


class DomainEventGraphicsMsg(Struct):
    """The message of `DOMAIN_EVENT_GRAPHICS`."""

    dom: NonnullDomain
    phase: int
    local: DomainEventGraphicsAddress
    remote: DomainEventGraphicsAddress
    authScheme: str
    subject: Annotated[list[DomainEventGraphicsIdentity], DOMAIN_EVENT_GRAPHICS_IDENTITY_MAX]


class DomainEventCallbackGraphicsMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_GRAPHICS`."""

    callbackID: int
    msg: DomainEventGraphicsMsg


class DomainEventIoErrorReasonMsg(Struct):
    """The message of `DOMAIN_EVENT_IO_ERROR_REASON`."""

    dom: NonnullDomain
    srcPath: str
    devAlias: str
    action: int
    reason: str


class DomainEventCallbackIoErrorReasonMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON`."""

    callbackID: int
    msg: DomainEventIoErrorReasonMsg


class DomainEventControlErrorMsg(Struct):
    """The message of `DOMAIN_EVENT_CONTROL_ERROR`."""

    dom: NonnullDomain


class DomainEventCallbackControlErrorMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_CONTROL_ERROR`."""

    callbackID: int
    msg: DomainEventControlErrorMsg


class DomainEventBlockJobMsg(Struct):
    """The message of `DOMAIN_EVENT_BLOCK_JOB`."""

    dom: NonnullDomain
    path: str
    type: int
    status: int


class DomainEventCallbackBlockJobMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_BLOCK_JOB`."""

    callbackID: int
    msg: DomainEventBlockJobMsg


class DomainEventDiskChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_DISK_CHANGE`."""

    dom: NonnullDomain
    oldSrcPath: str | None
    newSrcPath: str | None
    devAlias: str
    reason: int


class DomainEventCallbackDiskChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_DISK_CHANGE`."""

    callbackID: int
    msg: DomainEventDiskChangeMsg


class DomainEventTrayChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_TRAY_CHANGE`."""

    dom: NonnullDomain
    devAlias: str
    reason: int


class DomainEventCallbackTrayChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_TRAY_CHANGE`."""

    callbackID: int
    msg: DomainEventTrayChangeMsg


class DomainEventPmwakeupMsg(Struct):
    """The message of `DOMAIN_EVENT_PMWAKEUP`."""

    dom: NonnullDomain


class DomainEventCallbackPmwakeupMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_PMWAKEUP`."""

    callbackID: int
    reason: int
    msg: DomainEventPmwakeupMsg


class DomainEventPmsuspendMsg(Struct):
    """The message of `DOMAIN_EVENT_PMSUSPEND`."""

    dom: NonnullDomain


class DomainEventCallbackPmsuspendMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_PMSUSPEND`."""

    callbackID: int
    reason: int
    msg: DomainEventPmsuspendMsg


class DomainEventBalloonChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_BALLOON_CHANGE`."""

    dom: NonnullDomain
    actual: UHyper


class DomainEventCallbackBalloonChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE`."""

    callbackID: int
    msg: DomainEventBalloonChangeMsg


class DomainEventPmsuspendDiskMsg(Struct):
    """The message of `DOMAIN_EVENT_PMSUSPEND_DISK`."""

    dom: NonnullDomain


class DomainEventCallbackPmsuspendDiskMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK`."""

    callbackID: int
    reason: int
    msg: DomainEventPmsuspendDiskMsg


class DomainEventDeviceRemovedMsg(Struct):
    """The message of `DOMAIN_EVENT_DEVICE_REMOVED`."""

    dom: NonnullDomain
    devAlias: str


class DomainEventCallbackDeviceRemovedMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED`."""

    callbackID: int
    msg: DomainEventDeviceRemovedMsg


class DomainEventBlockJob2Msg(Struct):
    """The message of `DOMAIN_EVENT_BLOCK_JOB_2`."""

    callbackID: int
    dom: NonnullDomain
    dst: str
    type: int
    status: int


class DomainEventCallbackTunableMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_TUNABLE`."""

    callbackID: int
    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_EVENT_TUNABLE_MAX]


class DomainEventCallbackAgentLifecycleMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE`."""

    callbackID: int
    dom: NonnullDomain
    state: int
    reason: int


class DomainEventCallbackDeviceAddedMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_DEVICE_ADDED`."""

    callbackID: int
    dom: NonnullDomain
    devAlias: str


class DomainEventCallbackMigrationIterationMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION`."""

    callbackID: int
    dom: NonnullDomain
    iteration: int


class ConnectEventConnectionClosedMsg(Struct):
    """The message of `CONNECT_EVENT_CONNECTION_CLOSED`."""

    reason: int


class DomainEventCallbackJobCompletedMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_JOB_COMPLETED`."""

    callbackID: int
    dom: NonnullDomain
    params: Annotated[list[TypedParam], DOMAIN_JOB_STATS_MAX]


class DomainEventCallbackDeviceRemovalFailedMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED`."""

    callbackID: int
    dom: NonnullDomain
    devAlias: str


class DomainEventCallbackMetadataChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_CALLBACK_METADATA_CHANGE`."""

    callbackID: int
    dom: NonnullDomain
    type: int
    nsuri: str | None = None


class DomainEventBlockThresholdMsg(Struct):
    """The message of `DOMAIN_EVENT_BLOCK_THRESHOLD`."""

    callbackID: int
    dom: NonnullDomain
    dev: str
    path: str | None
    threshold: UHyper
    excess: UHyper


class DomainEventMemoryFailureMsg(Struct):
    """The message of `DOMAIN_EVENT_MEMORY_FAILURE`."""

    callbackID: int
    dom: NonnullDomain
    recipient: int
    action: int
    flags: UInt = 0


class DomainEventMemoryDeviceSizeChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE`."""

    callbackID: int
    dom: NonnullDomain
    alias: str
    size: UHyper


class DomainEventNicMacChangeMsg(Struct):
    """The message of `DOMAIN_EVENT_NIC_MAC_CHANGE`."""

    callbackID: int
    dom: NonnullDomain
    alias: str
    oldMAC: str
    newMAC: str


_family = Family(REMOTE_PROGRAM)
call = _family.call
event = _family.event

CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY = call(
    316,
    "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
    ConnectDomainEventCallbackRegisterAnyArgs,
    ConnectDomainEventCallbackRegisterAnyRet,
    "1.2.1",
    priority=True,
)
CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY = call(
    317,
    "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
    ConnectDomainEventCallbackDeregisterAnyArgs,
    None,
    "1.2.1",
    priority=True,
)
DOMAIN_EVENT_CALLBACK_LIFECYCLE = event(
    318, "DOMAIN_EVENT_CALLBACK_LIFECYCLE", DomainEventCallbackLifecycleMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_REBOOT = event(319, "DOMAIN_EVENT_CALLBACK_REBOOT", DomainEventCallbackRebootMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_RTC_CHANGE = event(
    320, "DOMAIN_EVENT_CALLBACK_RTC_CHANGE", DomainEventCallbackRtcChangeMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_WATCHDOG = event(321, "DOMAIN_EVENT_CALLBACK_WATCHDOG", DomainEventCallbackWatchdogMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_IO_ERROR = event(322, "DOMAIN_EVENT_CALLBACK_IO_ERROR", DomainEventCallbackIoErrorMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_GRAPHICS = event(323, "DOMAIN_EVENT_CALLBACK_GRAPHICS", DomainEventCallbackGraphicsMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON = event(
    324, "DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON", DomainEventCallbackIoErrorReasonMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_CONTROL_ERROR = event(
    325, "DOMAIN_EVENT_CALLBACK_CONTROL_ERROR", DomainEventCallbackControlErrorMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_BLOCK_JOB = event(326, "DOMAIN_EVENT_CALLBACK_BLOCK_JOB", DomainEventCallbackBlockJobMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_DISK_CHANGE = event(
    327, "DOMAIN_EVENT_CALLBACK_DISK_CHANGE", DomainEventCallbackDiskChangeMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_TRAY_CHANGE = event(
    328, "DOMAIN_EVENT_CALLBACK_TRAY_CHANGE", DomainEventCallbackTrayChangeMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_PMWAKEUP = event(329, "DOMAIN_EVENT_CALLBACK_PMWAKEUP", DomainEventCallbackPmwakeupMsg, "1.2.1")
DOMAIN_EVENT_CALLBACK_PMSUSPEND = event(
    330, "DOMAIN_EVENT_CALLBACK_PMSUSPEND", DomainEventCallbackPmsuspendMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE = event(
    331, "DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE", DomainEventCallbackBalloonChangeMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK = event(
    332, "DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK", DomainEventCallbackPmsuspendDiskMsg, "1.2.1"
)
DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED = event(
    333, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", DomainEventCallbackDeviceRemovedMsg, "1.2.1"
)
DOMAIN_EVENT_BLOCK_JOB_2 = event(339, "DOMAIN_EVENT_BLOCK_JOB_2", DomainEventBlockJob2Msg, "1.2.6")
DOMAIN_EVENT_CALLBACK_TUNABLE = event(346, "DOMAIN_EVENT_CALLBACK_TUNABLE", DomainEventCallbackTunableMsg, "1.2.9")
DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE = event(
    348, "DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE", DomainEventCallbackAgentLifecycleMsg, "1.2.11"
)
DOMAIN_EVENT_CALLBACK_DEVICE_ADDED = event(
    354, "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", DomainEventCallbackDeviceAddedMsg, "1.2.15"
)
DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION = event(
    359, "DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION", DomainEventCallbackMigrationIterationMsg, "1.3.2"
)
CONNECT_REGISTER_CLOSE_CALLBACK = call(360, "CONNECT_REGISTER_CLOSE_CALLBACK", None, None, "0.10.0", priority=True)
CONNECT_UNREGISTER_CLOSE_CALLBACK = call(361, "CONNECT_UNREGISTER_CLOSE_CALLBACK", None, None, "0.10.0", priority=True)
CONNECT_EVENT_CONNECTION_CLOSED = event(
    362, "CONNECT_EVENT_CONNECTION_CLOSED", ConnectEventConnectionClosedMsg, "0.10.0"
)
DOMAIN_EVENT_CALLBACK_JOB_COMPLETED = event(
    363, "DOMAIN_EVENT_CALLBACK_JOB_COMPLETED", DomainEventCallbackJobCompletedMsg, "1.3.3"
)
DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED = event(
    367, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED", DomainEventCallbackDeviceRemovalFailedMsg, "1.3.4"
)
DOMAIN_EVENT_CALLBACK_METADATA_CHANGE = event(
    379, "DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", DomainEventCallbackMetadataChangeMsg, "3.0.0"
)
DOMAIN_EVENT_BLOCK_THRESHOLD = event(385, "DOMAIN_EVENT_BLOCK_THRESHOLD", DomainEventBlockThresholdMsg, "3.2.0")
DOMAIN_EVENT_MEMORY_FAILURE = event(423, "DOMAIN_EVENT_MEMORY_FAILURE", DomainEventMemoryFailureMsg, "6.9.0")
DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE = event(
    438, "DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE", DomainEventMemoryDeviceSizeChangeMsg, "7.9.0"
)
DOMAIN_EVENT_NIC_MAC_CHANGE = event(453, "DOMAIN_EVENT_NIC_MAC_CHANGE", DomainEventNicMacChangeMsg, "11.2.0")
