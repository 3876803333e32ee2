"""Cards of guests that run, on a network that starts again: its bridge is another one, and they are put on that.

Where libvirt leaves such cards without a network until its daemon starts anew, they come back with the network.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.interfaces import plug
from guesthouse.drivers.domain.interfaces.devices import set_up_port
from guesthouse.drivers.domain.interfaces.wiring import Connected, connected
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import LibvirtError
from guesthouse.host import bridges, links
from guesthouse.model.domain.devices.interface import Interface

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


async def reconnect(driver: Guests, network: str) -> None:
    """Put the cards back on a network that has started. What cannot be is logged."""
    for guest in list(driver.registry):
        if guest.run is not None and _lost(driver, guest, network):
            try:
                async with modifying(guest):
                    await _put_back(driver, guest, network)
            except (LibvirtError, OSError) as error:
                log.warning("domain '%s' is not put back on network '%s': %s", guest.name, network, error)


def _lost(driver: Guests, guest: Guest, network: str) -> list[Interface]:
    """The cards with a tap whose place on the network is no more."""
    run = guest.run
    if run is None or not run.booted or run.ended.is_set():
        return []
    return [
        card
        for card in run.live.devices.interfaces
        if card.type == "network"
        and card.source is not None
        and card.source.network == network
        and card.host_device is not None
        and not driver.networks.holds(network, card.source.portid)
    ]


async def _put_back(driver: Guests, guest: Guest, network: str) -> None:
    for card in _lost(driver, guest, network):
        run = guest.live()
        port = await plug.acquire(driver, run, card)
        end = connected(card, port)
        if port is None or end.kind != "bridge" or end.switch:
            continue
        try:
            await driver.in_thread(_connect, card, end)
        except OSError:
            await driver.networks.release(network, port.id)
            raise
        guest.changed()
        statusfile.save(driver, guest, run)


def _connect(card: Interface, end: Connected) -> None:
    device = card.host_device or ""
    if links.exists(device):
        set_up_port(device, end)
        if not end.learning:
            bridges.teach(device, card.mac_text)
