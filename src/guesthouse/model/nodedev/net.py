"""Network devices of the host.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.binding import attr, default, element, leaf, many, one, opt_leaf
from guesthouse.model.interface import Link
from guesthouse.model.kinds import TEXT, one_of
from guesthouse.model.nodedev.parts import Capability

#: What a card can do without the processor, in the order in which it is printed.
FEATURES: Final = (
    "rx", "tx", "sg", "tso", "gso", "gro", "lro", "rxvlan", "txvlan", "ntuple", "rxhash", "rdma", "txudptnl",
    "switchdev",
)  # fmt: skip


@element("feature")
class NetFeature:
    """Something that the card can do."""

    name: str = attr(one_of(*FEATURES))


@element("capability")
class NetKind(Capability):
    """Ethernet (`80203`) or a wireless card (`80211`)."""

    type: str = default(one_of("80203", "80211"), "80203")


@element("capability", two_lines=True)
class NetDevice(Capability):
    """A network device."""

    type: str = default(one_of("net"), "net")
    interface: str = leaf(TEXT)
    address: str | None = opt_leaf(TEXT)
    link: Link | None = one(Link)
    features: list[NetFeature] = many(NetFeature)
    kind: NetKind | None = one(NetKind)

    def parsed(self) -> None:
        """Order the features."""
        self.features.sort(key=lambda feature: FEATURES.index(feature.name))
        if self.link is not None and self.link.state is None and not self.link.speed:
            self.link = None
