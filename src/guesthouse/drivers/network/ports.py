"""Places on a network: chosen, given, changed and taken back. Who calls holds `driver.changes`.

A place is a port document: who wants it says which group it is in and what it brings itself, and `give` adds what the
network and the group say and where it is plugged in. It is written down before anybody has it.

Source: https://libvirt.org/formatnetworkport.html; texts and their order are libvirt's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.network import limits, pools
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import Code, InternalError, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import merged
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import BridgePlug, DirectPlug, NetworkPort, PciPlug, Plug, PortBandwidth

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

#: By how a place is plugged in: the kinds of switches that can be there, and what the text calls what is used.
_SWITCHES: Final = {
    "network": ((), "IP forwarding"),
    "bridge": (("openvswitch",), "a bridge device"),
    "direct": (("802.1Qbg", "802.1Qbh"), "a macvtap device"),
    "hostdev-pci": (("802.1Qbg", "802.1Qbh"), "an SR-IOV Virtual Function via PCI passthrough"),
}


async def give(driver: NetworkDriver, network: VirtualNetwork, port: NetworkPort, *, by_hand: bool = False) -> None:
    """Complete a port, and give it. `by_hand` says that no guest's end takes it back.

    Raises `OperationInvalidError` for a network that is not active, `UnsupportedConfigError` and
    `OperationUnsupportedError` for what it cannot give, `InternalError` where all devices are taken, `ChildError`, and
    `NetworkFileError`.
    """
    live = network.running()
    if port.uuid in network.ports:
        text = f"Network port with UUID {port.uuid} already exists"
        raise LibvirtError(text, code=Code.NETWORK_PORT_EXIST, domain=Origin.NETWORK)
    _complete(live, network.ports.values(), port)
    limits.check(network, port.bandwidth, port.uuid, port.mac)
    await limits.plug(network, port)
    try:
        await _keep(driver, network, port, by_hand=by_hand)
    except BaseException:  # also where nobody waits any more: the place is free again
        await limits.unplug(network, port)
        raise


async def reclaim(driver: NetworkDriver, network: VirtualNetwork, port: NetworkPort) -> None:
    """Know a port again that was given before. Raises as `give`."""
    live, plug = network.running(), port.plug
    if isinstance(plug, BridgePlug):
        if live.bridge is None:
            text = "Unexpectedly got a network port without a network bridge"
            raise InternalError(text, domain=Origin.NETWORK)
    elif isinstance(plug, DirectPlug):
        devices = [one.dev for one in live.forward.interfaces] if live.forward is not None else []
        if plug.dev not in devices:
            text = f"network '{live.name}' doesn't have dev='{plug.dev}' in use by network port '{port.uuid}'"
            raise InternalError(text, domain=Origin.NETWORK)
    elif isinstance(plug, PciPlug) and pools.place(plug.address) not in pools.places(live):
        text = f"network '{live.name}' doesn't have PCI device {plug.address} in use by network port"
        raise InternalError(text, domain=Origin.NETWORK)
    await _keep(driver, network, port, by_hand=True)


async def _keep(driver: NetworkDriver, network: VirtualNetwork, port: NetworkPort, *, by_hand: bool) -> None:
    live = network.running()
    await driver.in_thread(driver.store.write_port, live.name, port, by_hand=by_hand)
    network.ports[port.uuid] = port
    if by_hand:
        network.by_hand.add(port.uuid)
    await _changed(driver, network)


async def take_back(driver: NetworkDriver, network: VirtualNetwork, uuid: str) -> None:
    """Give a place back. Raises error 107 for one that is unknown, and `NetworkFileError`."""
    port = find(network, uuid)
    await driver.in_thread(driver.store.remove_port, network.name, uuid)
    if network.active:
        await limits.unplug(network, port)
    del network.ports[uuid]
    network.by_hand.discard(uuid)
    if network.active:
        await _changed(driver, network)


async def _changed(driver: NetworkDriver, network: VirtualNetwork) -> None:
    live, given = network.running(), list(network.ports.values())
    pools.count(live, given)
    if live.bridged and live.ips and live.bridge is not None and live.bridge.name is not None:
        await driver.in_thread(driver.dnsmasq.write_macs, live.bridge.name, given)


def find(network: VirtualNetwork, uuid: str) -> NetworkPort:
    """The place with this id. Raises error 107."""
    port = network.ports.get(uuid)
    if port is None:
        text = f"Network port with UUID {uuid} does not exist"
        raise LibvirtError(text, code=Code.NO_NETWORK_PORT, domain=Origin.NETWORK)
    return port


async def limit(driver: NetworkDriver, network: VirtualNetwork, port: NetworkPort, wanted: Bandwidth | None) -> None:
    """Change the limits of a place; the guest's own device is the domain driver's matter. Raises as `give`."""
    limits.check(network, wanted, port.uuid, port.mac)
    former, port.bandwidth = port.bandwidth, own_bandwidth(wanted)
    if limits.floor_of(former) != limits.floor_of(port.bandwidth):
        held = clone(port)
        held.bandwidth = former
        await limits.unplug(network, held)
        try:
            await limits.plug(network, port)
        except BaseException:  # also where nobody waits any more: the place has the limits that it had
            port.bandwidth = former
            await limits.plug(network, port)
            raise
    elif former is not None and port.bandwidth is not None:
        port.bandwidth.class_id = former.class_id
    await driver.in_thread(driver.store.write_port, network.name, port, by_hand=port.uuid in network.by_hand)


def own_bandwidth(bandwidth: Bandwidth | None) -> PortBandwidth | None:
    """Limits as a port has them."""
    if bandwidth is None:
        return None
    copy = clone(bandwidth)
    return new(PortBandwidth, inbound=copy.inbound, outbound=copy.outbound)


def _complete(live: Network, given: Iterable[NetworkPort], port: NetworkPort) -> None:
    """Add what the network and the port's group say, and where it is plugged in."""
    group = live.port_group(port.group)
    if port.bandwidth is None and group is not None:
        port.bandwidth = own_bandwidth(group.bandwidth)
    if port.vlan is None:
        found = (group.vlan if group is not None else None) or live.vlan
        port.vlan = clone(found) if found is not None else None
    if not port.trust_guest_rx_filters:
        trusted = group.trust_guest_rx_filters if group is not None else None
        port.trust_guest_rx_filters = trusted or live.trust_guest_rx_filters or port.trust_guest_rx_filters
    if port.isolated is None:
        port.isolated = live.isolated
    port.virtual_port = merged(port.virtual_port, live.virtual_port, group.virtual_port if group is not None else None)
    port.plug = _plug(live, given)
    known, used = _SWITCHES[port.plug.type]
    if port.virtual_port is not None:
        if port.virtual_port.type not in known:
            verb = f"<virtualport type='{port.virtual_port.type}'> not supported for network '{live.name}' which uses"
            raise UnsupportedConfigError(f"{verb} {used}", domain=Origin.NETWORK)
        port.virtual_port.generate()
        port.virtual_port.check()


def _plug(live: Network, given: Iterable[NetworkPort]) -> Plug:
    if live.bridge is not None and live.bridge.name is not None:
        kind = "network" if live.bridged else "bridge"
        manager = live.bridge.mac_table_manager
        return new(BridgePlug, type=kind, bridge=live.bridge.name, mac_table_manager=manager)
    if live.mode == "hostdev":
        forward = live.forward
        managed = bool(forward.managed) if forward is not None else None
        driver = clone(forward.driver) if forward is not None and forward.driver is not None else None
        return new(PciPlug, managed=managed, driver=driver, address=pools.function(live, given))
    return new(DirectPlug, dev=pools.device(live), mode=live.mode)


def check_plug(port: NetworkPort, *, reclaimed: bool) -> None:
    """Raise `InvalidArgumentError` for a plug of a port that is not reclaimed, or none of one that is."""
    if reclaimed and port.plug is None:
        raise InvalidArgumentError("Port reclaim requested but plug type is none", domain=Origin.NETWORK)
    if not reclaimed and port.plug is not None:
        text = "Port reclaim not requested but plug type is not none"
        raise InvalidArgumentError(text, domain=Origin.NETWORK)
