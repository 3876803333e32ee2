"""`FilterService` on the filters of one driver: what the domain driver asks for."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from guesthouse.drivers.nwfilter import bindings
from guesthouse.drivers.nwfilter.registry import Bound
from guesthouse.drivers.nwfilter_service import CardFilter
from guesthouse.errors import LibvirtError, OperationInvalidError, Origin

if TYPE_CHECKING:
    from guesthouse.drivers.nwfilter.driver import FilterDriver

log = logging.getLogger(__name__)


class Service:
    """The filters of one driver, for guests."""

    def __init__(self, driver: FilterDriver) -> None:
        self._driver = driver

    async def bind(self, wanted: CardFilter) -> None:
        """Filter what passes the device from now on, instead of what was bound to it before.

        What was learned of the guest is kept where it is the same card. Raises what `bindings.put` raises.
        """
        if not self._driver.privileged:
            raise OperationInvalidError(
                "Can't define NWFilter bindings in session mode", domain=Origin.NWFILTER, hint="leave <filterref> out"
            )
        async with self._driver.changes:
            known = self._driver.bindings.get(wanted.device)
            made = Bound(wanted.binding, run=wanted.run)
            if known is not None and _is_same_card(known, wanted):
                made.learned, made.watcher = known.learned, known.watcher
            await bindings.put(self._driver, made)

    async def unbind(self, device: str, run: str) -> None:
        """The device is no longer that of this run. Raises `FilterFileError`, and what the kernel says."""
        if self._driver.bindings.get(device) is None:
            return  # nobody waits for others' changes who has no filter
        async with self._driver.changes:
            bound = self._driver.bindings.get(device)
            if bound is not None and bound.run == run:
                await bindings.remove(self._driver, bound)

    async def keep_only(self, wanted: Collection[CardFilter]) -> None:
        """Make the filters of guests exactly these. One that cannot be made is logged."""
        cards = {card.device: card for card in wanted}
        for bound in self._driver.bindings:
            if bound.run and bound.device not in cards:
                log.warning("the filter on '%s' belongs to no guest that runs", bound.device)
                await self.unbind(bound.device, bound.run)
        for device, card in cards.items():
            known = self._driver.bindings.get(device)
            if known is not None and known.run == card.run and known.binding == card.binding:
                continue
            try:
                await self.bind(card)
            except LibvirtError as error:
                log.error("the filter of '%s' cannot be applied: %s", device, error.message)


def _is_same_card(bound: Bound, wanted: CardFilter) -> bool:
    """Whether it is the same card of the same guest; of one that libvirtd had started, the run is not known."""
    same = bound.binding.owner.uuid == wanted.binding.owner.uuid and bound.binding.mac == wanted.binding.mac
    return same and bound.run in ("", wanted.run)
