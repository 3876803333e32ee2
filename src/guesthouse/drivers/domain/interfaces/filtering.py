"""Network filters of cards: bound when a card is plugged, gone with it, and found again after a daemon's restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.nwfilter_service import CardFilter
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.nwfilter_binding import FilterBinding
from guesthouse.model.owner import Owner

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.devices.interface.filterref import FilterRef


def _card(run: Run, interface: Interface, filterref: FilterRef, device: str) -> CardFilter:
    binding = new(
        FilterBinding,
        owner=new(Owner, name=run.live.name, uuid=run.live.uuid),
        port=device,
        mac=interface.mac_text,
        filter=clone(filterref),
    )
    return CardFilter(binding, _run(run))


def _run(run: Run) -> str:
    """The name of a run's own directory: no two runs of a guest have the same."""
    return run.where.private.name


async def bind(driver: Guests, run: Run, interface: Interface) -> None:
    """Put the card's filter on its device, instead of the one that is there; take that away where it has none now.

    Raises what `FilterService.bind` raises; what was there then stays.
    """
    device = interface.host_device
    if device is None:
        return
    if interface.filter is None:
        await driver.nwfilters.unbind(device, _run(run))
    else:
        await driver.nwfilters.bind(_card(run, interface, interface.filter, device))


async def unbind(driver: Guests, run: Run, interface: Interface) -> None:
    """The card is gone. Raises what `FilterService.unbind` raises."""
    if interface.filter is not None and interface.host_device is not None:
        await driver.nwfilters.unbind(interface.host_device, _run(run))


async def keep_known(driver: Guests) -> None:
    """Let the filters on this host be those of the cards of guests that run. Raises what the service raises."""
    await driver.nwfilters.keep_only(
        [
            _card(guest.run, interface, interface.filter, interface.host_device)
            for guest in driver.registry
            if guest.run is not None
            for interface in guest.run.live.devices.interfaces
            if interface.filter is not None and interface.host_device is not None and interface.uses_tap
        ]
    )
