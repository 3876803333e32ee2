"""What the domain driver asks of the network driver: a place for a guest's card on a virtual network.

The two may live in one daemon or in two; the domain driver knows this interface alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan


@dataclass(frozen=True, slots=True)
class PortRequest:
    """Which network (and group of ports of it) wants which guest's card, by its MAC address."""

    network: str
    portgroup: str | None
    guest_name: str
    guest_uuid: str
    mac: str
    bandwidth: Bandwidth | None = None


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """A place on a network. `kind` is the type of interface that it comes to: `bridge` or `direct`.

    `bridge` is the bridge's name, or `device` with `mode` what a macvtap is made on. The rest is what the network adds
    to what the interface says; None where it adds nothing.
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


class NetworkService(Protocol):
    """Gives and takes places on networks."""

    async def acquire(self, request: PortRequest) -> NetworkPort:
        """A place. Raises error 43 (`NO_NETWORK`) for an unknown network, 55 for one that is not active."""

    async def release(self, network: str, port: str) -> None:
        """Give a place back by its id; one that is unknown was given back already."""

    async def keep_only(self, ports: Collection[str]) -> None:
        """Give back all places but those with these ids: their guests ended while no daemon ran."""

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

    async def keep_only(self, ports: Collection[str]) -> None:
        """Nothing was given."""

    async def address(self, network: str) -> str:
        """There is none. Raises error 67."""
        raise UnsupportedConfigError(
            "network-based listen isn't possible, network driver isn't present",
            domain=Origin.QEMU,
            hint="use <listen type='address'/>",
        )
