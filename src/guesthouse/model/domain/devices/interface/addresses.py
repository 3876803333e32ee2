"""IP addresses and routes of an interface, on the guest's side or (in `<source>`) on the host's.

Source: https://libvirt.org/formatdomain.html#ip-configuration.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, element, opt
from guesthouse.model.kinds import UINT, Kind, integer, one_of


def _parse_ip(text: str) -> str:
    return str(ipaddress.ip_address(text))


IP: Final[Kind[str]] = Kind("an IP address", _parse_ip, str)


@element("ip")
class InterfaceIp:
    """An address. `prefix` is a number of bits, `peer` the other end of a point-to-point link."""

    address: str = attr(IP)
    family: str | None = opt(one_of("ipv4", "ipv6"))
    prefix: int | None = opt(integer(0, 128))
    peer: str | None = opt(IP)

    def parsed(self) -> None:
        """The family is the address's; a prefix of 0 is none."""
        family = "ipv6" if ":" in self.address else "ipv4"
        if self.family not in (None, family):
            raise XmlError(f"Invalid address '{self.address}' of family '{self.family}' in <ip>")
        self.family = family
        self.prefix = self.prefix or None

    @property
    def bits(self) -> int:
        """The prefix, or that of a single address where none is given."""
        return self.prefix or (32 if self.family == "ipv4" else 128)


@element("route")
class InterfaceRoute:
    """A route: a network, by prefix or netmask, and the gateway that leads there."""

    family: str | None = opt(one_of("ipv4", "ipv6"))
    address: str = attr(IP)
    netmask: str | None = opt(IP)
    prefix: int | None = opt(integer(0, 128))
    gateway: str = attr(IP)
    metric: int | None = opt(UINT)

    def parsed(self) -> None:
        """All its addresses are of one family."""
        family = self.family or "ipv4"
        given = [self.address, self.gateway, *([self.netmask] if self.netmask is not None else [])]
        for address in given:
            if (":" in address) != (family == "ipv6"):
                raise XmlError(f"interface route: address '{address}' is not of family '{family}'")
        if self.netmask is not None and self.prefix is not None:
            raise XmlError("interface route: 'netmask' and 'prefix' cannot be used together")
        self.metric = self.metric or None

    @property
    def bits(self) -> int:
        """The number of bits of the network. Raises `XmlError` for a netmask with gaps."""
        if self.prefix is not None:
            return self.prefix
        if self.netmask is None:
            return 0 if int(ipaddress.ip_address(self.address)) == 0 else 32 if ":" not in self.address else 128
        try:
            return ipaddress.ip_network(f"{self.address}/{self.netmask}", strict=False).prefixlen
        except ValueError:
            raise XmlError(f"interface route: '{self.netmask}' is not a netmask") from None
