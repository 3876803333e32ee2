"""What a network card comes to once its network is known, and what QEMU gets of it: pure data."""

from __future__ import annotations

from dataclasses import dataclass, field

from guesthouse.drivers.network_service import NetworkPort
from guesthouse.host.links import VlanTags
from guesthouse.host.tap import close_all
from guesthouse.host.tc import Limit
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Rate
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.domain.tap_ends import TapEnds
from guesthouse.model.qemu_objects import NamedDescriptor


@dataclass(slots=True)
class Wiring:
    """The descriptors that QEMU shall have of a card: those of its tap, and those of the kernel's `vhost`, if any."""

    taps: list[int] = field(default_factory=list)
    vhosts: list[int] = field(default_factory=list)

    @property
    def descriptors(self) -> list[int]:
        """All of them."""
        return [*self.taps, *self.vhosts]

    def inherited(self) -> TapEnds:
        """Their names for a QEMU that inherits them under their numbers."""
        return TapEnds(tuple(map(str, self.taps)), tuple(map(str, self.vhosts)))

    def handed_over(self, alias: str) -> TapEnds:
        """Their names for a QEMU that runs, with the descriptors to be sent under them."""
        taps = [NamedDescriptor(f"tapfd-{alias}{number}", fd) for number, fd in enumerate(self.taps)]
        vhosts = [NamedDescriptor(f"vhostfd-{alias}{number}", fd) for number, fd in enumerate(self.vhosts)]
        return TapEnds(tuple(one.name for one in taps), tuple(one.name for one in vhosts), (*taps, *vhosts))

    def close(self) -> None:
        """Close our own copies, once QEMU has its."""
        close_all(self.taps)
        close_all(self.vhosts)


@dataclass(frozen=True, slots=True)
class Connected:
    """What a card is connected to. `kind` is `bridge`, `direct` or `ethernet`; `other` the bridge or lower device.

    A bridge that is not `learning` is told which address is behind which port.
    """

    kind: str
    other: str = ""
    mode: str = "vepa"
    mtu: int | None = None
    vlan: Vlan | None = None
    virtual_port: VirtualPort | None = None
    bandwidth: Bandwidth | None = None
    isolated: bool = False
    learning: bool = True

    @property
    def switch(self) -> str:
        """The type of the port on a switch that is not the kernel's bridge; empty for the kernel's."""
        return (self.virtual_port.type if self.virtual_port is not None else None) or ""

    @property
    def limits(self) -> tuple[Limit | None, Limit | None]:
        """What the host may send on the device, and what it may receive.

        On a tap the host sends what the guest receives; a macvtap is the guest's own.
        """
        if self.bandwidth is None:
            return None, None
        inbound, outbound = _limit(self.bandwidth.inbound), _limit(self.bandwidth.outbound)
        return (outbound, inbound) if self.kind == "direct" else (inbound, outbound)

    @property
    def tags(self) -> VlanTags | None:
        """The VLANs of a port of the kernel's bridge."""
        if self.vlan is None:
            return None
        if self.vlan.trunk is None:
            return VlanTags(self.vlan.tags[0].id, untagged=True)
        native = self.vlan.native
        others = tuple(tag.id for tag in self.vlan.tags if tag is not native)
        if native is None:
            return VlanTags(None, untagged=False, others=others)
        return VlanTags(native.id, untagged=native.native_mode == "untagged", others=others)


def _limit(rate: Rate | None) -> Limit | None:
    if rate is None or not rate.average:
        return None
    return Limit(rate.average, rate.peak, rate.burst)


def connected(interface: Interface, port: NetworkPort | None = None) -> Connected:
    """What an interface is connected to; one on a virtual network by its port there."""
    source = interface.source
    own = Connected(
        interface.type,
        mtu=interface.mtu,
        vlan=interface.vlan,
        virtual_port=interface.virtual_port,
        bandwidth=interface.bandwidth,
        isolated=bool(interface.isolated),
    )
    if port is not None:
        return Connected(
            port.kind,
            port.bridge or port.device or "",
            mode=port.mode or "vepa",
            mtu=own.mtu or port.mtu,
            vlan=own.vlan or port.vlan,
            virtual_port=own.virtual_port or port.virtual_port,
            bandwidth=own.bandwidth or port.bandwidth,
            isolated=own.isolated or port.isolated,
            learning=port.learning,
        )
    if source is None:
        return own
    return Connected(
        own.kind,
        source.bridge or source.dev or "",
        mode=source.mode or "vepa",
        mtu=own.mtu,
        vlan=own.vlan,
        virtual_port=own.virtual_port,
        bandwidth=own.bandwidth,
        isolated=own.isolated,
    )


def tap_mac(mac: str) -> str:
    """The address of the host's end of a tap: the guest's with another first byte.

    It is a high one, because a bridge takes the lowest of its ports for its own.
    """
    return ("fa" if mac.startswith("fe") else "fe") + mac[2:]
