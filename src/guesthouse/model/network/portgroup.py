"""Settings that guests' cards take over by name: `<portgroup>`.

Format: https://libvirt.org/formatnetwork.html#portgroups.
"""

from __future__ import annotations

from guesthouse.model.binding import attr, element, one, opt
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.kinds import TEXT, YES_NO


@element("portgroup", two_lines=True)
class PortGroup:
    """A class of connections; the `default` one is for cards that name none."""

    name: str = attr(TEXT)
    default: bool | None = opt(YES_NO)
    trust_guest_rx_filters: bool | None = opt(YES_NO, "trustGuestRxFilters")
    vlan: Vlan | None = one(Vlan)
    virtual_port: VirtualPort | None = one(VirtualPort)
    bandwidth: Bandwidth | None = one(Bandwidth)

    def parsed(self) -> None:
        """Not to be the default one need not be said."""
        self.default = self.default or None
