"""The host's side of a guest's network cards: made before QEMU gets the card, gone when the guest is.

`plug` and `unplug` are for one card, whether the guest starts or the card is plugged in later. The rules:

1. `plug` does all or nothing. What it chose (the device's name, the network's port) stands in the interface, which is
   that of the running guest's own definition.
2. A tap needs nobody who removes it: it is gone with QEMU's descriptor. What outlives QEMU is unplugged: macvtaps,
   ports of switches and of networks, and what a script did.
3. A macvtap carries in its alias whose it is, and what has to be put back when it goes. So the next daemon finds those
   that are nobody's (`sweep`), also of a start that was cut off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import logging
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import network_assigning, network_switches
from guesthouse.drivers.domain.network_wiring import Connected, Wiring, connected, tap_mac
from guesthouse.drivers.network_service import NetworkPort, PortRequest
from guesthouse.errors import Code, LibvirtError, OperationFailedError, Origin, UnsupportedConfigError
from guesthouse.host import bridge_helper, links, tap, tc
from guesthouse.host.child import run as run_child
from guesthouse.model.domain.devices.interface import Interface, checks
from guesthouse.model.domain.devices.interface.netdev import wants_vhost

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.launch import LaunchContext

log = logging.getLogger(__name__)

_SCRIPT_DEADLINE: Final = 30.0
_BUSY: Final = (errno.EBUSY, errno.EEXIST, errno.EINVAL)
_TRIES: Final = 64
#: How often, and how long apart, a macvtap is tried whose lower device a former guest has not let go of yet.
_PATIENCE: Final = (20, 0.05)
_numbers: Final[dict[str, Iterator[int]]] = {}


async def plug(driver: Guests, run: Run, interface: Interface) -> Wiring:
    """Make what a card needs of the host, and open it for QEMU. The descriptors are the caller's to close.

    Raises `UnsupportedConfigError`, error 43 for an unknown network, error 38 with what the kernel said, and
    `OperationFailedError` for a script.
    """
    if interface.is_assigned:
        await network_assigning.take(driver, run, interface)
        run.plugged.add(interface.name)
    if not interface.uses_tap:
        return Wiring()
    if interface.filter is not None:
        raise UnsupportedConfigError(
            f"network filter '{interface.filter.filter}' cannot be applied: there is no network filter driver yet",
            hint="leave <filterref> out",
        )
    port = await _acquire(driver, run, interface)
    wiring = Wiring()
    try:
        end = connected(interface, port)
        checks.check_network(interface, end.kind)
        network_switches.check(end)
        _check_vlan(interface, end)
        _check_session(end)
        if os.geteuid() != 0 and end.kind == "bridge":
            await _open_as_user(interface, end, wiring)
        else:
            await driver.in_thread(_open, run, interface, end, _mark(driver, run), wiring)
        await _furnish(run, interface, end)
    except BaseException:
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
        await network_assigning.give_back(driver, interface)
    await _dismantle(driver, run, interface, made=True)


async def _dismantle(driver: Guests, run: Run, interface: Interface, *, made: bool) -> None:
    """Remove what was made; also where only a part of it was. `made` says that the device is ours."""
    device = interface.host_device
    source = interface.source
    port = source.portid if source is not None else None
    if interface.uses_tap and device is not None:
        end = connected(interface)
        with _logged(f"domain '{run.live.name}': {device}"):
            if end.switch and made:
                await network_switches.detach(end, device)
            await driver.in_thread(remove_macvtap, device, _mark(driver, run))
        if not _stays(interface):
            interface.target = None
    if port is not None and source is not None and source.network is not None:
        with _logged(f"domain '{run.live.name}': port {port} of network '{source.network}'"):
            await driver.networks.release(source.network, port)
        source.portid = source.actual_bridge = None


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
        for interface in run.live.devices.interfaces
    )


async def sweep(driver: Guests) -> None:
    """Remove the macvtaps of ours that belong to no running guest: their guests ended while no daemon ran."""
    kept = [
        interface.host_device
        for guest in driver.registry
        if guest.run is not None
        for interface in guest.run.live.devices.interfaces
        if interface.host_device is not None
    ]
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


async def _acquire(driver: Guests, run: Run, interface: Interface) -> NetworkPort | None:
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
        )
    )
    source.portid, source.actual_bridge = port.id, port.bridge
    interface.vlan = interface.vlan or port.vlan
    interface.virtual_port = interface.virtual_port or port.virtual_port
    return port


def _check_vlan(interface: Interface, end: Connected) -> None:
    if end.kind == "direct" and end.vlan is not None:
        raise UnsupportedConfigError(
            f"interface {interface.mac_text} - vlan tag not supported for this connection type",
            hint="give the guest the virtual function itself: <interface type='hostdev'>",
        )


def _check_session(end: Connected) -> None:
    if end.bandwidth is not None and os.geteuid() != 0:
        raise LibvirtError("Network bandwidth tuning is not available in session mode", code=Code.OPERATION_UNSUPPORTED)


async def _open_as_user(interface: Interface, end: Connected, wiring: Wiring) -> None:
    """A user's tap is made by QEMU's helper, which does nothing else with it. Its name is the helper's choice."""
    refused = {
        "multiqueue": interface.queues > 1,
        "<vlan>": end.vlan is not None,
        "<port isolated='yes'/>": end.isolated,
        "<mtu>": end.mtu is not None,
        "<coalesce>": interface.coalesce is not None,
        "<virtualport>": bool(end.switch),
        "<target dev>": interface.host_device is not None,
    }
    for what, wanted in refused.items():
        if wanted:
            raise UnsupportedConfigError(f"{what} is not available for bridges in session mode")
    name, descriptor = await bridge_helper.open_tap(end.other, header=interface.is_virtio)
    wiring.taps = [descriptor]
    interface.host_device = name


