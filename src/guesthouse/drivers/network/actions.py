"""What changes virtual networks: defining, starting, stopping, removing.

Each change holds `driver.changes`, is on disk before it is in memory, and is told to clients last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.network import opening, pools
from guesthouse.drivers.network.completing import complete
from guesthouse.drivers.network.events import DEFINED, STARTED, STOPPED, UNDEFINED
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.drivers.network.rules import check
from guesthouse.errors import OperationInvalidError, Origin
from guesthouse.model.network.document import parse_network

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver
    from guesthouse.model.network.definition import Network


async def define(driver: NetworkDriver, xml: str, *, validate: bool = False) -> VirtualNetwork:
    """Define a network, or change the definition of one; an active one goes on as it is until it stops.

    Raises what `parse_network`, `rules.check` and `Registry.check_free` raise, and `NetworkFileError`.
    """
    definition = parse_network(xml, validate=validate)
    async with driver.changes:
        await _examine(driver, definition)
        known = driver.registry.check_free(definition)
        await driver.in_thread(driver.store.write_definition, definition)
        if known is None:
            known = VirtualNetwork(definition)
            driver.registry.add(known)
        known.config = definition
        driver.events.lifecycle(known, DEFINED)
        return known


async def create_transient(driver: NetworkDriver, xml: str, *, validate: bool = False) -> VirtualNetwork:
    """Make and start a network; one without a definition is forgotten when it stops. Raises as `define` and `start`."""
    definition = parse_network(xml, validate=validate)
    async with driver.changes:
        await _examine(driver, definition)
        known = driver.registry.check_free(definition)
        if known is not None and known.active:
            raise OperationInvalidError(f"network is already active as '{known.name}'", domain=Origin.NETWORK)
        network = known or VirtualNetwork()
        try:
            await _open(driver, network, definition)
        except BaseException:  # also where nobody waits any more: its files are nobody's
            if known is None:
                await driver.in_thread(driver.dnsmasq.forget, definition)
            raise
        driver.registry.add(network)
        driver.events.lifecycle(network, STARTED)
        return network


async def _examine(driver: NetworkDriver, definition: Network) -> None:
    others = [other for network in driver.registry for other in (network.live, network.config) if other is not None]
    await driver.in_thread(complete, definition, others)
    await driver.in_thread(check, definition)


async def start(driver: NetworkDriver, network: VirtualNetwork) -> None:
    """Make a network active.

    Raises `OperationInvalidError` for one that is, what `pools.opened` raises, and `NetworkFileError`.
    """
    async with driver.changes:
        if network.active or network.config is None:
            raise OperationInvalidError("network is already active", domain=Origin.NETWORK)
        await _open(driver, network, network.config)
        driver.events.lifecycle(network, STARTED)


async def _open(driver: NetworkDriver, network: VirtualNetwork, definition: Network) -> None:
    live = await driver.in_thread(pools.opened, definition)
    process = await opening.bring_up(driver, live)
    try:
        await driver.in_thread(driver.store.write_state, live)
    except BaseException:  # also where nobody waits any more: the host has no network that nobody knows
        await opening.take_down(driver, live, process)
        raise
    network.live = live
    opening.keep(driver, network, process)
    if live.bridged and driver.on_start is not None:
        driver.in_background(driver.on_start(live.name))
    network.ports.clear()
    network.by_hand.clear()


async def stop(driver: NetworkDriver, network: VirtualNetwork) -> None:
    """Let a network be active no more: guests keep their cards, without what was at the other end of a bridge of ours.

    Raises `OperationInvalidError` for one that is not active, and `NetworkFileError`.
    """
    async with driver.changes:
        live = network.running()
        if live.bridged:
            await driver.in_thread(driver.store.write_change, live)
        await driver.in_thread(driver.store.remove_state, live.name)
        process, network.dnsmasq = network.dnsmasq, None
        await opening.take_down(driver, live, process)
        network.ports.clear()
        if network.config is None:
            await driver.in_thread(driver.dnsmasq.forget, live)
            driver.registry.discard(live.name)
        driver.events.lifecycle(network, STOPPED)
        if network.config is not None:
            network.live = None


async def undefine(driver: NetworkDriver, network: VirtualNetwork) -> None:
    """Forget a definition; an active network is transient from now on.

    Raises `OperationInvalidError` for one that is transient already, and `NetworkFileError`.
    """
    async with driver.changes:
        if not network.persistent:
            raise OperationInvalidError("can't undefine transient network", domain=Origin.NETWORK)
        await driver.in_thread(driver.store.undefine, network.name)
        network.autostart = False
        if not network.active:
            await driver.in_thread(driver.dnsmasq.forget, network.current)
        driver.events.lifecycle(network, UNDEFINED)
        if network.active:
            network.config = None
        else:
            driver.registry.discard(network.name)


async def mark(driver: NetworkDriver, network: VirtualNetwork, on: bool) -> None:
    """Start the network with the daemon from now on, or no longer.

    Raises `OperationInvalidError` for a transient one, and `NetworkFileError`.
    """
    async with driver.changes:
        if not network.persistent:
            raise OperationInvalidError("cannot set autostart for transient network", domain=Origin.NETWORK)
        await driver.in_thread(driver.store.set_autostart, network.name, on)
        network.autostart = on
