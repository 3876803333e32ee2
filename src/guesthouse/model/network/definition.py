"""The root of a virtual network's document: `<network>`.

Format: https://libvirt.org/formatnetwork.html
"""

from __future__ import annotations

from guesthouse.model.binding import attr, element, leaf, many, one, opt, opt_leaf, raw, unbound
from guesthouse.model.domain.devices.interface.addresses import InterfaceRoute
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.kinds import MAC, ON_OFF, PROSE, TEXT, UINT, ULL, UUID, YES_NO, one_of
from guesthouse.model.network.addresses import NetworkIp
from guesthouse.model.network.dns import Dns
from guesthouse.model.network.forward import BRIDGED, Forward
from guesthouse.model.network.portgroup import PortGroup


@element("bridge")
class Bridge:
    """The bridge: its name, firewalld's zone for it, and the spanning tree, whose delay is in seconds.

    With `mac_table_manager` `libvirt` the bridge learns no addresses; it is told them.
    """

    name: str | None = opt(TEXT)
    zone: str | None = opt(TEXT)
    stp: bool | None = opt(ON_OFF)
    delay: int | None = opt(ULL)
    mac_table_manager: str | None = opt(one_of("kernel", "libvirt"), "macTableManager")


@element("domain")
class DnsDomain:
    """The DNS domain of the guests. With `local_only` nobody else is asked about it."""

    name: str = attr(TEXT)
    local_only: bool | None = opt(YES_NO, "localOnly")
    register: bool | None = opt(YES_NO)


@element("network", two_lines=True)
class Network:
    """A network. `connections` counts the guests on it; `ipv6` lets guests use IPv6 where the host has no address.

    `options` are lines for dnsmasq's configuration.
    """

    connections: int | None = opt(UINT, live=True)
    ipv6: bool | None = opt(YES_NO)
    trust_guest_rx_filters: bool | None = opt(YES_NO, "trustGuestRxFilters")
    name: str = leaf(TEXT)
    uuid: str | None = opt_leaf(UUID)
    title: str | None = opt_leaf(PROSE)
    description: str | None = opt_leaf(PROSE)
    metadata: list[str] = raw("metadata")
    forward: Forward | None = one(Forward)
    bridge: Bridge | None = one(Bridge)
    mtu: int | None = opt(UINT, "size", within="mtu")
    mac: str | None = opt(MAC, "address", within="mac")
    domain: DnsDomain | None = one(DnsDomain)
    dns: Dns | None = one(Dns)
    vlan: Vlan | None = one(Vlan)
    bandwidth: Bandwidth | None = one(Bandwidth)
    isolated: bool | None = opt(YES_NO, "isolated", within="port")
    ips: list[NetworkIp] = many(NetworkIp)
    routes: list[InterfaceRoute] = many(InterfaceRoute)
    virtual_port: VirtualPort | None = one(VirtualPort)
    port_groups: list[PortGroup] = many(PortGroup)
    options: tuple[str, ...] = unbound(())

    @property
    def mode(self) -> str:
        """How it is forwarded; `none` for an isolated network."""
        return self.forward.mode if self.forward is not None else "none"

    @property
    def bridged(self) -> bool:
        """Whether the host runs a bridge of its own for it."""
        return self.forward is None or self.mode in BRIDGED

    def port_group(self, name: str | None) -> PortGroup | None:
        """The group of that name; for None the default one."""
        return next((one for one in self.port_groups if (one.default if name is None else one.name == name)), None)
