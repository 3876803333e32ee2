"""The logs of running guests are looked at now and then, and rotated when they have become too large.

QEMU and its helpers write to their logs themselves, so that they go on when the daemon does not. What they wrote
meanwhile is rotated by the next daemon. How: `guesthouse.qemu.log_rotation`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.host.files import sweep_temporaries
from guesthouse.qemu.log_rotation import rotate

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How often the logs are looked at, in seconds. What a guest makes QEMU write meanwhile is what a log may exceed by.
_PAUSE: Final = 2.0


async def keep(driver: Guests) -> None:
    """Keep the logs small until the daemon ends. Those of guests that ended while no daemon ran are looked at first."""
    if not driver.settings.log_limits.max_size:
        return
    await driver.in_thread(sweep_temporaries, driver.places.guest_logs)
    watched = list(driver.registry)
    while True:
        if watched:
            await driver.in_thread(_rotate_all, [path for guest in watched for path in _logs(driver, guest)], driver)
        await asyncio.sleep(_PAUSE)
        watched = [guest for guest in driver.registry if guest.run is not None]


def look_at(driver: Guests, guest: Guest) -> None:
    """Rotate the logs of a guest whose QEMU has ended, in the background."""
    driver.farewell(driver.in_thread(_rotate_all, _logs(driver, guest), driver))


def _logs(driver: Guests, guest: Guest) -> list[Path]:
    helpers = guest.run.helpers.values() if guest.run is not None else ()
    return [driver.places.guest_logs / f"{guest.name}.log", *(helper.log for helper in helpers)]


def _rotate_all(paths: Iterable[Path], driver: Guests) -> None:
    for path in paths:
        try:
            rotate(path, driver.settings.log_limits)
        except OSError as error:
            log.warning("the log '%s' cannot be rotated: %s", path, error.strerror)
