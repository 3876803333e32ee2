"""Taking up what is on disk: definitions, networks that were active, the places on them; then what starts by itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.network import actions, default, foreign, opening, pools
from guesthouse.drivers.network.completing import complete
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import LibvirtError
from guesthouse.model.network.document import parse_network

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver
    from guesthouse.model.network.definition import Network

log = logging.getLogger(__name__)


async def load(driver: NetworkDriver) -> None:
    """Know what is on disk. A network that cannot be used is logged."""
    async with driver.changes:
        is_new = driver.ships_default and await driver.in_thread(lambda: driver.store.is_new)
        await driver.in_thread(driver.store.prepare)
        if is_new:
            await _define_default(driver)
        await driver.in_thread(driver.store.finish_updates)
        # What is active comes first: guests are on it, and a file that is in its way is not.
        for name, live in (await driver.in_thread(driver.store.read_states)).items():
            await _take_state(driver, name, live)
        removed = await _go_on(driver)
        for name, text in (await driver.in_thread(driver.store.read_definitions)).items():
            _take_definition(driver, name, text)
        for half in removed:
            if driver.registry.get(half.name) is None:
                await driver.in_thread(driver.dnsmasq.forget, half)
    for network in driver.registry:
        if network.autostart and not network.active:
            await _autostart(driver, network)


async def _define_default(driver: NetworkDriver) -> None:
    network = await driver.in_thread(default.definition)
    await driver.in_thread(complete, network, [])
    await driver.in_thread(driver.store.write_definition, network)


def _take_definition(driver: NetworkDriver, name: str, text: str) -> None:
    try:
        definition = parse_network(text)
        known = driver.registry.check_free(definition)
    except LibvirtError as error:
        log.error("the definition of network '%s' is not usable: %s", name, error.message)
        return
    if definition.name != name:
        log.error("Network config filename '%s.xml' does not match network name '%s'", name, definition.name)
        return
    if known is None:
        known = VirtualNetwork(definition)
        driver.registry.add(known)
    known.config = definition
    known.autostart = driver.store.is_autostart(name)


async def _take_state(driver: NetworkDriver, name: str, live: Network) -> None:
    known = driver.registry.get(name)
    if known is not None and known.active:
        return
    if live.name != name or (known is not None and known.uuid != live.uuid):
        log.error("the status file of network '%s' is that of another network", name)
        return
    network = known or VirtualNetwork()
    network.live = live
    for port in await driver.in_thread(driver.store.read_ports, name):
        network.ports[port.uuid] = port
    network.by_hand = await driver.in_thread(driver.store.read_by_hand, name)
    pools.count(live, network.ports.values())
    driver.registry.add(network)


async def _go_on(driver: NetworkDriver) -> list[Network]:
    """Go on with what is active, and remove what somebody had not finished who was killed. Returns what was removed."""
    removed = []
    for name, half in (await driver.in_thread(driver.store.read_changes)).items():
        known = driver.registry.get(name)
        if known is not None and known.active:
            await driver.in_thread(driver.store.remove_change, name)  # nothing of it has gone yet
        else:
            log.warning(
                "network '%s' was being started or stopped when the daemon ended; what is left is removed", name
            )
            await opening.take_down(driver, half, None)
            removed.append(half)
    for name, commands in (await driver.in_thread(driver.store.read_foreign_rules)).items():
        await foreign.remove(commands)
        known = driver.registry.get(name)
        if known is not None and known.live is not None:
            await driver.in_thread(driver.store.write_state, known.live)
    for network in list(driver.registry):
        if network.active and not await opening.take_up(driver, network):
            await driver.in_thread(driver.store.remove_state, network.name)
            driver.registry.discard(network.name)
    if any(network.live is not None and network.live.bridged for network in driver.registry):
        try:
            await opening.renew_rules(driver)
        except LibvirtError as error:
            log.error("cannot renew the firewall's rules: %s", error.message)
    return removed


async def _autostart(driver: NetworkDriver, network: VirtualNetwork) -> None:
    try:
        await actions.start(driver, network)
    except LibvirtError as error:
        log.error("Failed to autostart network '%s': %s", network.name, error.message)
