"""Procedures for a guest's keyboard, screen and power button's neighbours."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.displays import graphics, keys, screenshot
from guesthouse.drivers.domain.lifecycle import control
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_devices as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_SKIP_AUTHENTICATION = 1


async def _send_key(driver: Guests, _: Caller, args: rpc.DomainSendKeyArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainSendKey")
    guest = find(driver, args.dom)
    keys.translate(args.codeset, args.keycodes)
    guest.live()
    async with modifying(guest):
        await keys.press(guest, args.codeset, args.holdtime, args.keycodes)


def _send_signal(driver: Guests, _: Caller, args: rpc.DomainSendProcessSignalArgs) -> None:
    """Only containers have processes that the host can signal: libvirt's QEMU driver has no such function either."""
    find(driver, args.dom)
    raise LibvirtError("virDomainSendProcessSignal", code=Code.NO_SUPPORT, domain=Origin.DOMAIN)


async def _inject_nmi(driver: Guests, _: Caller, args: rpc.DomainInjectNmiArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainInjectNMI")
    await control.inject_nmi(find(driver, args.dom))


async def _wakeup(driver: Guests, _: Caller, args: rpc.DomainPmWakeupArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainPMWakeup")
    await control.wake(find(driver, args.dom))


async def _screenshot(driver: Guests, caller: Caller, args: rpc.DomainScreenshotArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainScreenshot")
    guest = find(driver, args.dom)
    picture = screenshot.Picture()
    picture.begin(caller.open_stream(picture))
    qemu = await driver.emulators.capabilities(guest.live().live.devices.emulator or "")
    descriptor, mime = await screenshot.take(guest, args.screen, png=qemu.has_feature("screendump/format"))
    picture.load(descriptor)
    return rpc.DomainScreenshotRet(mime)


async def _open_graphics(driver: Guests, caller: Caller, args: rpc.DomainOpenGraphicsArgs) -> None:
    flags.check(args.flags, _SKIP_AUTHENTICATION, "qemuDomainOpenGraphics")
    descriptors = caller.take_fds()
    try:
        if len(descriptors) != 1:
            raise InvalidArgumentError("exactly one file descriptor must be passed")
        guest = find(driver, args.dom)
        await graphics.connect(guest, args.idx, descriptors[0], skip=bool(args.flags & _SKIP_AUTHENTICATION))
    finally:
        graphics.close(descriptors)


def _open_graphics_fd(driver: Guests, caller: Caller, args: rpc.DomainOpenGraphicsFdArgs) -> Awaitable[None]:
    flags.check(args.flags, _SKIP_AUTHENTICATION, "qemuDomainOpenGraphicsFD")
    guest = find(driver, args.dom)
    ours, theirs = graphics.pair()
    caller.reply_fds([ours])
    return graphics.hand_over(guest, args.idx, theirs, skip=bool(args.flags & _SKIP_AUTHENTICATION))


async def _graphics_reload(driver: Guests, _: Caller, args: rpc.DomainGraphicsReloadArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainGraphicsReload")
    await graphics.reload_certificates(find(driver, args.dom), args.type)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GRAPHICS_RELOAD: write(_graphics_reload),
    rpc.DOMAIN_SEND_KEY: write(_send_key),
    rpc.DOMAIN_SEND_PROCESS_SIGNAL: write(_send_signal),
    rpc.DOMAIN_INJECT_NMI: write(_inject_nmi),
    rpc.DOMAIN_PM_WAKEUP: write(_wakeup),
    rpc.DOMAIN_SCREENSHOT: write(_screenshot),
    rpc.DOMAIN_OPEN_GRAPHICS: write(_open_graphics),
    rpc.DOMAIN_OPEN_GRAPHICS_FD: write(_open_graphics_fd),
}
