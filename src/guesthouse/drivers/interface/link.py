"""One network device of the host, alone: what it is, what it is in, and its addresses.

Times are in the units of the document: a bridge's delay in seconds, a bond's in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

IPV4: Final = "ipv4"
IPV6: Final = "ipv6"
FAMILIES: Final = (IPV4, IPV6)
#: Kinds of devices that exist because they are configured; a card exists anyway.
VIRTUAL: Final = ("bridge", "bond", "vlan")


@dataclass(frozen=True, slots=True)
class Family:
    """The addresses of one family: fixed ones as (address, prefix), and where others come from."""

    addresses: tuple[tuple[str, int], ...] = ()
    gateway: str | None = None
    dhcp: bool = False
    #: Whether name servers are taken from DHCP, too.
    peer_dns: bool = True
    autoconf: bool = False

    def __bool__(self) -> bool:
        """Whether anything is configured."""
        return bool(self.addresses or self.gateway or self.dhcp or self.autoconf)


@dataclass(frozen=True, slots=True)
class Monitor:
    """How a bond watches its cards: `mii` or `arp`, every so many milliseconds."""

    kind: str
    interval: int
    up_delay: int = 0
    down_delay: int = 0
    #: `ioctl` or `netif`; None for the driver's own choice.
    carrier: str | None = None
    target: str | None = None
    validate: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A device by its configuration.

    `start` is `onboot`, `hotplug` or `none`. `master` is the bridge or bond that it is in. The rest belongs to a kind:
    `stp` and `delay` to a bridge, `mode` and `monitor` to a bond, whose first card is `primary`, `tag` and `device` to
    a VLAN.
    """

    name: str
    kind: str = "ethernet"
    start: str | None = None
    mtu: int | None = None
    master: str | None = None
    families: Mapping[str, Family] = field(default_factory=dict)
    stp: bool | None = None
    delay: float | None = None
    mode: str | None = None
    monitor: Monitor | None = None
    primary: bool = False
    tag: int | None = None
    device: str | None = None

    @property
    def is_virtual(self) -> bool:
        """Whether it exists only because it is configured."""
        return self.kind in VIRTUAL

    def family(self, name: str) -> Family:
        """Its addresses of a family."""
        return self.families.get(name, Family())


Links = Mapping[str, Link]


def by_name(links: Iterable[Link]) -> dict[str, Link]:
    """Links by their names."""
    return {link.name: link for link in links}


def ports(links: Links, name: str) -> list[Link]:
    """What is in a bridge or a bond by name, but the primary card of a bond first."""
    return sorted(
        (link for link in links.values() if link.master == name), key=lambda link: (not link.primary, link.name)
    )


def tree(links: Links, name: str) -> list[Link]:
    """A link and all that is in it, each after what it is in. Nothing for an unknown name."""
    if name not in links:
        return []
    found = [links[name]]
    for link in found:
        found += [port for port in ports(links, link.name) if port not in found]
    return found
