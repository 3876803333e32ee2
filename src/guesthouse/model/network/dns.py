"""What a network's DNS server answers: `<dns>`.

Format: https://libvirt.org/formatnetwork.html#addressing. The server is dnsmasq.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.model.binding import attr, element, leaves, many, opt
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import TEXT, YES_NO, integer, matching

_SERVICE: Final = matching(r"[A-Za-z0-9_+/*\-]{0,15}", "at most 15 letters, digits, '_', '-', '+', '/' and '*'")
_PROTOCOL: Final = matching(r"[A-Za-z0-9+/\-]*", "letters, digits, '-', '+' and '/'")
_LIMIT: Final = 65535


def _detail(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.NETWORK)


@element("forwarder")
class Forwarder:
    """A server that is asked instead: for names of `domain`, or for all. Without an address the names stay local."""

    domain: str | None = opt(TEXT)
    address: str | None = opt(IP, "addr")

    def parsed(self) -> None:
        """One of the two is there."""
        if self.domain is None and self.address is None:
            raise XmlError("Invalid forwarder element, must contain at least one of addr or domain")


@element("txt")
class TxtRecord:
    """A TXT record."""

    name: str = attr(matching(r"[^ ,]*", "a name without blanks and commas"))
    value: str | None = opt(TEXT)


@element("srv")
class SrvRecord:
    """An SRV record: where a service is. Numbers of 0 are none."""

    service: str | None = opt(_SERVICE)
    protocol: str | None = opt(_PROTOCOL)
    domain: str | None = opt(TEXT)
    target: str | None = opt(TEXT)
    port: int | None = opt(integer(1, _LIMIT))
    priority: int | None = opt(integer(0, _LIMIT))
    weight: int | None = opt(integer(0, _LIMIT))

    def parsed(self) -> None:
        """The numbers belong to a target."""
        for name in ("port", "priority", "weight"):
            if getattr(self, name) is not None and self.target is None:
                raise _detail(f"DNS SRV {name} attribute not permitted without target for service '{self.service}'")
        self.priority = self.priority or None
        self.weight = self.weight or None


@element("host", two_lines=True)
class HostRecord:
    """An address, and the names that lead to it."""

    ip: str | None = opt(IP)
    names: list[str] = leaves(TEXT, "hostname")


@element("dns", omit_empty=True)
class Dns:
    """The server. `enable` False runs none; `plain_names` False keeps names without a dot local."""

    enable: bool | None = opt(YES_NO)
    plain_names: bool | None = opt(YES_NO, "forwardPlainNames")
    forwarders: list[Forwarder] = many(Forwarder)
    texts: list[TxtRecord] = many(TxtRecord)
    services: list[SrvRecord] = many(SrvRecord)
    hosts: list[HostRecord] = many(HostRecord)

    def check(self, network: str) -> None:
        """Raise `LibvirtError` for records that say too little, or that nobody would serve."""
        for record in self.hosts:
            check_host(record, network)
        for service in self.services:
            check_service(service, network)
        for text in self.texts:
            check_text(text, network)
        if self.enable is False and (self.forwarders or self.texts or self.services or self.hosts):
            raise XmlError(f"Extra data in disabled network '{network}'")


def check_host(record: HostRecord, network: str) -> None:
    """A whole record has an address and a name."""
    if not record.names or not all(record.names):
        raise _detail(f"Missing hostname in network '{network}' DNS HOST record")
    if record.ip is None:
        raise _detail(f"Missing IP address in network '{network}' DNS HOST record")


def check_service(record: SrvRecord, network: str) -> None:
    """A whole record has a service and a protocol."""
    if record.service is None:
        raise _detail(f"missing required service attribute in DNS SRV record of network '{network}'")
    if record.protocol is None:
        raise _detail(
            f"missing required protocol attribute in DNS SRV record '{record.service}' of network '{network}'"
        )


def check_text(record: TxtRecord, network: str) -> None:
    """A whole record has a value."""
    if record.value is None:
        raise _detail(f"missing required value attribute in DNS TXT record named '{record.name}' of network {network}")
