"""USB devices of the host.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from guesthouse.errors import InternalError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import attr, default, element, must, one, opt
from guesthouse.model.domain.devices.address import Address, UsbAddress
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.devices.hostdev import SUBSYSTEM, Hostdev
from guesthouse.model.kinds import YES_NO, Kind, hexadecimal, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

_ID: Final = hexadecimal(4, 0xFFFF)
#: A number that may be written in any of C's bases, and is printed in the usual one.
_NUMBER: Final[Kind[int]] = replace(hexadecimal(1, 999), format=str)
#: What a guest's wish to reset the device means, to QEMU's two switches.
_RESETS: Final[dict[str, Props]] = {
    "off": {"guest-reset": False},
    "uninitialized": {"guest-reset": True, "guest-resets-all": False},
    "on": {"guest-reset": True, "guest-resets-all": True},
}


@element("vendor")
class UsbVendor:
    """Who made it."""

    id: int = attr(_ID)


@element("product")
class UsbProduct:
    """What the vendor calls it."""

    id: int = attr(_ID)


@element("address", drops=("@type",))
class UsbHostAddress:
    """The host's number of the bus, and the device's on it."""

    bus: int = attr(_NUMBER)
    device: int = attr(_NUMBER)


@element("source", drops=("@autoAddress",))
class UsbHostSource:
    """The device on the host: by vendor and product, or by its address, or by all of that.

    `auto_address` tells that the address was found by vendor and product; `missing` that it was not there at the start.
    """

    startup_policy: str | None = opt(one_of("mandatory", "requisite", "optional"), "startupPolicy")
    auto_address: bool | None = opt(YES_NO, "autoAddress", status=True)
    missing: bool | None = opt(YES_NO, live=True)
    guest_reset: str | None = opt(one_of(*_RESETS), "guestReset")
    vendor: UsbVendor | None = one(UsbVendor)
    product: UsbProduct | None = one(UsbProduct)
    address: UsbHostAddress | None = one(UsbHostAddress)

    def parsed(self) -> None:
        """Vendor and product come together, and no device is number zero of bus zero."""
        if self.vendor is not None and self.product is None:
            raise InternalError("missing product", domain=Origin.DOMAIN)
        if self.product is not None and self.vendor is None:
            raise InternalError("missing vendor", domain=Origin.DOMAIN)
        if self.address is not None and not (self.address.bus or self.address.device):
            self.address = None


@element("hostdev")
class UsbHostdev(Hostdev):
    """A USB device. `managed` means nothing here: QEMU takes it from the host's driver and gives it back."""

    mode: str = default(SUBSYSTEM, "subsystem")
    type: str = attr(one_of("usb"))
    managed: bool = default(YES_NO, False)
    source: UsbHostSource = must(UsbHostSource)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def identity(self) -> tuple[object, ...]:
        """Its address on the host, else its vendor and product."""
        place = self.source.address
        if place is not None and not self.source.auto_address:
            return ("usb", place.bus, place.device)
        vendor, product = self.source.vendor, self.source.product
        return ("usb", "id", vendor.id if vendor is not None else 0, product.id if product is not None else 0)

    def means(self, candidate: Hostdev) -> bool:
        """By its address on the host, by vendor and product, or by both."""
        if not isinstance(candidate, UsbHostdev):
            return False
        mine, theirs = self.source, candidate.source
        return mine.address in (None, theirs.address) and (
            mine.vendor is None or (mine.vendor, mine.product) == (theirs.vendor, theirs.product)
        )

    @property
    def not_found(self) -> str:
        """By what it was asked for."""
        place, vendor, product = self.source.address, self.source.vendor, self.source.product
        if place is not None:
            return f"host usb device {place.bus:03d}.{place.device:03d} not found"
        ids = vendor.id if vendor is not None else 0, product.id if product is not None else 0
        return f"host usb device vendor=0x{ids[0]:04x} product=0x{ids[1]:04x} not found"

    def connection(self, ctx: DeviceContext) -> Connection:
        """A USB port."""
        return Connection("usb")

    def check_address(self, ctx: DeviceContext) -> None:
        """A USB address, in libvirt's words."""
        if self.address is not None and not isinstance(self.address, UsbAddress):
            raise UnsupportedConfigError("USB host device must use 'usb' address type")

    def check(self, ctx: DeviceContext) -> None:
        """It is named, and QEMU has the device."""
        if self.source.vendor is None and self.source.address is None:
            raise InternalError("USB host device is missing bus/device information", domain=Origin.QEMU)
        ctx.need("usb-host", "USB host device")

    def prepare(self, ctx: DeviceContext) -> None:
        """Find it on the host. Raises what the lookup raises, unless the definition says that it may be missing."""
        source = self.source
        vendor = source.vendor.id if source.vendor is not None else None
        product = source.product.id if source.product is not None else None
        place = source.address if not source.auto_address else None
        wanted = (place.bus, place.device) if place is not None else None
        try:
            bus, device = ctx.parts.find_usb(vendor, product, wanted)
        except LibvirtError:
            if source.startup_policy != "optional":
                raise
            source.missing, source.address = True, None
            return
        source.auto_address = source.auto_address or place is None or None
        source.address, source.missing = UsbHostAddress(bus=bus, device=device), None

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device; of one that is missing a port where nothing is."""
        place = self.source.address
        if place is None and not self.source.missing:
            raise InternalError("USB host device is missing bus/device information", domain=Origin.QEMU)
        props: Props = without_none(
            {
                "driver": "usb-host",
                "hostdevice": f"/dev/bus/usb/{place.bus:03d}/{place.device:03d}" if place is not None else None,
                "id": self.name,
                "bootindex": self.boot_index(ctx),
            }
        )
        props |= _RESETS.get(self.source.guest_reset or "", {})
        return [QemuDevice(props | self.address_props(ctx))]
