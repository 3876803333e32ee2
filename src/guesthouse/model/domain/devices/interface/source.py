"""The other end of an interface: `<source>`, `<target>`, and where a guest's card came from.

Source: https://libvirt.org/formatdomain.html#network-interfaces.
"""

from __future__ import annotations

import re
from typing import Final

from guesthouse.errors import Code, LibvirtError, UnsupportedConfigError
from guesthouse.model.binding import choice, element, many, one, opt
from guesthouse.model.domain.devices.address import PciAddress
from guesthouse.model.domain.devices.interface.addresses import InterfaceIp, InterfaceRoute
from guesthouse.model.kinds import TEXT, UINT, UUID, YES_NO, integer, matching, one_of

#: Names that are given to devices of the host when a guest starts. A definition does not keep them.
GENERATED: Final = re.compile(r"(vnet|macvtap|macvlan)[0-9]*")
_PORT: Final = integer(1, 65535)


@element("reconnect")
class Reconnect:
    """Whether QEMU looks again for a vhost-user switch that went away, and after how many seconds."""

    enabled: bool | None = opt(YES_NO)
    timeout: int | None = opt(UINT)

    def parsed(self) -> None:
        """The time belongs to a connection that is renewed, and is at least a second."""
        if not self.enabled:
            self.timeout = None
        elif self.timeout is None:
            self.timeout = 0
        if self.enabled and self.timeout == 0:
            raise LibvirtError("chardev reconnect source timeout cannot be '0'", code=Code.INVALID_ARG)


@element("source", omit_empty=True)
class InterfaceSource:
    """The other end: which attributes count is the type's matter.

    `portid` and `actual_bridge` are what a running guest got from its network; `taken` says of a card of the host that
    its own driver is to have it again, `configured` that it was told the guest's address and VLAN.
    """

    network: str | None = opt(TEXT)
    portgroup: str | None = opt(TEXT)
    portid: str | None = opt(UUID, live=True)
    actual_bridge: str | None = opt(TEXT, "bridge", live=True)
    bridge: str | None = opt(TEXT)
    dev: str | None = opt(TEXT)
    type: str | None = opt(one_of("unix"))
    path: str | None = opt(TEXT)
    mode: str | None = opt(one_of("vepa", "private", "bridge", "passthrough", "server", "client"))
    address: str | None = opt(TEXT)
    port: int | None = opt(_PORT)
    name: str | None = opt(TEXT)
    taken: bool | None = opt(YES_NO, status=True)
    configured: bool | None = opt(YES_NO, status=True)
    host_address: PciAddress | None = choice("type", {"pci": PciAddress})
    reconnect: Reconnect | None = one(Reconnect)
    local_address: str | None = opt(TEXT, "address", within="local")
    local_port: int | None = opt(_PORT, "port", within="local")
    ips: list[InterfaceIp] = many(InterfaceIp)
    routes: list[InterfaceRoute] = many(InterfaceRoute)

    def parsed(self) -> None:
        """The bridge of a network is what a running guest got, and not part of its definition."""
        if self.network is not None:
            self.actual_bridge, self.bridge = self.bridge, None

    def given(self) -> set[str]:
        """The names of the attributes and elements that are there, of those that depend on the type."""
        return {name for name in _NAMES if getattr(self, name) not in (None, [])}

    def keep_only(self, names: frozenset[str]) -> None:
        """Raise `UnsupportedConfigError` for what is not of these names."""
        extra = sorted(self.given() - names)
        if extra:
            raise UnsupportedConfigError(f"'{extra[0].replace('_', ' ')}' does not fit this <source>")


_NAMES: Final = (
    "network",
    "portgroup",
    "portid",
    "actual_bridge",
    "bridge",
    "dev",
    "type",
    "path",
    "mode",
    "address",
    "port",
    "name",
    "host_address",
    "reconnect",
    "local_address",
    "local_port",
    "ips",
    "routes",
)


@element("target", omit_empty=True)
class InterfaceTarget:
    """The interface's device on the host. One that is not `managed` is there already and stays."""

    dev: str | None = opt(matching(r"[^\s/%,]{1,15}", "the name of a network device"))
    managed: bool | None = opt(YES_NO)

    @property
    def is_of_user(self) -> bool:
        """Whether the name was not made up when a guest started."""
        return self.managed is False or self.dev is None or GENERATED.match(self.dev) is None


@element("guest", omit_empty=True)
class GuestName:
    """The name that a container gives to its end; kept for documents that carry it."""

    dev: str | None = opt(TEXT)
    actual: str | None = opt(TEXT)


@element("teaming")
class Teaming:
    """A pair of cards of which one takes over while the other is away: for the migration of an assigned card."""

    type: str | None = opt(one_of("persistent", "transient"))
    persistent: str | None = opt(TEXT)
