"""Places on networks, for the cards of guests: what the domain driver asks for.

A place is written down before it is given, so that the next daemon knows who is connected.
"""

from __future__ import annotations

import dataclasses
import logging
import uuid as _uuid
from collections.abc import Collection
from typing import TYPE_CHECKING

from guesthouse.drivers import network_service as seam
from guesthouse.drivers.network import leases, own_address, ports
from guesthouse.errors import InternalError, Origin
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import BridgePlug, DirectPlug, NetworkPort, PciPlug
from guesthouse.model.owner import Owner

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

log = logging.getLogger(__name__)


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
        port = new(
            NetworkPort,
            uuid=str(_uuid.uuid4()),
            owner=new(Owner, name=request.guest_name, uuid=request.guest_uuid),
            group=request.portgroup,
            mac=request.mac,
            bandwidth=ports.own_bandwidth(request.bandwidth),
            virtual_port=clone(request.virtual_port) if request.virtual_port is not None else None,
            vlan=request.vlan,
            isolated=request.isolated,
            trust_guest_rx_filters=request.trust_guest_rx_filters,
        )
        async with driver.changes:
            network = driver.registry.named(request.network)
            await ports.give(driver, network, port)
            return _given(port, network.running())

    async def release(self, network: str, port: str) -> None:
        """Give a place back; one that is unknown was given back already. Raises `NetworkFileError`."""
        driver = self._driver
        async with driver.changes:
            known = driver.registry.get(network)
            if known is not None and port in known.ports:
                await ports.take_back(driver, known, port)

    async def keep_only(self, kept: Collection[str]) -> None:
        """Give back all places but those with these ids. Raises `NetworkFileError`."""
        async with self._driver.changes:
            for network in self._driver.registry:
                for port in [one for one in network.ports if one not in kept and one not in network.by_hand]:
                    log.warning("port %s of network '%s' belongs to no guest that runs", port, network.name)
                    await ports.take_back(self._driver, network, port)

    async def address(self, network: str) -> str:
        """The host's own address in a network. Raises `NoNetworkError`, and `InternalError` where it has none."""
        known = self._driver.registry.named(network)
        return await self._driver.in_thread(own_address.find, known.current)

    def holds(self, network: str, port: str | None) -> bool:
        """Whether a place with this id is given on a network."""
        known = self._driver.registry.get(network)
        return known is not None and port in known.ports

    async def limit(self, network: str, port: str, bandwidth: Bandwidth | None) -> None:
        """Change the limits of a place. Raises as `ports.limit`, and error 107 for one that is unknown."""
        driver = self._driver
        async with driver.changes:
            known = driver.registry.named(network)
            await ports.limit(driver, known, ports.find(known, port), bandwidth)

    async def leases(self, network: str, mac: str) -> list[seam.Lease]:
        """The addresses that the network's server has lent to a card. Raises `NoNetworkError`."""
        known = self._driver.registry.named(network)
        found = await leases.of(self._driver, known, mac)
        return [seam.Lease(one.address, one.prefix, one.name) for one in found]


def _given(port: NetworkPort, live: Network) -> seam.NetworkPort:
    plug, limits = port.plug, port.bandwidth
    if isinstance(plug, BridgePlug):
        learning = plug.mac_table_manager != "libvirt"
        given = seam.NetworkPort(port.uuid, "bridge", bridge=plug.bridge, learning=learning)
    elif isinstance(plug, DirectPlug):
        given = seam.NetworkPort(port.uuid, "direct", device=plug.dev, mode=plug.mode)
    elif isinstance(plug, PciPlug):
        given = seam.NetworkPort(
            port.uuid, "hostdev", address=plug.address, managed=bool(plug.managed), driver=plug.driver
        )
    else:
        raise InternalError(f"port {port.uuid} is plugged in nowhere", domain=Origin.NETWORK)
    return dataclasses.replace(
        given,
        mtu=live.mtu,
        vlan=port.vlan,
        virtual_port=port.virtual_port,
        bandwidth=new(Bandwidth, inbound=limits.inbound, outbound=limits.outbound) if limits is not None else None,
        isolated=bool(port.isolated),
    )
