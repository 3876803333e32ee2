"""Where a guest's kernel leaves its last words: ACPI's error record serialization.

Source: https://libvirt.org/formatdomain.html#pstore.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, must, opt_leaf
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    PCI,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.memory import Amount
from guesthouse.model.kinds import ABSOLUTE_PATH, TEXT, ULL, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Object, Props, QemuObject

_SMALLEST: Final = 4


@element("size")
class PstoreSize(Amount):
    """The size of the store, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("pstore")
class Pstore(Device):
    """A store that outlives the guest's crash, in a file of the host."""

    ALIAS: ClassVar[str] = "pstore"

    backend: str = attr(one_of("acpi-erst"))
    path: str | None = opt_leaf(ABSOLUTE_PATH)
    size: PstoreSize = must(PstoreSize)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """A conventional PCI device."""
        return PCI

    def defaults(self, ctx: DeviceContext) -> None:
        """A file beside the firmware's variables."""
        self.path = self.path or f"{ctx.parts.nvram}/{ctx.guest_name}_PSTORE.raw"

    def check_address(self, ctx: DeviceContext) -> None:
        """Only PCI, in libvirt's words."""
        if self.address is not None and not isinstance(self.address, PciAddress):
            raise UnsupportedConfigError("ACPI ERST device must reside on a PCI bus")

    def check(self, ctx: DeviceContext) -> None:
        """The size is a power of two, and QEMU has the device."""
        if self.size.kib < _SMALLEST or self.size.kib & (self.size.kib - 1):
            raise XmlError("invalid size of ACPI ERST pstore device")
        if not ctx.qemu.has_device("acpi-erst"):
            raise UnsupportedConfigError("acpi-erst backend of pstore device is not supported")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The file and the device."""
        memory = f"mem{self.name}"
        file: Props = {"qom-type": "memory-backend-file", "id": memory, "mem-path": self.path}
        file |= {"size": self.size.kib * 1024, "share": True}
        props: Props = {"driver": "acpi-erst", "id": self.name, "memdev": memory}
        return [Object(file), QemuDevice(props | self.address_props(ctx))]
