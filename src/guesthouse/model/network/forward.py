"""How a network is connected to the outside: `<forward>`.

Format: https://libvirt.org/formatnetwork.html#connectivity.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InternalError, XmlError
from guesthouse.model.binding import attr, default, element, many, new, one, opt
from guesthouse.model.domain.devices.address import PciAddress
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import TEXT, UINT, YES_NO, integer, one_of

#: The modes in which the host runs a bridge of its own for the network; so it does without `<forward>`.
BRIDGED: Final = ("nat", "route", "open")
MODES: Final = (*BRIDGED, "bridge", "private", "vepa", "passthrough", "hostdev")
#: Ports that no server trusts for being low.
UNPRIVILEGED: Final = (1024, 65535)
_PORT: Final = integer(0, 65535)


@element("nat", omit_empty=True)
class Nat:
    """What addresses and ports the outside sees."""

    ipv6: bool | None = opt(YES_NO)
    start: str | None = opt(IP, within="address")
    end: str | None = opt(IP, within="address")
    first_port: int | None = opt(_PORT, "start", within="port")
    last_port: int | None = opt(_PORT, "end", within="port")

    def check(self, network: str) -> None:
        """Raise `LibvirtError` for half a range, or one that is upside down."""
        where = f"<nat> in <forward> in network {network}"
        if (self.start is None) != (self.end is None):
            name = "start" if self.start is None else "end"
            raise XmlError(f"missing '{name}' attribute in <address> element in {where}")
        for name, address in (("start", self.start), ("end", self.end)):
            if address is not None and ":" in address:
                raise XmlError(f"Bad ipv4 {name} address '{address}' in <nat> in <forward> in network '{network}'")
        if self.start is not None and self.end is not None:
            first, last = ([int(part) for part in text.split(".")] for text in (self.start, self.end))
            if first > last:
                raise InternalError(f"range {self.start} - {self.end} is reversed ")
        if (self.first_port is None) != (self.last_port is None) or (self.first_port or 0) > (self.last_port or 0):
            name = "start" if self.first_port is None else "end"
            raise XmlError(f"Missing or invalid '{name}' attribute in <port> in {where}")


@element("interface")
class ForwardInterface:
    """A device of the host; `connections` counts the guests on it."""

    dev: str = attr(TEXT)
    connections: int | None = opt(UINT, live=True)


@element("pf")
class PhysicalFunction:
    """A card whose virtual functions are the network's devices."""

    dev: str = attr(TEXT)


@element("driver")
class ForwardDriver:
    """What drives a card of the host that is handed to a guest."""

    name: str | None = opt(one_of("kvm", "vfio", "xen"))
    model: str | None = opt(TEXT)


@element("forward")
class Forward:
    """The way out. The first of the `interfaces` is printed as `dev` too."""

    dev: str | None = opt(TEXT)
    mode: str = default(one_of(*MODES), "nat")
    managed: bool | None = opt(YES_NO)
    driver: ForwardDriver | None = one(ForwardDriver)
    nat: Nat | None = one(Nat)
    pf: PhysicalFunction | None = one(PhysicalFunction)
    interfaces: list[ForwardInterface] = many(ForwardInterface)
    addresses: list[PciAddress] = many(PciAddress)

    def parsed(self) -> None:
        """`dev` and the first interface are the same; only `hostdev` is managed."""
        if self.dev is not None and not self.interfaces and not self.addresses and self.pf is None:
            self.interfaces = [new(ForwardInterface, dev=self.dev)]
        if self.interfaces and self.pf is None:
            self.dev = self.dev or self.interfaces[0].dev
        self.managed = bool(self.managed) if self.mode == "hostdev" else None

    def check(self, network: str) -> None:
        """Raise `LibvirtError` where its parts contradict each other."""
        names = [one.dev for one in self.interfaces]
        if self.nat is not None:
            if self.mode != "nat":
                raise XmlError(
                    f"The <nat> element can only be used when <forward> 'mode' is 'nat' in network {network}"
                )
            self.nat.check(network)
        if self.dev is not None and (self.addresses or self.pf is not None):
            raise XmlError(
                "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present in "
                f"network {network}"
            )
        if names and self.dev is not None and self.dev != names[0]:
            raise XmlError(
                f"<forward dev='{self.dev}'> must match first <interface dev='{names[0]}'/> in network {network}"
            )
        for index, name in enumerate(names):
            if name in names[:index]:
                raise XmlError(f"interface '{name}' can only be listed once in network {network}")
        places = [(one.domain or 0, one.bus or 0, one.slot or 0, one.function or 0) for one in self.addresses]
        for index, place in enumerate(places):
            if place in places[:index]:
                text = "{:04x}:{:02x}:{:02x}.{:x}".format(*place)
                raise XmlError(f"PCI device '{text}' can only be listed once in network {network}")
