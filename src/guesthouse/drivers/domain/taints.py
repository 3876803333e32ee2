"""When guests are tainted, and who is told: the daemon's log, the guest's log, its status file, and clients."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.taints import Taint, of_device, of_guest
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.qemu.guest_log import GuestLog

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: Bits of `virDomainMessageType`.
DEPRECATION, TAINTING, IO_ERRORS = 1, 2, 4


def at_start(run: Run, caps: QemuCapabilities) -> list[str]:
    """Taint a guest that starts; the definition is prepared. What is returned is for the guest's own log."""
    found = of_guest(run.live, caps, as_root=os.geteuid() == 0)
    return [_told(run, taint, setting) for taint, setting in found if run.taints.add(taint, setting)]


async def add(driver: Guests, guest: Guest, run: Run, taint: Taint) -> None:
    """Taint a guest that runs."""
    if not run.taints.add(taint):
        return
    text = _told(run, taint)
    statusfile.save(driver, guest, run)
    with contextlib.suppress(OSError):
        await driver.in_thread(_append, driver, guest.name, text)


async def of_plugged(driver: Guests, guest: Guest, run: Run, device: Device) -> None:
    """Taint a guest by a device that it got while it ran."""
    for taint in of_device(device):
        await add(driver, guest, run, taint)


def messages(guest: Guest, flags: int) -> list[str]:
    """What `virDomainGetMessages` tells; no flag asks for all."""
    if guest.run is None:
        return []
    parts = (
        (TAINTING, guest.run.taints.messages()),
        (DEPRECATION, guest.run.taints.warnings()),
        (IO_ERRORS, list(guest.run.io_errors.values())),
    )
    return [text for bit, texts in parts if not flags or flags & bit for text in texts]


def _told(run: Run, taint: Taint, setting: str = "") -> str:
    """Tell the daemon's log; what is returned is for the guest's."""
    live, what = run.live, f"{taint.value} ({setting})" if setting else taint.value
    log.warning("Domain id=%s name='%s' uuid=%s is tainted: %s", live.id, live.name, live.uuid, what)
    return f"Domain id={live.id} is tainted: {what}"


def _append(driver: Guests, name: str, text: str) -> None:
    with contextlib.closing(GuestLog(driver.places.guest_logs / f"{name}.log")) as writer:
        writer.note(text)
