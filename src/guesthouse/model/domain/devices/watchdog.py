"""Watchdogs: what to do when a guest no longer answers.

Source: https://libvirt.org/formatdomain.html#watchdog-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, default, element
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.kinds import one_of
from guesthouse.model.qemu_objects import Command, Option, QemuObject
from guesthouse.model.qemu_objects import Device as QemuDevice

_ACTIONS: Final = ("reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi")

#: Model to why it has no such address.
_NO_ADDRESS: Final = {
    "i6300esb": "can go only on PCI bus",
    "ib700": "does not support configuring the address",
    "diag288": "is virtual and cannot go on any bus.",
    "itco": "is part of the machine and cannot have any address set.",
}


@element("watchdog")
class Watchdog(Device):
    """A watchdog. QEMU has one action for all; a dump is ours to make, while QEMU pauses the guest."""

    ALIAS: ClassVar[str] = "watchdog"

    model: str = attr(one_of("i6300esb", "ib700", "itco", "diag288"))
    action: str = default(one_of(*_ACTIONS), "reset")
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """Only one model is a PCI device; the TCO watchdog is part of Q35's chipset."""
        return PCI if self.model == "i6300esb" else NOWHERE

    def check_address(self, ctx: DeviceContext) -> None:
        """Only one model has an address; libvirt's texts."""
        if self.address is None or (self.model == "i6300esb" and isinstance(self.address, PciAddress)):
            return
        raise UnsupportedConfigError(f"{self.model} model of watchdog {_NO_ADDRESS[self.model]}")

    def check(self, ctx: DeviceContext) -> None:
        """The model exists on this machine."""
        fits, text = {
            "ib700": (ctx.i440fx, "cannot be used with this machine type"),
            "diag288": (ctx.s390, "is allowed for s390 and s390x only"),
            "itco": (ctx.q35, "is only part of q35 machine"),
        }.get(self.model, (True, ""))
        if not fits:
            raise UnsupportedConfigError(f"{self.model} model of watchdog {text}")
        if self.model != "itco":
            ctx.need(self.model, f"watchdog model '{self.model}'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device, or the switch of the chipset's own, and the action."""
        action = "pause" if self.action == "dump" else self.action
        front: QemuObject
        if self.model == "itco":
            front = Option("-global", "ICH9-LPC.noreboot=off")
        else:
            front = QemuDevice({"driver": self.model, "id": self.name, **self.address_props(ctx)})
        return [front, Option("-watchdog-action", action, Command("watchdog-set-action", {"action": action}))]
