"""Panic notifiers: how a guest tells that it crashed.

Source: https://libvirt.org/formatdomain.html#panic-device.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import element, opt
from guesthouse.model.domain.devices.address import Address, IsaAddress, PciAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.kinds import one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject

_ISA: Final = "isa"
_S390: Final = "s390"


@element("panic")
class Panic(Device):
    """A panic notifier; Hyper-V's is a feature of the processor and needs no device."""

    ALIAS: ClassVar[str] = ""

    model: str | None = opt(one_of(_ISA, "pvpanic", "hyperv", "pseries", _S390))
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """The ISA one has a fixed port; the PCI one sits on the root bus."""
        if self.model == "pvpanic":
            return Connection("pci", integrated=True)
        return Connection("isa") if self.model == _ISA else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """The ISA device on a PC, the machine's own on a mainframe, the PCI device elsewhere."""
        if self.model is None:
            self.model = _ISA if ctx.x86 else _S390 if ctx.s390 else "pvpanic"

    def check(self, ctx: DeviceContext) -> None:
        """The model exists on this machine."""
        model = self.model or ""
        fits, owners = {
            "hyperv": (ctx.x86, "i686 and x86_64"),
            _S390: (ctx.s390, "S390"),
            "pseries": (False, "pSeries"),
        }.get(model, (True, ""))
        if not fits:
            raise UnsupportedConfigError(f"only {owners} guests support panic device of model '{model}'")
        if model == _ISA and not (ctx.x86 and ctx.qemu.has_device("pvpanic")):
            raise UnsupportedConfigError("the QEMU binary does not support the ISA panic device")
        if model == "pvpanic" and not ctx.qemu.has_device("pvpanic-pci"):
            raise UnsupportedConfigError("the QEMU binary does not support the PCI pvpanic device")

    def check_address(self, ctx: DeviceContext) -> None:
        """Of the model's kind, or none; libvirt's texts."""
        if self.address is None:
            return
        if self.model == "pvpanic":
            if not isinstance(self.address, PciAddress):
                raise UnsupportedConfigError("pvpanic is supported only with PCI address type")
        elif self.model == _ISA:
            if not isinstance(self.address, IsaAddress):
                raise UnsupportedConfigError("panic is supported only with ISA address type")
        else:
            raise UnsupportedConfigError(f"setting the panic device address is not supported for model '{self.model}'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device; none where the processor or the machine notifies."""
        if self.model in ("hyperv", _S390):
            return []
        if self.model == "pvpanic":
            return [QemuDevice({"driver": "pvpanic-pci", **self.address_props(ctx)})]
        props: Props = {"driver": "pvpanic"}
        if isinstance(self.address, IsaAddress) and self.address.iobase:
            props["ioport"] = self.address.iobase
        return [QemuDevice(props)]
