"""The host's own addresses in a network: `<ip>`.

Format: https://libvirt.org/formatnetwork.html#addressing.
"""

from __future__ import annotations

import ipaddress

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, one, opt
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import TEXT, UINT, YES_NO, one_of
from guesthouse.model.network.dhcp import Dhcp

_IPV4_BITS = 32
_IPV6_BITS = 128


def _serves(dhcp: Dhcp) -> bool:
    return dhcp.serves


@element("ip", two_lines=True)
class NetworkIp:
    """An address of the bridge. `tftp` is the root of a TFTP server, `local_ptr` keeps reverse queries here."""

    family: str | None = opt(one_of("ipv4", "ipv6"))
    address: str = attr(IP)
    netmask: str | None = opt(IP)
    prefix: int | None = opt(UINT)
    local_ptr: bool | None = opt(YES_NO, "localPtr")
    tftp: str | None = opt(TEXT, "root", within="tftp")
    dhcp: Dhcp | None = one(Dhcp, show=_serves)

    def parsed(self) -> None:
        """A prefix of 0 is none; what only IPv4 has is void elsewhere."""
        self.prefix = self.prefix or None
        if self.ipv6 and self.dhcp is not None:
            self.dhcp.bootp = None

    @property
    def ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.address

    @property
    def bits(self) -> int:
        """The length of the network's prefix: what is given, or that of the address's class, or 64 for IPv6."""
        if self.prefix is not None:
            return self.prefix
        if self.netmask is not None:
            return bin(int(ipaddress.ip_address(self.netmask))).count("1")
        if self.ipv6:
            return 64
        first = int(self.address.split(".")[0])
        return next((bits for limit, bits in ((128, 8), (192, 16), (224, 24)) if first < limit), 24)

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The network that the address is in."""
        return ipaddress.ip_network(f"{self.address}/{self.bits}", strict=False)

    def check(self, network: str) -> None:
        """Raise `LibvirtError` where address, family, netmask and prefix do not go together."""
        if (self.family == "ipv6") != self.ipv6:
            raise UnsupportedConfigError(
                f"Family 'ipv6' specified for non-IPv6 address '{self.address}' in network '{network}'"
                if self.family == "ipv6"
                else f"{self.family or 'no'} family specified for non-IPv4 address '{self.address}' in network "
                f"'{network}'"
            )
        self._check_mask(network)
        if self.tftp is not None and self.ipv6:
            raise UnsupportedConfigError(f"Unsupported <tftp> element in an IPv6 element in network '{network}'")
        if self.dhcp is not None:
            for one in self.dhcp.ranges:
                one.check(self.address, self.bits)
            for host in self.dhcp.hosts:
                host.check(network, ipv6=self.ipv6)

    def _check_mask(self, network: str) -> None:
        if self.netmask is not None:
            if self.ipv6:
                raise UnsupportedConfigError(
                    f"netmask not allowed for IPv6 address '{self.address}' in network '{network}'"
                )
            if ":" in self.netmask:
                raise UnsupportedConfigError(
                    f"Invalid netmask '{self.netmask}' for address '{self.address}' in network '{network}' "
                    "(both must be IPv4)"
                )
            if self.prefix is not None:
                raise UnsupportedConfigError(f"Network '{network}' IP address cannot have both a prefix and a netmask")
            if not _is_mask(self.netmask):
                raise XmlError(f"Invalid netmask '{self.netmask}' in network '{network}'")
        elif (self.prefix or 0) > (_IPV6_BITS if self.ipv6 else _IPV4_BITS):
            kind = "IPv6" if self.ipv6 else "IPv4"
            raise UnsupportedConfigError(f"Invalid {kind} prefix '{self.prefix}' in network '{network}'")


def _is_mask(netmask: str) -> bool:
    inverse = int(ipaddress.ip_address(netmask)) ^ (2**_IPV4_BITS - 1)
    return not inverse & (inverse + 1)