def _open(run: Run, interface: Interface, end: Connected, mark: str, wiring: Wiring) -> None:
    """What waits for the kernel: make the device, set it up, and open it."""
    try:
        if end.kind == "direct":
            _open_macvtap(run, interface, end, mark, wiring)
        else:
            _open_tap(interface, end, wiring)
    except OSError as error:
        raise _refused(interface, end, error) from error
    _open_vhost(run, interface, wiring)


def _refused(interface: Interface, end: Connected, error: OSError) -> LibvirtError:
    name = interface.host_device or end.kind
    hint = "taps and macvtaps need root" if error.errno in (errno.EPERM, errno.EACCES) else ""
    return LibvirtError(
        f"Cannot connect interface '{name}' ({interface.mac_text}): {error.strerror}",
        code=Code.SYSTEM_ERROR,
        domain=Origin.NONE,
        hint=hint,
    )


def _open_tap(interface: Interface, end: Connected, wiring: Wiring) -> None:
    if interface.target is not None and interface.target.managed is False:
        _open_unmanaged(interface, wiring)
        return
    if end.kind == "bridge" and not links.exists(end.other):
        raise OSError(errno.ENODEV, f"Cannot get interface MTU on '{end.other}': No such device")
    path = (interface.backend.tap if interface.backend is not None else None) or tap.TUN
    for name in _names(interface, "vnet"):
        try:
            wiring.taps = tap.open_tap(
                name,
                queues=interface.queues,
                header=interface.is_virtio,
                new=interface.host_device is None or end.kind == "bridge",
                path=path,
            )
            interface.host_device = name
            break
        except OSError as error:
            if error.errno not in _BUSY or interface.host_device is not None:
                raise
    _set_up_tap(interface, end)


def _set_up_tap(interface: Interface, end: Connected) -> None:
    name = interface.host_device or ""
    on_bridge = end.kind == "bridge"
    # Before it is a port: a bridge takes the smallest of its ports for its own size.
    size = end.mtu or (links.mtu(end.other) if on_bridge and not end.switch else None)
    links.change(name, mac=tap_mac(interface.mac_text), mtu=size)
    if on_bridge and not end.switch:
        set_up_port(name, end)
    if interface.coalesce is not None and interface.coalesce.frames:
        links.coalesce(name, interface.coalesce.frames)
    links.change(name, up=True)
    if interface.type == "ethernet" and interface.source is not None:
        for ip in interface.source.ips:
            links.add_address(name, ip.address, ip.bits, ip.peer)
        for route in interface.source.routes:
            links.add_route(name, route.address, route.bits, route.gateway, route.metric)


def set_up_port(name: str, end: Connected) -> None:
    """Make a tap a port of the kernel's bridge that `end` names, with its VLANs. Raises OSError."""
    links.change(name, master="")
    links.change(name, master=end.other)
    if end.tags is not None:
        _set_vlans(name, end)
    if end.isolated:
        links.isolate(name, isolated=True)


