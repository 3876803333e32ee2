"""The unit that translates the addresses of the guest's own devices.

Source: https://libvirt.org/formatdomain.html#iommu-devices; QEMU's `docs/system/i386/intel-iommu` properties
(`-device intel-iommu,help`).
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, new, one, opt
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.kinds import ON_OFF, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Json, QemuObject, without_none

INTEL: Final = "intel"
SMMUV3: Final = "smmuv3"
VIRTIO: Final = "virtio"

_ROOT_BUS: Final = Connection("pcie", integrated=True)


@element("driver")
class IommuDriver:
    """What Intel's unit can do."""

    intremap: bool | None = opt(ON_OFF)
    caching_mode: bool | None = opt(ON_OFF)
    eim: bool | None = opt(ON_OFF)
    iotlb: bool | None = opt(ON_OFF)
    aw_bits: int | None = opt(integer(1, 255))
    dma_translation: bool | None = opt(ON_OFF)


@element("iommu")
class Iommu(Device):
    """An IOMMU. A guest has at most one. `smmuv3` is a property of the machine and no device of its own."""

    ALIAS: ClassVar[str] = "iommu"

    model: str = attr(one_of(INTEL, SMMUV3, VIRTIO))
    driver: IommuDriver | None = one(IommuDriver)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """Only Intel's unit has options. Raises `XmlError`."""
        if self.driver is not None and self.model != INTEL:
            raise XmlError(f"iommu model '{self.model}' doesn't support additional attributes")

    @property
    def remaps_interrupts(self) -> bool:
        """Whether it needs the I/O interrupt controller to be QEMU's."""
        return self.driver is not None and self.driver.intremap is True

    @property
    def extended_interrupts(self) -> bool:
        """Whether guests with more than 255 processors can use it."""
        return self.driver is not None and self.driver.eim is True

    def serve_many_processors(self) -> None:
        """Make Intel's unit one that more than 255 processors can use, unless the document says otherwise."""
        if self.model != INTEL:
            return
        driver = self.driver = self.driver or new(IommuDriver)
        driver.intremap = True if driver.intremap is None else driver.intremap
        driver.eim = True if driver.eim is None else driver.eim

    def connection(self, ctx: DeviceContext) -> Connection:
        """On the root bus, if it is on a bus at all."""
        return _ROOT_BUS if self.model == VIRTIO else NOWHERE

    def check_address(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError` for a virtio unit that is not on PCI."""
        if self.model == VIRTIO and self.address is not None and not isinstance(self.address, PciAddress):
            raise UnsupportedConfigError(f"IOMMU device: '{self.model}' needs a PCI address")
        Device.check_address(self, ctx)

    def check(self, ctx: DeviceContext) -> None:
        """The machines that each model is for."""
        named = f"IOMMU device: '{self.model}'"
        if self.model == INTEL and not ctx.q35:
            raise UnsupportedConfigError(f"{named} is only supported with Q35 machines")
        if self.model == SMMUV3 and not ctx.arm_virt:
            raise UnsupportedConfigError(f"{named} is only supported with ARM Virt machines")
        if self.model == VIRTIO and not (ctx.q35 or ctx.arm_virt):
            raise UnsupportedConfigError(f"{named} is only supported with Q35 and ARM Virt machines")
        if self.model == VIRTIO and not ctx.acpi:
            raise UnsupportedConfigError(f"{named} requires ACPI", hint="add <acpi/> to <features>")
        if self.model in _DEVICES:
            ctx.need(_DEVICES[self.model][1], named)

    def machine_words(self) -> list[str]:
        """The machine's own unit, as words of `-machine`."""
        return [f"iommu={self.model}"] if self.model == SMMUV3 else []

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device; none for a unit that is part of the machine."""
        if self.model not in _DEVICES:
            return []
        driver = self.driver or new(IommuDriver)
        props = without_none(
            {
                "driver": _DEVICES[self.model][0],
                "id": self.name,
                "intremap": _auto(driver.intremap),
                "caching-mode": driver.caching_mode,
                "eim": _auto(driver.eim),
                "device-iotlb": driver.iotlb,
                "aw-bits": driver.aw_bits,
                "dma-translation": driver.dma_translation,
            }
        )
        return [QemuDevice(props | self.address_props(ctx))]


#: Model to the device and to the name under which QEMU lists it.
_DEVICES: Final = {INTEL: ("intel-iommu", "intel-iommu"), VIRTIO: ("virtio-iommu", "virtio-iommu-pci")}


def _auto(value: bool | None) -> Json:
    """QEMU's `OnOffAuto` is a word, where its `bool` is not."""
    return None if value is None else "on" if value else "off"
