"""USB devices of a client, redirected to the guest.

Source: https://libvirt.org/formatdomain.html#redirected-devices.
"""

from __future__ import annotations

from typing import ClassVar

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, default, element, new, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
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
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import QemuObject, without_none

#: The channel of a display on D-Bus on which clients offer devices.
_DBUS_CHANNEL = "org.qemu.usbredir"


@element("redirdev")
class Redirdev(CharacterDevice):
    """A USB port behind which a client plugs in a device of its own."""

    ALIAS: ClassVar[str] = "redir"

    bus: str = default(one_of("usb"), "usb")
    type: str = attr(TYPES)
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is whole; on D-Bus it has a name of its own."""
        if self.type == "dbus" and not self.sources:
            self.sources = [new(ChardevSource, channel=_DBUS_CHANNEL)]
        self.read_source()
        require_socket_path(self)

    def connection(self, ctx: DeviceContext) -> Connection:
        """A USB port."""
        return Connection("usb")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU can redirect USB, and the guest has it."""
        self.check_source(ctx)
        ctx.need("usb-redir", "redirdev bus 'usb'")
        if not any(kind == "usb" and item.model != "none" for (kind, _), item in ctx.controllers.items()):
            raise UnsupportedConfigError("cannot add redirected USB device: USB is disabled for this domain")

    def prepare(self, ctx: DeviceContext) -> None:
        """Whether the line is encrypted."""
        self.settle_tls(ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port, which lets through what the guest's filter allows."""
        front = without_none(
            {
                "driver": "usb-redir",
                "chardev": self.chardev,
                "id": self.name,
                "filter": ctx.redirection_filter or None,
                "bootindex": self.boot_index(ctx),
            }
        )
        return [*self.backend(ctx), QemuDevice(front | self.address_props(ctx))]
