"""Making the devices of the host that network cards need: taps, macvtaps, their place on a bridge, and opening them.

What waits for the kernel's lock is for a thread; only `open_as_user`, which runs a helper, is for the event loop.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.interfaces.wiring import Connected, Wiring, tap_mac
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host import bridge_helper, bridges, links, tap
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.interface.netdev import wants_vhost

if TYPE_CHECKING:
    from guesthouse.drivers.domain.run import Run

_BUSY: Final = (errno.EBUSY, errno.EEXIST, errno.EINVAL)
_TRIES: Final = 64
#: How often, and how long apart, a macvtap is tried whose lower device a former guest has not let go of yet.
_PATIENCE: Final = (20, 0.05)
_numbers: Final[dict[str, Iterator[int]]] = {}


async def open_as_user(interface: Interface, end: Connected, wiring: Wiring) -> None:
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


def open_device(run: Run, interface: Interface, end: Connected, mark: str, wiring: Wiring) -> None:
    """Make the device of a card, set it up, and open it for QEMU. Raises error 38 with what the kernel said."""
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
        if not end.learning:
            bridges.teach(name, interface.mac_text)
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
