"""A network's bridge: made, given its addresses and routes, and removed. Blocks for the kernel: for a thread.

Source: https://libvirt.org/formatnetwork.html; libvirt 11.3 for the order and the texts.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.host import bridges, links, sysctl
from guesthouse.model.network.definition import Bridge, Network

log = logging.getLogger(__name__)

_ROUTES: Final = Path("/proc/net/route")
#: Fields of a line there: device, destination, mask; addresses as the host's words in network order.
_DEVICE, _DESTINATION, _MASK = 0, 1, 7


def name_of(network: Network) -> tuple[str, Bridge]:
    """The bridge of a network that has one. Raises `InternalError` for a definition that names none."""
    bridge = network.bridge
    if bridge is None or bridge.name is None:
        raise InternalError(f"network '{network.name}' has no bridge name defined", domain=Origin.NETWORK)
    return bridge.name, bridge


def examine(network: Network) -> None:
    """Raise `LibvirtError` where the host has the network, its bridge or other people's routes in its way."""
    name, _ = name_of(network)
    for device, taken in routes():
        if any(str(ip.network) == taken for ip in network.ips):
            raise InternalError(f"Network is already in use by interface {device}", domain=Origin.NETWORK)
        for route in network.routes:
            if str(ipaddress.ip_network(f"{route.address}/{route.bits}", strict=False)) == taken:
                raise InternalError(
                    f"Route address '{route.address}' conflicts with IP address for '{device}'", domain=Origin.NETWORK
                )
    if links.exists(name):
        raise _refused(f"Unable to create bridge {name}", OSError(errno.EEXIST, "File exists"))
    if network.forward is not None and any(ip.ipv6 for ip in network.ips):
        losing = sysctl.losing_routes()
        if losing:
            raise InternalError(
                f"Check the host setup: interface {losing[0]} has kernel autoconfigured IPv6 routes and enabling "
                "forwarding without accept_ra set to 2 will cause the kernel to flush them, breaking networking.",
                domain=Origin.NETWORK,
                hint=f"sysctl net.ipv6.conf.{losing[0]}.accept_ra=2",
            )


def routes() -> list[tuple[str, str]]:
    """The IPv4 networks that the host has routes to, but for the default one, with their devices."""
    try:
        lines = _ROUTES.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        network, mask = (bytes.fromhex(fields[place])[::-1] for place in (_DESTINATION, _MASK))
        bits = int.from_bytes(mask, "big").bit_count()
        found.append((fields[_DEVICE], f"{ipaddress.IPv4Address(network)}/{bits}"))
    return found


def build(network: Network) -> None:
    """Make the bridge with all that belongs to it. Raises `LibvirtError` with what the kernel said."""
    name, bridge = name_of(network)
    step = f"Unable to create bridge {name}"
    try:
        bridges.create(name, mac=network.mac, mtu=network.mtu, stp=bridge.stp is not False, delay=bridge.delay or 0)
        step = f"cannot set up IPv6 on bridge '{name}'"
        sysctl.set_up_ipv6(name, on=any(ip.ipv6 for ip in network.ips))
        for ip in network.ips:
            step = f"Failed to add IP address {ip.address}/{ip.bits} to {name}"
            links.add_address(name, ip.address, ip.bits)
        if bridge.mac_table_manager == "libvirt":
            step = f"Unable to set bridge {name} vlan_filtering"
            bridges.filter_vlans(name)
        step = f"Unable to bring up bridge {name}"
        links.change(name, up=True)
    except OSError as error:
        raise _refused(step, error) from error
    _add_routes(network, name)
    _forward(network)


def _add_routes(network: Network, name: str) -> None:
    """A route that cannot be is logged: the network is of use without it."""
    for route in network.routes:
        try:
            links.add_route(name, route.address, route.bits, route.gateway, route.metric)
        except OSError as error:
            log.error("network '%s': cannot add route to %s: %s", network.name, route.address, error.strerror)


def _forward(network: Network) -> None:
    if network.forward is None:
        return
    try:
        sysctl.forward(ipv4=any(not ip.ipv6 for ip in network.ips), ipv6=any(ip.ipv6 for ip in network.ips))
    except OSError as error:
        raise _refused("failed to enable IP forwarding", error) from error


def _refused(what: str, error: OSError) -> LibvirtError:
    hint = "virtual networks with a bridge need root" if error.errno in (errno.EPERM, errno.EACCES) else ""
    return LibvirtError(f"{what}: {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.NETWORK, hint=hint)


def remove(network: Network) -> None:
    """Remove the bridge; one that has gone is removed. Raises OSError."""
    if network.bridge is not None and network.bridge.name is not None:
        links.delete(network.bridge.name)
