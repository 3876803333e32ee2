"""Procedures for a guest's devices: plugging, consoles and graphics, keys, power management.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import DOMAIN_SEND_KEY_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UHyper, UInt


class DomainAttachDeviceArgs(Struct):
    """Arguments of virDomainAttachDevice."""

    dom: NonnullDomain
    xml: str


class DomainDetachDeviceArgs(Struct):
    """Arguments of virDomainDetachDevice."""

    dom: NonnullDomain
    xml: str


class DomainAttachDeviceFlagsArgs(Struct):
    """Arguments of virDomainAttachDeviceFlags."""

    dom: NonnullDomain
    xml: str
    flags: UInt = 0


class DomainDetachDeviceFlagsArgs(Struct):
    """Arguments of virDomainDetachDeviceFlags."""

    dom: NonnullDomain
    xml: str
    flags: UInt = 0


class DomainUpdateDeviceFlagsArgs(Struct):
    """Arguments of virDomainUpdateDeviceFlags."""

    dom: NonnullDomain
    xml: str
    flags: UInt = 0


class DomainOpenConsoleArgs(Struct):
    """Arguments of virDomainOpenConsole."""

    dom: NonnullDomain
    dev_name: str | None = None
    flags: UInt = 0


class DomainInjectNmiArgs(Struct):
    """Arguments of virDomainInjectNMI."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainScreenshotArgs(Struct):
    """Arguments of virDomainScreenshot."""

    dom: NonnullDomain
    screen: UInt
    flags: UInt = 0


class DomainScreenshotRet(Struct):
    """Reply of virDomainScreenshot."""

    mime: str | None = None


class DomainSendKeyArgs(Struct):
    """Arguments of virDomainSendKey."""

    dom: NonnullDomain
    codeset: UInt
    holdtime: UInt
    keycodes: Annotated[list[UInt], DOMAIN_SEND_KEY_MAX]
    flags: UInt = 0


class DomainOpenGraphicsArgs(Struct):
    """Arguments of virDomainOpenGraphics."""

    dom: NonnullDomain
    idx: UInt
    flags: UInt = 0


class DomainPmSuspendForDurationArgs(Struct):
    """Arguments of virDomainPMSuspendForDuration."""

    dom: NonnullDomain
    target: UInt
    duration: UHyper
    flags: UInt = 0


class DomainPmWakeupArgs(Struct):
    """Arguments of virDomainPMWakeup."""

    dom: NonnullDomain
    flags: UInt = 0


class DomainSendProcessSignalArgs(Struct):
    """Arguments of virDomainSendProcessSignal."""

    dom: NonnullDomain
    pid_value: Hyper
    signum: UInt
    flags: UInt = 0


class DomainOpenChannelArgs(Struct):
    """Arguments of virDomainOpenChannel."""

    dom: NonnullDomain
    name: str | None = None
    flags: UInt = 0


class DomainOpenGraphicsFdArgs(Struct):
    """Arguments of virDomainOpenGraphicsFD."""

    dom: NonnullDomain
    idx: UInt
    flags: UInt = 0


class DomainDetachDeviceAliasArgs(Struct):
    """Arguments of virDomainDetachDeviceAlias."""

    dom: NonnullDomain
    alias: str
    flags: UInt = 0


class DomainFdAssociateArgs(Struct):
    """Arguments of virDomainFDAssociate."""

    dom: NonnullDomain
    name: str
    flags: UInt = 0


class DomainGraphicsReloadArgs(Struct):
    """Arguments of virDomainGraphicsReload."""

    dom: NonnullDomain
    type: UInt
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

DOMAIN_ATTACH_DEVICE = call(8, "DOMAIN_ATTACH_DEVICE", DomainAttachDeviceArgs, None, "0.1.9")
DOMAIN_DETACH_DEVICE = call(13, "DOMAIN_DETACH_DEVICE", DomainDetachDeviceArgs, None, "0.1.9")
DOMAIN_ATTACH_DEVICE_FLAGS = call(160, "DOMAIN_ATTACH_DEVICE_FLAGS", DomainAttachDeviceFlagsArgs, None, "0.7.7")
DOMAIN_DETACH_DEVICE_FLAGS = call(161, "DOMAIN_DETACH_DEVICE_FLAGS", DomainDetachDeviceFlagsArgs, None, "0.7.7")
DOMAIN_UPDATE_DEVICE_FLAGS = call(174, "DOMAIN_UPDATE_DEVICE_FLAGS", DomainUpdateDeviceFlagsArgs, None, "0.8.0")
DOMAIN_OPEN_CONSOLE = call(201, "DOMAIN_OPEN_CONSOLE", DomainOpenConsoleArgs, None, "0.8.6", stream="read")
DOMAIN_INJECT_NMI = call(210, "DOMAIN_INJECT_NMI", DomainInjectNmiArgs, None, "0.9.2")
DOMAIN_SCREENSHOT = call(211, "DOMAIN_SCREENSHOT", DomainScreenshotArgs, DomainScreenshotRet, "0.9.2", stream="read")
DOMAIN_SEND_KEY = call(226, "DOMAIN_SEND_KEY", DomainSendKeyArgs, None, "0.9.3")
DOMAIN_OPEN_GRAPHICS = call(249, "DOMAIN_OPEN_GRAPHICS", DomainOpenGraphicsArgs, None, "0.9.7")
DOMAIN_PM_SUSPEND_FOR_DURATION = call(
    261, "DOMAIN_PM_SUSPEND_FOR_DURATION", DomainPmSuspendForDurationArgs, None, "0.9.10"
)
DOMAIN_PM_WAKEUP = call(267, "DOMAIN_PM_WAKEUP", DomainPmWakeupArgs, None, "0.9.11")
DOMAIN_SEND_PROCESS_SIGNAL = call(295, "DOMAIN_SEND_PROCESS_SIGNAL", DomainSendProcessSignalArgs, None, "1.0.1")
DOMAIN_OPEN_CHANNEL = call(296, "DOMAIN_OPEN_CHANNEL", DomainOpenChannelArgs, None, "1.0.2", stream="read")
DOMAIN_OPEN_GRAPHICS_FD = call(343, "DOMAIN_OPEN_GRAPHICS_FD", DomainOpenGraphicsFdArgs, None, "1.2.8")
DOMAIN_DETACH_DEVICE_ALIAS = call(392, "DOMAIN_DETACH_DEVICE_ALIAS", DomainDetachDeviceAliasArgs, None, "4.4.0")
DOMAIN_FD_ASSOCIATE = call(443, "DOMAIN_FD_ASSOCIATE", DomainFdAssociateArgs, None, "9.0.0")
DOMAIN_GRAPHICS_RELOAD = call(448, "DOMAIN_GRAPHICS_RELOAD", DomainGraphicsReloadArgs, None, "10.2.0")
