"""The balloon of a running guest: how often it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions, metadata, statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import modifying
from guesthouse.errors import InvalidArgumentError, OperationInvalidError
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.memballoon import Memballoon
from guesthouse.model.domain.document import copy

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def set_period(driver: Guests, guest: Guest, seconds: int, impact: int) -> None:
    """Have the guest's memory statistics reported every so many seconds, 0 for never."""
    if seconds < 0:
        raise InvalidArgumentError(f"invalid value for collection period: {seconds}")
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        if live:
            run = guest.live()
            balloon = _balloon(run.live)
            alias = balloon.alias.name if balloon.alias is not None else ""
            await run.talk().execute(
                "qom-set",
                {"path": f"/machine/peripheral/{alias}", "property": "guest-stats-polling-interval", "value": seconds},
            )
            balloon.period = seconds or None
            guest.changed()
            statusfile.save(driver, guest, run)
        if config and guest.definition is not None:
            domain = copy(guest.definition)
            _balloon(domain).period = seconds or None
            await definitions.replace(driver, guest, domain)


def _balloon(domain: Domain) -> Memballoon:
    balloon = domain.devices.memballoon
    if balloon is None or not balloon.present:
        raise OperationInvalidError("Memory balloon model must be virtio to set the collection period")
    return balloon
