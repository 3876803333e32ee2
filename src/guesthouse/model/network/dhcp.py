"""The addresses that a network hands out: `<dhcp>`.

Format: https://libvirt.org/formatnetwork.html#addressing.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from guesthouse.errors import InternalError, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, one, opt
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import MAC, TEXT, ULL, Kind, matching, one_of

#: dnsmasq leases an address for two minutes at least.
_SHORTEST: Final = {"seconds": 120, "minutes": 2, "hours": 1}
_LARGEST_RANGE: Final = 65535


def _keep_mac(text: str) -> str:
    MAC.parse(text)
    return text


#: A MAC address in its document's letters.
_MAC_AS_GIVEN: Final = Kind("a MAC address", _keep_mac, str, plain=True)


@element("lease", omit_empty=True)
class Lease:
    """How long an address is lent; 0 is for ever."""

    expiry: int | None = opt(ULL)
    unit: str | None = opt(one_of("seconds", "minutes", "hours"))

    def parsed(self) -> None:
        """The unit is minutes; a lease for ever has none."""
        if not self.expiry:
            self.unit = None
            return
        self.unit = self.unit or "minutes"
        if self.expiry < _SHORTEST[self.unit]:
            raise UnsupportedConfigError("The minimum lease time should be greater than 2 minutes")

    @property
    def seconds(self) -> int | None:
        """The time; None for ever."""
        return None if not self.expiry else self.expiry * {"seconds": 1, "minutes": 60, "hours": 3600}[self.unit or ""]


@element("range")
class DhcpRange:
    """Addresses that are handed out, both ends among them."""

    start: str = attr(IP)
    end: str = attr(IP)
    lease: Lease | None = one(Lease)

    def check(self, address: str, prefix: int) -> None:
        """Raise `InternalError` for a range that does not fit into the network of `address`/`prefix`."""
        text = f"range {self.start} - {self.end}"
        first, last, own = (ipaddress.ip_address(one) for one in (self.start, self.end, address))
        if not first.version == last.version == own.version:
            raise InternalError(f"mismatch of address family in {text} for network {address}")
        network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
        if int(first) > int(last):
            raise InternalError(f"{text} is reversed ")
        for name, end in (("start", first), ("end", last)):
            if end not in network:
                raise InternalError(f"{text} is not entirely within network {address}/{prefix}")
            if own.version == 4 and end in (network.network_address, network.broadcast_address):
                kind = "network" if end == network.network_address else "broadcast"
                raise InternalError(f"{name} of {text} in network {address}/{prefix} is the {kind} address")
        if int(last) - int(first) > _LARGEST_RANGE:
            raise InternalError(f"{text} is too large (> 65535)")


@element("host")
class DhcpHost:
    """An address that is kept for one client, known by its MAC address (IPv4), its DUID (`id`, IPv6) or its name."""

    mac: str | None = opt(_MAC_AS_GIVEN)
    id: str | None = opt(matching(r"[0-9a-fA-F:]*", "hexadecimal digits with colons"))
    name: str | None = opt(matching(r"[A-Za-z0-9].*", "a name that begins with a letter or a digit"))
    ip: str | None = opt(IP)
    lease: Lease | None = one(Lease)

    def check(self, network: str, *, ipv6: bool) -> None:
        """Raise `XmlError` where too little is said for a whole record."""
        if self.mac is not None:
            if ipv6:
                raise XmlError(
                    f"Invalid to specify MAC address '{self.mac}' in network '{network}' IPv6 static host definition"
                )
            if int(self.mac[:2], 16) & 1:
                raise XmlError(f"expected unicast mac address, found multicast '{self.mac}' in network '{network}'")
        if ipv6 and self.id is None and self.name is None:
            raise XmlError(f"Static host definition in IPv6 network '{network}' must have id or name attribute")
        if not ipv6 and self.mac is None and self.name is None:
            raise XmlError(f"Static host definition in IPv4 network '{network}' must have mac or name attribute")
        if self.ip is None:
            raise XmlError(f"Missing IP address in static host definition for network '{network}'")

    def check_partial(self, network: str) -> None:
        """Raise `XmlError` where nothing is said by which a record could be found."""
        if self.mac is None and self.name is None and self.ip is None:
            raise XmlError(
                "At least one of name, mac, or ip attribute must be specified for static host definition in network "
                f"'{network}'"
            )


@element("bootp")
class Bootp:
    """What a client that boots over the network is told: a file, and the server that has it."""

    file: str = attr(TEXT)
    server: str | None = opt(IP)


@element("dhcp")
class Dhcp:
    """What is handed out."""

    ranges: list[DhcpRange] = many(DhcpRange)
    hosts: list[DhcpHost] = many(DhcpHost)
    bootp: Bootp | None = one(Bootp)

    @property
    def serves(self) -> bool:
        """Whether there is anything to hand out: without, nothing of it is kept."""
        return bool(self.ranges or self.hosts)
