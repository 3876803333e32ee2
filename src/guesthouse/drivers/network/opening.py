"""Bringing a network of the host's own up and taking it down: its bridge, its firewall rules, its dnsmasq, its limits.

Either is all or nothing, also for whoever is killed in between: what is about to be made or removed is written down
before (`NetworkStore.write_change`), and the next daemon removes what belongs to a network that is not active.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.network import bridge_device, dnsmasq_conf, firewalld, resolved, rulebook
from guesthouse.drivers.network.limits import limit_of
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host import tc, tc_bridge
from guesthouse.host.processes import Process
from guesthouse.model.network.definition import Network

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

log = logging.getLogger(__name__)

#: How long dnsmasq has to serve, in seconds, to be started anew when it ends.
_LIVELY: Final = 2.0


async def bring_up(driver: NetworkDriver, live: Network) -> Process | None:
    """Make all that a network needs of the host; returns its dnsmasq, if it needs one.

    What failed half way is taken down. Raises `LibvirtError`: 38 with what the kernel said, 1 with what dnsmasq said.
    """
    if not live.bridged:
        await _limit(live)
        return None
    await driver.in_thread(bridge_device.examine, live)
    await driver.in_thread(driver.store.write_change, live)
    try:
        return await _make(driver, live)
    except BaseException:  # also where nobody waits any more: what is half made is taken down
        await take_down(driver, live, None)
        raise


async def _make(driver: NetworkDriver, live: Network) -> Process | None:
    name, _ = bridge_device.name_of(live)
    await driver.in_thread(bridge_device.build, live)
    await firewalld.set_zone(live)
    done = await asyncio.gather(
        driver.rules.add(live, _bridged(driver, live)), _limit(live), _serve(driver, live), return_exceptions=True
    )
    process = done[2] if isinstance(done[2], Process) else None
    try:
        for failed in (one for one in done if isinstance(one, BaseException)):
            raise failed
        await resolved.register(live)
        await driver.in_thread(driver.dnsmasq.write_macs, name, ())
    except BaseException:
        if process is not None:
            process.close()  # `take_down` finds it
        raise
    driver.in_background(_tell_conflicts(live))
    return process


async def _serve(driver: NetworkDriver, live: Network) -> Process | None:
    if not dnsmasq_conf.needed(live):
        return None
    try:
        await driver.in_thread(driver.dnsmasq.write, live)
    except OSError as error:
        raise LibvirtError(
            f"cannot write the files of dnsmasq for network '{live.name}': {error.strerror}",
            code=Code.SYSTEM_ERROR,
            domain=Origin.NETWORK,
        ) from error
    return await driver.dnsmasq.start(live)


async def _limit(live: Network) -> None:
    """Set the limits of the whole network, which are those of its bridge."""
    bridge = live.bridge.name if live.bridge is not None else None
    if bridge is None or not (live.bridged or live.bandwidth is not None):
        return
    limits = live.bandwidth
    sent, received = (limit_of(limits.inbound), limit_of(limits.outbound)) if limits is not None else (None, None)
    await tc_bridge.set_up(bridge, sent, received, serves=live.bridged)


async def _tell_conflicts(live: Network) -> None:
    for text in await rulebook.conflicts(live):
        log.warning("network '%s': %s", live.name, text)


def _bridged(driver: NetworkDriver, but: Network) -> list[Network]:
    """The other networks that have rules."""
    return [
        one.live for one in driver.registry if one.live is not None and one.live.bridged and one.live.name != but.name
    ]


async def take_down(driver: NetworkDriver, live: Network, process: Process | None) -> None:
    """Remove what `bring_up` made. What cannot be removed is logged; what is gone already is no trouble."""
    if not live.bridged:
        if live.bandwidth is not None and live.bridge is not None and live.bridge.name is not None:
            await _logged(live, "removing the limits of its rate", tc.clear(live.bridge.name))
        return
    await asyncio.gather(
        _logged(live, "ending dnsmasq", _end_server(driver, live, process)),
        _logged(live, "removing firewall rules", _remove_rules(driver, live)),
        _logged(live, "leaving the zone of firewalld", firewalld.leave_zone(live)),
    )
    await _logged(live, "removing the bridge", driver.in_thread(bridge_device.remove, live))
    await driver.in_thread(driver.store.remove_change, live.name)


async def _end_server(driver: NetworkDriver, live: Network, process: Process | None) -> None:
    await driver.dnsmasq.end(live.name, process)


async def _remove_rules(driver: NetworkDriver, live: Network) -> None:
    if live.mode != "open":
        await driver.rules.replace(_bridged(driver, live))


async def _logged(live: Network, what: str, work: Awaitable[None]) -> None:
    try:
        await work
    except (LibvirtError, OSError) as error:
        log.warning("network '%s': %s: %s", live.name, what, error)


async def refresh(driver: NetworkDriver, network: VirtualNetwork, *, anew: bool = False) -> None:
    """Let dnsmasq serve what the network is now: it reads its files again, or is started anew where that is not enough.

    Nobody is disconnected: leases are kept, and the bridge is not touched. Raises as `bring_up`.
    """
    live = network.running()
    if not live.bridged:
        return
    if network.dnsmasq is not None and network.dnsmasq.poll() is not None:
        network.dnsmasq.close()
        network.dnsmasq = None
    if not dnsmasq_conf.needed(live):
        await driver.dnsmasq.end(live.name, network.dnsmasq)
        network.dnsmasq = None
        return
    changed = await driver.in_thread(driver.dnsmasq.write, live)
    if network.dnsmasq is not None and not changed and not anew:
        driver.dnsmasq.read_again(network.dnsmasq)
        return
    await driver.dnsmasq.end(live.name, network.dnsmasq)
    network.dnsmasq = None
    keep(driver, network, await driver.dnsmasq.start(live))


def keep(driver: NetworkDriver, network: VirtualNetwork, process: Process | None) -> None:
    """Let this process be the one that serves an active network; it is started anew should it ever end by itself."""
    network.dnsmasq = process
    if process is not None:
        process.watch(lambda ended: driver.in_background(_revive(driver, network, ended)))


async def _revive(driver: NetworkDriver, network: VirtualNetwork, ended: Process) -> None:
    """Serve a network again whose dnsmasq has ended, unless it is one that does so again and again."""
    lived = time.clock_gettime(time.CLOCK_BOOTTIME) - ended.start_time / os.sysconf("SC_CLK_TCK")
    async with driver.changes:
        if network.dnsmasq is not ended or not network.active:
            return
        log.warning("dnsmasq of network '%s' has ended: %s", network.name, ended.exit)
        if lived < _LIVELY:
            log.error("dnsmasq of network '%s' ends as soon as it starts; the next change starts it", network.name)
            return
        try:
            await refresh(driver, network)
        except (LibvirtError, OSError) as error:
            log.error("network '%s': %s", network.name, error)


async def renew_rules(driver: NetworkDriver) -> None:
    """Let the firewall's rules be those of the networks that are active. Raises `NftError` and `ChildError`."""
    await driver.rules.replace(
        [network.live for network in driver.registry if network.live is not None and network.live.bridged]
    )


async def take_up(driver: NetworkDriver, network: VirtualNetwork) -> bool:
    """Go on with a network that was active when the daemon before us ended. Returns whether it still is.

    Without its bridge it is not, and what is left of it is removed. Its dnsmasq is found again, or started anew.
    """
    live = network.running()
    if not live.bridged:
        return True
    running = await driver.in_thread(driver.dnsmasq.running, live.name) if dnsmasq_conf.needed(live) else None
    if not await driver.in_thread(bridge_exists, live):
        log.warning("network '%s' was active, but its bridge is gone", live.name)
        await take_down(driver, live, running)
        return False
    if network.dnsmasq is not None:
        network.dnsmasq.close()
    keep(driver, network, running)
    try:
        await refresh(driver, network)
    except (LibvirtError, OSError) as error:
        log.error("network '%s': %s", live.name, error)
    return True


def bridge_exists(live: Network) -> bool:
    """Whether a network's bridge is there."""
    from guesthouse.host import links

    return live.bridge is not None and live.bridge.name is not None and links.exists(live.bridge.name)
