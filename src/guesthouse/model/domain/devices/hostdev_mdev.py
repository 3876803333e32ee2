"""Mediated devices: a part of a device that its driver cut off for one guest.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices and
https://docs.kernel.org/driver-api/vfio-mediated-device.html.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, must, one, opt
from guesthouse.model.domain.devices.address import Address, CcwAddress, PciAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCIE,
    Alias,
    BootOrder,
    Connection,
    DeviceContext,
    Rom,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.devices.hostdev import SUBSYSTEM, Hostdev
from guesthouse.model.kinds import ON_OFF, UUID, YES_NO, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import QemuObject, without_none

_PCI: Final = "vfio-pci"
_CCW: Final = "vfio-ccw"
_AP: Final = "vfio-ap"
_NAMES: Final = {_PCI: "PCI", _CCW: "CCW", _AP: "AP"}
#: Where the kernel lists them.
DIRECTORY: Final = "/sys/bus/mdev/devices"


@element("address")
class MdevAddress:
    """Which of the host's."""

    uuid: str | None = opt(UUID)

    def parsed(self) -> None:
        """There is no other way to name one."""
        if self.uuid is None:
            raise UnsupportedConfigError("Missing 'uuid' attribute for element <address>")


@element("source")
class MdevSource:
    """The device on the host."""

    address: MdevAddress | None = one(MdevAddress)

    def parsed(self) -> None:
        """There is one."""
        if self.address is None:
            raise UnsupportedConfigError("Missing <address> element")


@element("hostdev")
class MdevHostdev(Hostdev):
    """A mediated device. `model` is the interface that its driver offers."""

    mode: str = default(SUBSYSTEM, "subsystem")
    type: str = attr(one_of("mdev"))
    managed: bool = default(YES_NO, False)
    model: str = attr(one_of(_PCI, _CCW, _AP))
    display: bool | None = opt(ON_OFF)
    ramfb: bool | None = opt(ON_OFF)
    source: MdevSource = must(MdevSource)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    rom: Rom | None = one(Rom)
    address: Address | None = address_slot()

    @property
    def uuid(self) -> str:
        """Which of the host's."""
        return (self.source.address.uuid if self.source.address is not None else None) or ""

    @property
    def identity(self) -> tuple[object, ...]:
        """Its UUID."""
        return ("mdev", self.uuid)

    @property
    def not_found(self) -> str:
        """In libvirt's words."""
        return f"mediated device '{self.uuid}' not found"

    def connection(self, ctx: DeviceContext) -> Connection:
        """A place for its model; the cryptographic processors of a mainframe have none."""
        if self.model == _PCI:
            return PCIE
        return Connection("ccw") if self.model == _CCW else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """No picture, as QEMU is told for what can have one."""
        if self.model == _PCI and self.display is None:
            self.display = False

    def check_address(self, ctx: DeviceContext) -> None:
        """The address is of the model's kind."""
        fitting = {_PCI: PciAddress, _CCW: CcwAddress}.get(self.model)
        if self.address is not None and (fitting is None or not isinstance(self.address, fitting)):
            raise XmlError(f"Unsupported address type '{self.address.type}' with mediated device model '{self.model}'")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the model, and it can do what is asked."""
        if not ctx.qemu.has_device(self.model):
            raise UnsupportedConfigError(
                f"VFIO {_NAMES[self.model]} device assignment is not supported by this version of QEMU"
            )
        if self.boot is not None and self.model != _CCW:
            raise UnsupportedConfigError(
                f"booting from assigned devices is not supported by mediated devices of model {self.model}"
            )
        if self.display is not None and self.model != _PCI:
            raise UnsupportedConfigError("<hostdev> attribute 'display' is only supported with model='vfio-pci'")
        if self.ramfb is not None and self.model != _PCI:
            raise UnsupportedConfigError("<hostdev> attribute 'ramfb' is only supported with model='vfio-pci'")

    def needs_graphics(self) -> bool:
        """With `display` it does."""
        return self.display is True

    def has_ramfb(self) -> bool:
        """If it is switched on."""
        return self.ramfb is True

    def prepare(self, ctx: DeviceContext) -> None:
        """Raise `InternalError` where the host has no such device."""
        if not ctx.parts.has_mdev(self.uuid):
            raise InternalError(f"mediated device '{self.uuid}' not found", domain=Origin.NONE)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device."""
        props = without_none(
            {
                "driver": f"{_PCI}-nohotplug" if self.ramfb else self.model,
                "id": self.name,
                "sysfsdev": f"{DIRECTORY}/{self.uuid}",
                "display": None if self.display is None else "on" if self.display else "off",
                "ramfb": self.ramfb or None,
                **self.boot_props(ctx),
            }
        )
        return [QemuDevice(props | self.address_props(ctx))]
