"""Links made real by the kernel alone, where no program of the host's does it. Blocks: call it in a thread.

A start that fails half way takes back what it did. Source: the commands of section 6.1.1 of the guide.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

from guesthouse.drivers.interface.formats.bonding import CARRIERS, MODES, VALIDATIONS, primary
from guesthouse.drivers.interface.kernel import Device, look
from guesthouse.drivers.interface.link import FAMILIES, IPV6, Family, Link, Links, ports, tree
from guesthouse.errors import Code, LibvirtError, OperationFailedError, Origin, UnsupportedConfigError
from guesthouse.host import bridges, links, net_devices, sysctl

#: The kernel's delay of a bridge that says nothing, in seconds.
_DELAY: Final = 15
_WHOLE: Final = {False: "0.0.0.0", True: "::"}  # noqa: S104 - a route to everywhere, not an address to listen at


class LinkError(LibvirtError):
    """The kernel refused something about a device."""

    code = Code.SYSTEM_ERROR
    domain = Origin.INTERFACE


def check(known: Links, name: str) -> None:
    """Raise `UnsupportedConfigError` for what the kernel cannot do by itself."""
    for link in tree(known, name):
        if any(link.family(family).dhcp for family in FAMILIES):
            raise UnsupportedConfigError(
                f"interface '{link.name}' gets its address by DHCP, and nothing here asks for one",
                domain=Origin.INTERFACE,
                hint="NetworkManager, systemd-networkd or ifupdown can, where one of them configures the host",
            )


class _Starting:
    """One start: what is there, and what takes back what was done."""

    def __init__(self, known: Links) -> None:
        self._known = known
        self._there = look()
        self._undo: list[Callable[[], object]] = []

    def run(self, name: str) -> None:
        try:
            self._start(self._known[name])
        except Exception:
            for step in reversed(self._undo):
                with contextlib.suppress(OSError):
                    step()
            raise

    def _start(self, link: Link) -> None:
        self._exist(link)
        before = self._there.get(link.name)
        if link.mtu is not None:
            if before is not None and before.link.mtu is not None:
                former = before.link.mtu
                self._undo.append(lambda: links.change(link.name, mtu=former))
            links.change(link.name, mtu=link.mtu)
        inside = ports(self._known, link.name)
        for port in inside:
            self._join(port, link)
        first = primary(self._known, link.name) if link.kind == "bond" and inside else None
        if first is not None:
            net_devices.set_bond(link.name, {"primary": links.index(first)})
        if IPV6 in link.families:
            sysctl.listen_to_routers(link.name, on=link.family(IPV6).autoconf)
        if before is None or not before.active:
            self._undo.append(lambda: links.change(link.name, up=False))
        links.change(link.name, up=True)
        had = {own for family in FAMILIES for own in before.link.family(family).addresses} if before else set()
        for family in FAMILIES:
            self._address(link.name, link.family(family), had)

    def _exist(self, link: Link) -> None:
        """Make a device that exists only by its configuration, unless it is there."""
        there = self._there.get(link.name)
        if there is not None:
            if there.link.kind != link.kind:
                raise OperationFailedError(
                    f"network device '{link.name}' is there already, and is of type '{there.link.kind}'",
                    domain=Origin.INTERFACE,
                )
            return
        if not link.is_virtual:
            raise OperationFailedError(f"there is no network device '{link.name}'", domain=Origin.INTERFACE)
        if link.kind == "bridge":
            delay = _DELAY if link.delay is None else round(link.delay)
            bridges.create(link.name, mac=None, mtu=None, stp=bool(link.stp), delay=delay)
        elif link.kind == "vlan":
            self._lower(link)
            net_devices.create_vlan(link.name, link.device or "", link.tag or 0)
        else:
            net_devices.create_bond(link.name, _bond(link), link.monitor.target if link.monitor else None)
        self._undo.append(lambda: links.delete(link.name))

    def _lower(self, link: Link) -> None:
        """A VLAN is on a device that is there and up."""
        lower = self._there.get(link.device or "")
        if lower is None:
            raise OperationFailedError(
                f"VLAN '{link.name}' is on '{link.device}', which is not there",
                domain=Origin.INTERFACE,
                hint=f"start '{link.device}' first",
            )
        if not lower.active:
            self._undo.append(lambda: links.change(lower.link.name, up=False))
            links.change(lower.link.name, up=True)

    def _join(self, port: Link, master: Link) -> None:
        """Put a device into a bridge or a bond; its addresses are the master's business from now on."""
        if port.is_virtual:
            self._start(port)
        there = self._there.get(port.name)
        if there is None and not port.is_virtual:
            raise OperationFailedError(f"there is no network device '{port.name}'", domain=Origin.INTERFACE)
        if there is not None:
            if there.link.master not in (None, master.name):
                raise OperationFailedError(
                    f"network device '{port.name}' is in '{there.link.master}' already",
                    domain=Origin.INTERFACE,
                    hint=f"only a device that is not in use can join '{master.name}'",
                )
            self._strip(there)
            former, active = there.link.master or "", there.active
            self._undo.append(lambda: links.change(port.name, up=active))
            self._undo.append(lambda: links.change(port.name, master=former))
        if there is None or there.link.master is None:
            if master.kind == "bond":
                links.change(port.name, up=False)
            links.change(port.name, master=master.name)
        links.change(port.name, up=True)

    def _strip(self, device: Device) -> None:
        for name in FAMILIES:
            family = device.link.family(name)
            if family:
                self._undo.append(partial(self._address, device.link.name, family, set()))
            for address, prefix in family.addresses:
                net_devices.remove_address(device.link.name, address, prefix)

    def _address(self, name: str, family: Family, had: set[tuple[str, int]]) -> None:
        for address, prefix in family.addresses:
            if (address, prefix) not in had:
                links.add_address(name, address, prefix)
        if family.gateway is not None:
            with contextlib.suppress(FileExistsError):
                links.add_route(name, _WHOLE[":" in family.gateway], 0, family.gateway)


