"""What a network hands out: the host's bridge, or one of its devices; and how many have what.

Source: https://libvirt.org/formatnetwork.html#connectivity.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from guesthouse.errors import InternalError, LibvirtError, Origin
from guesthouse.host.sysfs import HostTree
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.address import PciAddress
from guesthouse.model.domain.devices.hostdev_pci import HostPciAddress
from guesthouse.model.network.definition import Network
from guesthouse.model.network.forward import UNPRIVILEGED, Forward, ForwardInterface, Nat
from guesthouse.model.network_port import DirectPlug, NetworkPort, PciPlug

#: The mode in which a guest is alone on its device.
_EXCLUSIVE: Final = "passthrough"
#: A PCI address: domain, bus, slot, function.
Place = tuple[int, int, int, int]


def opened(definition: Network, tree: HostTree | None = None) -> Network:
    """The network as it is when it is active: with the devices that a card brings.

    Raises `InternalError` for a card without virtual functions.
    """
    live = clone(definition)
    if live.mode == "nat" and live.forward is not None:
        _choose_ports(live, live.forward)
    if live.forward is not None and live.forward.pf is not None and not live.forward.interfaces:
        _fill(live.forward, live.forward.pf.dev, tree or HostTree())
    return live


def _choose_ports(live: Network, forward: Forward) -> None:
    """Name the ports from which translated packets come, where the definition leaves them open, as libvirt does."""
    nat = forward.nat
    if nat is not None and (nat.first_port or nat.last_port):
        return
    if any(not ip.ipv6 for ip in live.ips) or (nat is not None and nat.ipv6):
        nat = forward.nat = nat or new(Nat)
        nat.first_port, nat.last_port = UNPRIVILEGED


def _fill(forward: Forward, card: str, tree: HostTree) -> None:
    device = tree.sys / "class/net" / card / "device"
    links = sorted(device.glob("virtfn[0-9]*"), key=lambda link: int(link.name.removeprefix("virtfn")))
    addresses = [os.path.basename(link.readlink()) for link in links]
    if forward.mode == "hostdev":
        forward.addresses = [_address(text) for text in addresses]
    else:
        folders = [tree.sys / "bus/pci/devices" / text / "net" for text in addresses]
        names = [sorted(os.listdir(folder))[0] for folder in folders if folder.is_dir() and os.listdir(folder)]
        forward.interfaces = [new(ForwardInterface, dev=name) for name in names]
    if not forward.addresses and not forward.interfaces:
        raise InternalError(
            f"No usable Vf's present on SRIOV PF {card}",
            domain=Origin.NETWORK,
            hint="there is none such card, or it has no virtual functions: write their number to its sriov_numvfs",
        )


def _address(text: str) -> PciAddress:
    domain, bus, rest = text.split(":")
    slot, function = rest.split(".")
    values = {"domain": domain, "bus": bus, "slot": slot, "function": function}
    return new(PciAddress, **{name: int(value, 16) for name, value in values.items()})


def device(live: Network) -> str:
    """The device that the next guest's macvtap is made on. Raises `InternalError` where none is free."""
    forward = live.forward
    if forward is None or not forward.interfaces:
        raise _failure(f"network '{live.name}' uses a direct mode, but has no forward dev and no interface pool")
    least = min(forward.interfaces, key=lambda one: one.connections or 0)
    if live.mode == _EXCLUSIVE and least.connections:
        raise _failure(f"network '{live.name}' requires exclusive access to interfaces, but none are available")
    return least.dev


def place(address: PciAddress | HostPciAddress) -> Place:
    """Domain, bus, slot and function of an address."""
    return address.domain or 0, address.bus or 0, address.slot or 0, address.function or 0


def places(live: Network) -> list[Place]:
    """The PCI functions that a network hands out."""
    return [place(one) for one in live.forward.addresses] if live.forward is not None else []


def function(live: Network, ports: Iterable[NetworkPort]) -> HostPciAddress:
    """The PCI function that the next guest gets. Raises `InternalError` where none is free."""
    taken = {place(port.plug.address) for port in ports if isinstance(port.plug, PciPlug)}
    free = next((one for one in places(live) if one not in taken), None)
    if free is None:
        raise _failure(f"network '{live.name}' requires exclusive access to interfaces, but none are available")
    return new(HostPciAddress, domain=free[0], bus=free[1], slot=free[2], function=free[3])


def count(live: Network, ports: Iterable[NetworkPort]) -> None:
    """Note in `live` how many places are given, and how many on which device."""
    given = list(ports)
    used = [port.plug.dev for port in given if isinstance(port.plug, DirectPlug)]
    live.connections = len(given) or None
    for one in live.forward.interfaces if live.forward is not None else []:
        one.connections = used.count(one.dev) or None


def _failure(text: str) -> LibvirtError:
    return InternalError(text, domain=Origin.NETWORK)
