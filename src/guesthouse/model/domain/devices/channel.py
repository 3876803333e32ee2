"""Channels: private lines between a guest and its host, such as the guest agent's.

Source: https://libvirt.org/formatdomain.html#channel.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, must, opt
from guesthouse.model.domain.devices.address import Address, VirtioSerialAddress
from guesthouse.model.domain.devices.base import Alias, Connection, DeviceContext, address_slot, alias_slot
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    sources_slot,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, matching, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import QemuObject

#: What precedes the channel's name in the paths that libvirt has generated over the years.
_GENERATED: Final = re.compile(
    r"/(?:var/lib|var/run|run)/libvirt/qemu/channel/(?:target/)?(?:[^/]+\.|domain-[^/]+/|[0-9]+-[^/]+/)"
)

#: The channel on which QEMU's guest agent answers.
AGENT: Final = "org.qemu.guest_agent.0"


@element("target")
class ChannelTarget:
    """The name by which the guest finds the channel. `state` tells whether a running guest has opened it."""

    type: str = attr(one_of("virtio", "guestfwd", "xen"))
    # The name becomes part of the socket's path, so that it may not lead elsewhere.
    name: str | None = opt(matching(r"(?!\.{1,2}$)[^/\x00-\x1f]{1,100}", "a name without '/'"))
    state: str | None = opt(one_of("connected", "disconnected"), live=True)


@element("channel")
class Channel(CharacterDevice):
    """A channel on a virtio-serial port."""

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
        """The source is whole; a UNIX socket without a path is made by us."""
        self.read_source()
        if self.type == "unix" and self.source is not None and self.source.path is None and not self.source.binds:
            if self.source.mode == "connect":
                raise XmlError("Missing source path attribute for char device")
            self.sources = []

    @property
    def is_agent(self) -> bool:
        """Whether the guest agent answers here."""
        return self.target.name == AGENT

    def connection(self, ctx: DeviceContext) -> Connection:
        """A port of a virtio-serial controller."""
        return Connection("virtio-serial")

    def defaults(self, ctx: DeviceContext) -> None:
        """A path that an earlier start generated is dropped: the next start makes another."""
        if self.type == "unix" and (self.path is None or self._generated(self.path, ctx.channel_dir)):
            self.sources = []

    def _generated(self, path: str, directory: str) -> bool:
        if directory and path.startswith(directory.rstrip("/") + "/"):
            return True
        name = self.target.name or ""
        return bool(name) and path.endswith(name) and _GENERATED.fullmatch(path[: -len(name)]) is not None

    def check(self, ctx: DeviceContext) -> None:
        """Only virtio channels are there."""
        self.check_source(ctx)
        if self.target.type != "virtio":
            raise UnsupportedConfigError(f"channel target type '{self.target.type}' is not supported")

    def prepare(self, ctx: DeviceContext) -> None:
        """Name the socket, where the definition leaves that to us. Called when the guest starts."""
        if self.type != "unix" or self.path is not None:
            return
        name = self.target.name
        if name is None:
            address = self.address if isinstance(self.address, VirtioSerialAddress) else None
            numbers = (address.controller, address.bus, address.port) if address else (0, 0, 0)
            name = "vioser-{:02d}-{:02d}-{:02d}.sock".format(*numbers)
        self.set_path(f"{ctx.channel_dir}/{name}")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port."""
        props = {"driver": "virtserialport"} | self.address_props(ctx) | {"chardev": self.chardev, "id": self.name}
        name = self.target.name
        if name is None and self.type == "qemu-vdagent":
            name = "com.redhat.spice.0"
        if name is not None:
            props["name"] = name
        return [*self.backend(ctx), QemuDevice(props)]