def start(known: Links, name: str) -> None:
    """Bring an interface up with all that is in it. Raises `OperationFailedError`, `LinkError`."""
    try:
        _Starting(known).run(name)
    except OSError as error:
        raise LinkError(f"failed to create (start) interface {name}: {error.strerror}") from error


def stop(known: Links, name: str) -> None:
    """Bring an interface down; what exists only by its configuration goes. Raises `LinkError`."""
    try:
        there = look()
        for link in tree(known, name):
            device = there.get(link.name)
            if device is None:
                continue
            for family in FAMILIES:
                for address, prefix in device.link.family(family).addresses:
                    with contextlib.suppress(OSError):  # an address that went by itself
                        net_devices.remove_address(link.name, address, prefix)
            if link.is_virtual and device.link.kind == link.kind:
                continue
            if device.link.master is not None and device.link.master == link.master:
                links.change(link.name, master="")
            links.change(link.name, up=False)
        for link in tree(known, name):
            if link.is_virtual and link.name in there and there[link.name].link.kind == link.kind:
                links.delete(link.name)
    except OSError as error:
        raise LinkError(f"failed to destroy (stop) interface {name}: {error.strerror}") from error


def strip(name: str) -> None:
    """Take its addresses from a device that becomes part of another. Raises `LinkError`."""
    try:
        device = look().get(name)
        families = device.link.families.values() if device is not None else ()
        for family in families:
            for address, prefix in family.addresses:
                net_devices.remove_address(name, address, prefix)
    except OSError as error:
        raise LinkError(f"cannot take the addresses of '{name}': {error.strerror}") from error


def switch(name: str, *, up: bool) -> None:
    """Bring a device up or down that nobody configured, and leave it alone otherwise. Raises `LinkError`."""
    try:
        links.change(name, up=up)
    except OSError as error:
        what = "create (start)" if up else "destroy (stop)"
        raise LinkError(f"failed to {what} interface {name}: {error.strerror}") from error


def _bond(link: Link) -> dict[str, int]:
    found = {} if link.mode is None else {"mode": MODES.index(link.mode)}
    monitor = link.monitor
    if monitor is None:
        return found
    if monitor.kind == "arp":
        found["arp_interval"] = monitor.interval
        return found | ({} if monitor.validate is None else {"arp_validate": VALIDATIONS.index(monitor.validate)})
    found |= {"miimon": monitor.interval, "updelay": monitor.up_delay, "downdelay": monitor.down_delay}
    return found | ({} if monitor.carrier is None else {"use_carrier": CARRIERS.index(monitor.carrier)})
