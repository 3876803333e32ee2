"""What the domain driver asks of the network driver: a place for a guest's card on a virtual network.

The two may live in one daemon or in two; the domain driver knows this interface alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.devices.hostdev_pci import HostPciAddress
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.network.forward import ForwardDriver


@dataclass(frozen=True, slots=True)
class PortRequest:
    """Which network (and group of ports of it) wants which guest's card, by its MAC address; and what it brings."""

    network: str
    portgroup: str | None
    guest_name: str
    guest_uuid: str
    mac: str
    bandwidth: Bandwidth | None = None
    virtual_port: VirtualPort | None = None
    vlan: Vlan | None = None
    isolated: bool | None = None
    trust_guest_rx_filters: bool | None = None


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """A place on a network. `kind` is the type of interface that it comes to: `bridge`, `direct` or `hostdev`.

    `bridge` is the bridge's name, which learns addresses by itself or not (`learning`); or `device` with `mode` what a
    macvtap is made on; or `address` the PCI function, `managed` or not, with its `driver`. The rest is what the network
    and the interface say together; None where neither says anything.
    """

    id: str
    kind: str
    bridge: str | None = None
    device: str | None = None
    mode: str | None = None
    mtu: int | None = None
    vlan: Vlan | None = None
    virtual_port: VirtualPort | None = None
    bandwidth: Bandwidth | None = None
    isolated: bool = False
    learning: bool = True
    address: HostPciAddress | None = None
    managed: bool = False
    driver: ForwardDriver | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """An address that a network's server has lent to a card, with the name that the guest gave itself."""

    address: str
    prefix: int
    name: str | None = None


class NetworkService(Protocol):
    """Gives and takes places on networks."""

    async def acquire(self, request: PortRequest) -> NetworkPort:
        """A place. Raises error 43 (`NO_NETWORK`) for an unknown network, 55 for one that is not active."""

    async def release(self, network: str, port: str) -> None:
        """Give a place back by its id; one that is unknown was given back already."""

    async def keep_only(self, kept: Collection[str]) -> None:
        """Give back all places but those with these ids: their guests ended while no daemon ran."""

    def holds(self, network: str, port: str | None) -> bool:
        """Whether a place with this id is given on a network."""

    async def limit(self, network: str, port: str, bandwidth: Bandwidth | None) -> None:
        """Change the limits of a place. Raises error 55 where a guaranteed rate is more than the network has."""

    async def leases(self, network: str, mac: str) -> list[Lease]:
        """The addresses that the network's server has lent to a card. Raises error 43 for an unknown network."""

    async def address(self, network: str) -> str:
        """The host's own address in a network, where displays can listen.

        Raises error 43 for an unknown network, 1 for one that has no address.
        """


class NoNetworks:
    """A host without a network driver."""

    async def acquire(self, request: PortRequest) -> NetworkPort:
        """There is none. Raises error 43."""
        raise LibvirtError(
            f"no network with matching name '{request.network}'",
            code=Code.NO_NETWORK,
            domain=Origin.NETWORK,
            hint="this daemon has no network driver; use <interface type='bridge'> or type='user'",
        )

    async def release(self, network: str, port: str) -> None:
        """Nothing was given."""

    async def keep_only(self, kept: Collection[str]) -> None:
        """Nothing was given."""

    def holds(self, network: str, port: str | None) -> bool:
        """Nothing was given."""
        return False

    async def limit(self, network: str, port: str, bandwidth: Bandwidth | None) -> None:
        """Nothing was given."""

    async def leases(self, network: str, mac: str) -> list[Lease]:
        """Nobody lends anything."""
        return []

    async def address(self, network: str) -> str:
        """There is none. Raises error 67."""
        raise UnsupportedConfigError(
            "network-based listen isn't possible, network driver isn't present",
            domain=Origin.QEMU,
            hint="use <listen type='address'/>",
        )