def _set_vlans(name: str, end: Connected) -> None:
    tags = end.tags
    if tags is None:
        return
    try:
        links.set_vlans(name, tags)
    except OSError as error:
        reason = f"cannot set VLANs on bridge '{end.other}': {error.strerror}"
        raise OSError(error.errno, f"{reason} (it needs vlan_filtering)") from error


def _open_unmanaged(interface: Interface, wiring: Wiring) -> None:
    name = interface.host_device
    if name is None:
        raise UnsupportedConfigError("target dev must be supplied when managed='no'")
    if not links.exists(name):
        raise UnsupportedConfigError("target managed='no' but specified dev doesn't exist")
    opener = tap.open_macvtap if links.kind(name) == "macvtap" else _open_existing_tap
    wiring.taps = opener(name, queues=interface.queues, header=interface.is_virtio)


def _open_existing_tap(name: str, *, queues: int, header: bool) -> list[int]:
    return tap.open_tap(name, queues=queues, header=header, new=False)


def _open_macvtap(run: Run, interface: Interface, end: Connected, mark: str, wiring: Wiring) -> None:
    former = links.mac(end.other) if end.mode == "passthrough" else ""
    note = f"{mark}{end.other}:{former.replace(':', '')}"
    for name in _names(interface, "macvtap"):
        try:
            _create_macvtap(name, end, interface.mac_text, note)
            interface.host_device = name
            break
        except OSError as error:
            if error.errno != errno.EEXIST or interface.host_device is not None:
                raise
    name = interface.host_device or ""
    if former:
        # The device below takes the guest's address; `remove_macvtap` puts back its own.
        links.change(end.other, mac=interface.mac_text)
    links.change(name, up=True)
    wiring.taps = tap.open_macvtap(name, queues=interface.queues, header=interface.is_virtio)


def _create_macvtap(name: str, end: Connected, mac: str, note: str) -> None:
    """A guest that has just ended may hold the device below for a moment longer."""
    tries, pause = _PATIENCE
    for _ in range(tries):
        try:
            links.create_macvtap(name, end.other, end.mode, mac, note)
            return
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EADDRINUSE):
                raise
            time.sleep(pause)
    links.create_macvtap(name, end.other, end.mode, mac, note)


def remove_macvtap(name: str, mark: str) -> None:
    """Remove a macvtap of ours, and give the device below it its own address again. Others are left alone."""
    note = links.alias_of(name) if links.exists(name) else ""
    if not note.startswith(mark):
        return
    links.delete(name)
    _instance, _uuid, rest = note.removeprefix("guesthouse:").split(":", 2)
    lower, _, former = rest.rpartition(":")
    if former:
        with contextlib.suppress(OSError):
            links.change(lower, mac=":".join(former[place : place + 2] for place in range(0, 12, 2)))


def _open_vhost(run: Run, interface: Interface, wiring: Wiring) -> None:
    """Let the kernel move the packets of a KVM guest; where it cannot, QEMU does, unless the kernel was asked for."""
    wanted = interface.driver is not None and interface.driver.name == "vhost"
    if run.live.type != "kvm" or not wants_vhost(interface):
        return
    path = (interface.backend.vhost if interface.backend is not None else None) or tap.VHOST_NET
    try:
        wiring.vhosts = tap.open_vhost(interface.queues, path)
    except OSError as error:
        if wanted:
            raise UnsupportedConfigError(
                "vhost-net was requested for an interface, but is unavailable", hint=f"{path}: {error.strerror}"
            ) from error


def _names(interface: Interface, prefix: str) -> Iterator[str]:
    """The name that was asked for, or names that nobody has."""
    if interface.host_device is not None:
        yield interface.host_device
        return
    numbers = _numbers.setdefault(prefix, itertools.count())
    yield from itertools.islice(links.names_of(prefix, numbers), _TRIES)
    raise OSError(errno.EBUSY, f"no name '{prefix}N' was free")


async def _furnish(run: Run, interface: Interface, end: Connected) -> None:
    """What other programs do: the switch, the script, the limits of the rate."""
    device = interface.host_device or ""
    if end.switch:
        await network_switches.attach(end, device, interface.mac_text, run.live)
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
