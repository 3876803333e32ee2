"""Places on networks, for the cards of guests: what the domain driver asks for.

A place is written down before it is given, so that the next daemon knows who is connected.
"""

from __future__ import annotations

import logging
import uuid as _uuid
from collections.abc import Collection
from typing import TYPE_CHECKING

from guesthouse.drivers import network_service as seam
from guesthouse.drivers.network import own_address, pools
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import OperationUnsupportedError, Origin, UnsupportedConfigError
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import BridgePlug, DirectPlug, NetworkPort, Plug
from guesthouse.model.owner import Owner

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

log = logging.getLogger(__name__)

#: The kinds of switches that a bridge can be, and a macvtap can talk to; and what the text calls what they are used by.
_SWITCHES = {"bridge": (("openvswitch",), "a bridge device"), "direct": (("802.1Qbg", "802.1Qbh"), "a macvtap device")}


class Service:
    """`NetworkService` on the networks of one driver."""

    def __init__(self, driver: NetworkDriver) -> None:
        self._driver = driver

    async def acquire(self, request: seam.PortRequest) -> seam.NetworkPort:
        """A place.

        Raises `NoNetworkError`, `OperationInvalidError` for a network that is not active, `UnsupportedConfigError` and
        `OperationUnsupportedError` for what the network cannot give, `InternalError` where all devices are taken.
        """
        driver = self._driver
        async with driver.changes:
            network = driver.registry.named(request.network)
            live = network.running()
            given = _choose(live, request)
            kept = _to_keep(live, given, request)
            await driver.in_thread(driver.store.write_port, live.name, kept)
            network.ports[given.id] = kept
            pools.count(live, network.ports.values())
        return given

    async def release(self, network: str, port: str) -> None:
        """Give a place back; one that is unknown was given back already. Raises `NetworkFileError`."""
        driver = self._driver
        async with driver.changes:
            known = driver.registry.get(network)
            if known is not None and port in known.ports:
                await self._give_back(known, port)

    async def keep_only(self, ports: Collection[str]) -> None:
        """Give back all places but those with these ids. Raises `NetworkFileError`."""
        async with self._driver.changes:
            for network in self._driver.registry:
                for port in [one for one in network.ports if one not in ports]:
                    log.warning("port %s of network '%s' belongs to no guest that runs", port, network.name)
                    await self._give_back(network, port)

    async def address(self, network: str) -> str:
        """The host's own address in a network. Raises `NoNetworkError`, and `InternalError` where it has none."""
        known = self._driver.registry.named(network)
        return await self._driver.in_thread(own_address.find, known.current)

    async def _give_back(self, network: VirtualNetwork, port: str) -> None:
        await self._driver.in_thread(self._driver.store.remove_port, network.name, port)
        del network.ports[port]
        pools.count(network.running(), network.ports.values())


def _choose(live: Network, request: seam.PortRequest) -> seam.NetworkPort:
    if live.mode == "hostdev":
        raise OperationUnsupportedError(
            f"network '{live.name}' hands out virtual functions of cards, which is not supported yet",
            domain=Origin.NETWORK,
            hint="name the function in the guest: <interface type='hostdev'>",
        )
    group = live.port_group(request.portgroup)
    limits = request.bandwidth or (group.bandwidth if group is not None else None)
    _check_floor(limits, request.mac)
    bridge = live.bridge.name if live.bridge is not None else None
    kind = "bridge" if bridge is not None else "direct"
    found = (group.virtual_port if group is not None else None) or live.virtual_port
    return seam.NetworkPort(
        str(_uuid.uuid4()),
        kind,
        bridge=bridge,
        device=None if bridge is not None else pools.device(live),
        mode=None if bridge is not None else live.mode,
        vlan=(group.vlan if group is not None else None) or live.vlan,
        virtual_port=_port_of_switch(live, kind, found),
        bandwidth=limits,
        isolated=bool(live.isolated),
    )


def _check_floor(limits: Bandwidth | None, mac: str) -> None:
    if limits is not None and limits.inbound is not None and limits.inbound.floor is not None:
        raise UnsupportedConfigError(
            f"Invalid use of 'floor' on interface with MAC address {mac} - 'floor' is only supported for interface "
            "type 'network' with forward type 'nat', 'route', 'open' or none",
            domain=Origin.NETWORK,
        )


def _port_of_switch(live: Network, kind: str, found: VirtualPort | None) -> VirtualPort | None:
    if found is None:
        return None
    known, what = _SWITCHES[kind]
    if found.type not in known:
        raise UnsupportedConfigError(
            f"<virtualport type='{found.type}'> not supported for network '{live.name}' which uses {what}",
            domain=Origin.NETWORK,
        )
    port = clone(found)
    port.generate()
    return port


def _to_keep(live: Network, given: seam.NetworkPort, request: seam.PortRequest) -> NetworkPort:
    plug: Plug = (
        new(BridgePlug, bridge=given.bridge)
        if given.bridge is not None
        else new(DirectPlug, dev=given.device, mode=given.mode)
    )
    return new(
        NetworkPort,
        uuid=given.id,
        owner=new(Owner, name=request.guest_name, uuid=request.guest_uuid),
        group=request.portgroup,
        mac=request.mac,
        virtual_port=given.virtual_port,
        vlan=given.vlan,
        isolated=live.isolated,
        plug=plug,
    )
