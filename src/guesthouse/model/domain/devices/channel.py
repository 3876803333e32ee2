"""Channels: private lines between a guest and its host, such as the guest agent's.

Source: https://libvirt.org/formatdomain.html#channel.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, must, opt
from guesthouse.model.domain.devices.address import Address, VirtioSerialAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    require_socket_path,
    sources_slot,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, integer, matching, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Netdev, QemuObject

#: What precedes the channel's name in the paths that libvirt has generated over the years.
_GENERATED: Final = re.compile(
    r"/(?:var/lib|var/run|run)/libvirt/qemu/channel/(?:target/)?(?:[^/]+\.|domain-[^/]+/|[0-9]+-[^/]+/)"
)

#: The channel on which QEMU's guest agent answers.
AGENT: Final = "org.qemu.guest_agent.0"

#: The channel of the agent that shares clipboard and mouse with a SPICE client.
SPICE_AGENT: Final = "com.redhat.spice.0"


@element("target")
class ChannelTarget:
    """Where the guest finds the channel: by a name, or for `guestfwd` at an IPv4 address and a port of its network.

    `state` tells whether a running guest has opened it.
    """

    type: str = attr(one_of("virtio", "guestfwd", "xen"))
    # The name becomes part of the socket's path, so that it may not lead elsewhere.
    name: str | None = opt(matching(r"(?!\.{1,2}$)[^/\x00-\x1f]{1,100}", "a name without '/'"))
    address: str | None = opt(matching(r"[0-9A-Fa-f.:]{1,45}", "an IP address"))
    port: int | None = opt(integer(0, 65535))
    state: str | None = opt(one_of("connected", "disconnected"), live=True)

    def parsed(self) -> None:
        """A place in the guest's network is whole, and only there where it counts."""
        if self.type != "guestfwd":
            if self.address is not None or self.port is not None:
                raise XmlError(f"address and port do not apply to a channel of target type '{self.type}'")
            return
        if self.address is None:
            raise XmlError("guestfwd channel does not define a target address")
        if ":" in self.address:
            raise UnsupportedConfigError("guestfwd channel only supports IPv4 addresses")
        if self.port is None:
            raise XmlError("Missing required attribute 'port' in element 'target'")


@element("channel")
class Channel(CharacterDevice):
    """A channel on a virtio-serial port, or behind a place of the guest's own network."""

    ALIAS: ClassVar[str] = "channel"

    type: str = attr(TYPES)
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    target: ChannelTarget = must(ChannelTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is whole; a UNIX socket of a virtio channel without a path is made by us."""
        if self.target.type == "guestfwd":
            self.read_source()
            require_socket_path(self)
            return
        source = self.source
        implied = self.type == "unix" and source is not None and source.mode is None and source.path is None
        if implied and source is not None and source.reconnect is not None and source.reconnect.enabled:
            raise InternalError("chardev reconnect is possible only for connect mode", domain=Origin.DOMAIN)
        self.read_source()
        if implied:
            self.sources = []
        if self.type == "unix" and self.path is None and self.source is not None and not self.source.binds:
            raise InternalError("Missing source path attribute for char device", domain=Origin.DOMAIN)

    @property
    def is_agent(self) -> bool:
        """Whether the guest agent answers here."""
        return self.target.name == AGENT

    def connection(self, ctx: DeviceContext) -> Connection:
        """A port of a virtio-serial controller; what is in the guest's network is nowhere else."""
        return Connection("virtio-serial") if self.target.type == "virtio" else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """A path that an earlier start made is dropped: the next makes another."""
        if (
            self.target.type == "virtio"
            and self.type == "unix"
            and (self.path is None or self._generated(self.path, ctx.channel_dir))
        ):
            source = self.source
            if source is not None and source.reconnect is not None and source.reconnect.enabled:
                raise InternalError("chardev reconnect is possible only for connect mode", domain=Origin.DOMAIN)
            self.sources = []

    def _generated(self, path: str, directory: str) -> bool:
        if directory and path.startswith(directory.rstrip("/") + "/"):
            return True
        name = self.target.name or ""
        return bool(name) and path.endswith(name) and _GENERATED.fullmatch(path[: -len(name)]) is not None

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has such channels."""
        self.check_source(ctx)
        if self.target.type == "xen":
            raise UnsupportedConfigError(f"channel target type '{self.target.type}' is not supported")
        if self.type == "spicevmc" and self.target.name not in (None, SPICE_AGENT):
            raise UnsupportedConfigError(f"Unsupported spicevmc target name '{self.target.name}'")

    def prepare(self, ctx: DeviceContext) -> None:
        """Name the socket, where the definition leaves that to us. Called when the guest starts."""
        self.settle_tls(ctx)
        if self.type != "unix" or self.path is not None:
            return
        name = self.target.name
        if name is None:
            address = self.address if isinstance(self.address, VirtioSerialAddress) else None
            numbers = (address.controller, address.bus, address.port) if address else (0, 0, 0)
            name = "vioser-{:02d}-{:02d}-{:02d}.sock".format(*numbers)
        self.set_path(f"{ctx.channel_dir}/{name}")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port, or the network that leads to it."""
        if self.target.type == "guestfwd":
            way = f"tcp:{self.target.address}:{self.target.port}-chardev:{self.chardev}"
            return [*self.backend(ctx), Netdev({"type": "user", "guestfwd": [{"str": way}], "id": self.name})]
        props = {"driver": "virtserialport"} | self.address_props(ctx) | {"chardev": self.chardev, "id": self.name}
        name = self.target.name
        if name is None and self.type in ("spicevmc", "qemu-vdagent"):
            name = SPICE_AGENT
        if name is not None:
            props["name"] = name
        return [*self.backend(ctx), QemuDevice(props)]
