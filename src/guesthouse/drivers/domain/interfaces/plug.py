"""The host's side of a guest's network cards: made before QEMU gets the card, gone when the guest is.

`plug` and `unplug` are for one card, whether the guest starts or the card is plugged in later. The rules:

1. `plug` does all or nothing. What it chose (the device's name, the network's port) stands in the interface, which is
   that of the running guest's own definition.
2. A tap needs nobody who removes it: it is gone with QEMU's descriptor. What outlives QEMU is unplugged: macvtaps,
   ports of switches and of networks, filters, and what a script did.
3. A macvtap carries in its alias whose it is, and what has to be put back when it goes. So the next daemon finds those
   that are nobody's (`sweep`), also of a start that was cut off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.interfaces import assigning, filtering, switches
from guesthouse.drivers.domain.interfaces.devices import open_as_user, open_device, remove_macvtap
from guesthouse.drivers.domain.interfaces.wiring import Connected, Wiring, connected
from guesthouse.drivers.network_service import NetworkPort, PortRequest
from guesthouse.errors import Code, LibvirtError, OperationFailedError, UnsupportedConfigError
from guesthouse.host import links, tc
from guesthouse.host.child import run as run_child
from guesthouse.model.domain.devices.interface import Interface, checks
from guesthouse.model.domain.tap_ends import TapEnds, TapLookup

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.launch import LaunchContext

log = logging.getLogger(__name__)

_SCRIPT_DEADLINE: Final = 30.0


async def plug(driver: Guests, run: Run, interface: Interface) -> Wiring:
    """Make what a card needs of the host, and open it for QEMU. The descriptors are the caller's to close.

    Raises `UnsupportedConfigError`, error 43 for an unknown network, error 38 with what the kernel said, and
    `OperationFailedError` for a script.
    """
    port = await acquire(driver, run, interface)
    if interface.is_assigned:
        await _take(driver, run, interface)
    if not interface.uses_tap:
        return Wiring()
    wiring = Wiring()
    try:
        end = connected(interface, port)
        checks.check_network(interface, end.kind)
        switches.check(end)
        _check_vlan(interface, end)
        _check_session(end)
        if os.geteuid() != 0 and end.kind == "bridge":
            await open_as_user(interface, end, wiring)
        else:
            await driver.in_thread(open_device, run, interface, end, _mark(driver, run), wiring)
        await filtering.bind(driver, run, interface)
        await _furnish(run, interface, end)
    except BaseException:  # also where nobody waits any more: nothing may stay of a card that is not there
        made = bool(wiring.taps)
        wiring.close()
        await _dismantle(driver, run, interface, made=made)
        raise
    run.plugged.add(interface.name)
    return wiring


async def plug_all(driver: Guests, run: Run, context: LaunchContext) -> LaunchContext:
    """Plug all cards of a guest that starts; returns the surroundings with their open ends, which `run.wirings` holds.

    Raises what `plug` raises; those that were plugged are unplugged with the run.
    """
    for interface in run.live.devices.interfaces:
        await plug_in(driver, run, interface)
    return dataclasses.replace(context, tap_ends=lambda alias, _queues, _vhost: run.wirings[alias].inherited())


async def plug_in(driver: Guests, run: Run, interface: Interface) -> None:
    """Plug a card of a guest that runs: `surroundings` then tell its open ends, with what QEMU has to be given before.

    Whoever calls it calls `close` when QEMU has the card or refused it, and `unplug` when the card is gone again.
    """
    if interface.uses_tap or interface.is_assigned:
        run.wirings[interface.name] = await plug(driver, run, interface)


def descriptors(run: Run) -> list[int]:
    """What a QEMU that is started has to inherit."""
    return [number for wiring in run.wirings.values() for number in wiring.descriptors]


def of_running(run: Run) -> TapLookup:
    """The ends of the cards of a guest that runs: those that QEMU is to be given, and none of those that it has."""

    def lookup(alias: str, _queues: int, _vhost: bool) -> TapEnds:
        return run.wirings[alias].handed_over(alias) if alias in run.wirings else TapEnds(())

    return lookup


def close(run: Run) -> None:
    """Close our copies of what a QEMU inherited, or should have."""
    for wiring in run.wirings.values():
        wiring.close()
    run.wirings.clear()


def release(driver: Guests, run: Run) -> None:
    """The QEMU of a run is gone: remove, in the background, what outlives it."""
    close(run)
    if outlives_qemu(run):
        driver.farewell(unplug_all(driver, run))


async def unplug(driver: Guests, run: Run, interface: Interface) -> None:
    """Remove what outlives QEMU, once it has let go of the card. Failures are logged."""
    if not run.booted and interface.name not in run.plugged:
        return  # a start that failed did not come to it: what has its names is somebody else's
    run.plugged.discard(interface.name)
    device = interface.host_device
    if interface.type == "ethernet" and interface.down_script and device is not None:
        with _logged(f"domain '{run.live.name}': {device}"):
            await _run_script(interface.down_script, device)
    if interface.is_assigned:
        await assigning.give_back(driver, run, interface)
    await _dismantle(driver, run, interface, made=True)


async def _dismantle(driver: Guests, run: Run, interface: Interface, *, made: bool) -> None:
    """Remove what was made; also where only a part of it was. `made` says that the device is ours."""
    device = interface.host_device
    if interface.uses_tap and device is not None:
        end = connected(interface)
        with _logged(f"domain '{run.live.name}': {device}"):
            if end.switch and made:
                await switches.detach(end, device)
            await driver.in_thread(remove_macvtap, device, _mark(driver, run))
        with _logged(f"domain '{run.live.name}': {device}"):
            await filtering.unbind(driver, run, interface)
        if not _stays(interface):
            interface.target = None
    await _give_back_place(driver, run, interface)


async def _give_back_place(driver: Guests, run: Run, interface: Interface) -> None:
    source = interface.source
    port = source.portid if source is not None else None
    if port is not None and source is not None and source.network is not None:
        with _logged(f"domain '{run.live.name}': port {port} of network '{source.network}'"):
            await driver.networks.release(source.network, port)
        source.portid = source.actual_bridge = None
        assigning.be_on_network(interface)


async def unplug_all(driver: Guests, run: Run) -> None:
    """Remove what outlives the QEMU of a run that is gone."""
    for interface in run.live.devices.interfaces:
        if interface.uses_tap or interface.is_assigned:
            await unplug(driver, run, interface)


def outlives_qemu(run: Run) -> bool:
    """Whether `unplug_all` has anything to do."""
    return any(
        interface.type in ("direct", "network", "hostdev")
        or interface.down_script is not None
        or interface.virtual_port is not None
        or interface.filter is not None
        for interface in run.live.devices.interfaces
    )


async def sweep(driver: Guests) -> None:
    """Remove what belongs to no running guest, macvtaps, filters and places on networks: it ended without a daemon."""
    cards = [
        interface
        for guest in driver.registry
        if guest.run is not None
        for interface in guest.run.live.devices.interfaces
    ]
    with _logged("looking for places on networks that are nobody's"):
        ports = {interface.source.portid for interface in cards if interface.source is not None}
        await driver.networks.keep_only({port for port in ports if port is not None})
    with _logged("looking for network filters that are nobody's"):
        await filtering.keep_known(driver)
    kept = [interface.host_device for interface in cards if interface.host_device is not None]
    with _logged("looking for macvtap devices that are nobody's"):
        for name in await driver.in_thread(links.leftovers, _mark(driver), kept):
            log.warning("macvtap device '%s' belongs to no guest that runs; it is removed", name)
            await driver.in_thread(remove_macvtap, name, _mark(driver))


def _mark(driver: Guests, run: Run | None = None) -> str:
    """What the alias of a device of this daemon begins with; of this run."""
    mark = f"guesthouse:{driver.store.instance}:"
    return mark if run is None else f"{mark}{run.live.uuid}:"


def _stays(interface: Interface) -> bool:
    return interface.target is not None and interface.target.is_of_user


async def acquire(driver: Guests, run: Run, interface: Interface) -> NetworkPort | None:
    """A place for a card on its network, noted in the card; None for a card that is on none. Raises as `plug`."""
    source = interface.source
    if interface.type != "network" or source is None or source.network is None:
        return None
    port = await driver.networks.acquire(
        PortRequest(
            source.network,
            source.portgroup,
            run.live.name,
            run.live.uuid,
            interface.mac_text,
            interface.bandwidth,
            interface.virtual_port,
            interface.vlan,
            interface.isolated,
            interface.trust_guest_rx_filters,
        )
    )
    source.portid, source.actual_bridge = port.id, port.bridge
    interface.vlan, interface.virtual_port, interface.bandwidth = port.vlan, port.virtual_port, port.bandwidth
    if port.address is not None:
        assigning.become_assigned(interface, port)
    return port


async def _take(driver: Guests, run: Run, interface: Interface) -> None:
    try:
        await assigning.take(driver, run, interface)
    except BaseException:  # also where nobody waits any more: the place is somebody else's to have
        await _give_back_place(driver, run, interface)
        raise
    run.plugged.add(interface.name)


def _check_vlan(interface: Interface, end: Connected) -> None:
    if end.kind == "direct" and end.vlan is not None:
        raise UnsupportedConfigError(
            f"interface {interface.mac_text} - vlan tag not supported for this connection type",
            hint="give the guest the virtual function itself: <interface type='hostdev'>",
        )


def _check_session(end: Connected) -> None:
    if end.bandwidth is not None and os.geteuid() != 0:
        raise LibvirtError("Network bandwidth tuning is not available in session mode", code=Code.OPERATION_UNSUPPORTED)


async def _furnish(run: Run, interface: Interface, end: Connected) -> None:
    """What other programs do: the switch, the script, the limits of the rate."""
    device = interface.host_device or ""
    if end.switch:
        await switches.attach(end, device, interface.mac_text, run.live)
    if interface.type == "ethernet" and interface.script:
        await _run_script(interface.script, device)
    sent, received = end.limits
    if sent is not None or received is not None:
        await tc.limit(device, sent, received)


async def _run_script(script: str, device: str) -> None:
    finished = await run_child([script, device], deadline=_SCRIPT_DEADLINE)
    if not finished.ok:
        raise OperationFailedError(f"script '{script}' for '{device}' failed: {finished.error_text[-500:]}")


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except (LibvirtError, OSError) as error:
        log.warning("%s: %s", what, error)
