"""USB hubs.

Source: https://libvirt.org/formatdomain.html#hub-devices.
"""

from __future__ import annotations

from typing import ClassVar

from guesthouse.model.binding import attr, element
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import Alias, Connection, Device, DeviceContext, address_slot, alias_slot
from guesthouse.model.kinds import one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject


@element("hub")
class Hub(Device):
    """A USB hub of eight ports."""

    ALIAS: ClassVar[str] = "hub"

    type: str = attr(one_of("usb"))
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """A USB port."""
        return Connection("usb")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the device."""
        ctx.need("usb-hub", "hub type 'usb'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device."""
        props: Props = {"driver": "usb-hub", "id": self.name}
        return [QemuDevice(props | self.address_props(ctx))]
