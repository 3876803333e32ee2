"""The balloon: how a host takes memory back from a running guest.

Source: https://libvirt.org/formatdomain.html#memory-balloon-device.
"""

from __future__ import annotations

from typing import ClassVar

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    Device,
    DeviceContext,
    VirtioDriver,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.kinds import ON_OFF, UINT, one_of
from guesthouse.model.qemu_objects import Command, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice


@element("memballoon")
class Memballoon(Device):
    """A virtio balloon, or none. `period` is the seconds between two reports of the guest's memory statistics."""

    ALIAS: ClassVar[str] = "balloon"

    model: str = attr(one_of("virtio", "virtio-transitional", "virtio-non-transitional", "none", "xen"))
    autodeflate: bool | None = opt(ON_OFF)
    free_page_reporting: bool | None = opt(ON_OFF, "freePageReporting")
    period: int | None = opt(UINT, within="stats")
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()
    driver: VirtioDriver | None = one(VirtioDriver)

    @property
    def present(self) -> bool:
        """Whether there is a balloon."""
        return self.model != "none"

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device."""
        return virtio_connection(self.model) if self.present else NOWHERE

    def check(self, ctx: DeviceContext) -> None:
        """There is no balloon but virtio's; an absent one has no options."""
        if self.model == "xen":
            raise UnsupportedConfigError("Memory balloon device type 'xen' is not supported by this version of qemu")
        if not self.present and (self.driver is not None or self.period is not None):
            raise UnsupportedConfigError("memballoon model 'none' takes no <driver> and no <stats>")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device."""
        if not self.present:
            return []
        props: Props = {"driver": self.virtio_driver("virtio-balloon", self.model)}
        props |= virtio_props(self.driver)
        props["id"] = self.name
        props |= without_none({"deflate-on-oom": self.autodeflate, "free-page-reporting": self.free_page_reporting})
        props |= self.address_props(ctx)
        return [QemuDevice(props)]

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Ask for statistics as often as the definition says, and leave the guest what it says."""
        if not self.present:
            return []
        path = f"/machine/peripheral/{self.name}"
        commands: list[Command] = []
        if self.period:
            props: Props = {"path": path, "property": "guest-stats-polling-interval", "value": self.period}
            commands.append(Command("qom-set", props))
        if ctx.memory.balloon_kib is not None:
            commands.append(Command("balloon", {"value": ctx.memory.balloon_kib * 1024}))
        return commands
