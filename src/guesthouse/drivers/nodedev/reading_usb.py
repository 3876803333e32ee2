"""What sysfs tells of a USB device and of its interfaces.

Source: Documentation/ABI/testing/sysfs-bus-usb.
"""

from __future__ import annotations

from guesthouse.drivers.nodedev.sysdevice import SysDevice
from guesthouse.model.binding import new
from guesthouse.model.nodedev.parts import Capability, Product, Vendor
from guesthouse.model.nodedev.usb import UsbDevice, UsbInterface


def read_usb_device(device: SysDevice) -> Capability | None:
    """The device; its names are udev's, and else its own. None where it has just gone."""
    bus, number = device.number("busnum"), device.number("devnum")
    vendor, product = device.number("idVendor", 16), device.number("idProduct", 16)
    if bus is None or number is None or vendor is None or product is None:
        return None
    names = device.properties
    return new(
        UsbDevice,
        bus=bus,
        device=number,
        product=Product(id=product, name=names.get("ID_MODEL_FROM_DATABASE") or device.text("product")),
        vendor=Vendor(id=vendor, name=names.get("ID_VENDOR_FROM_DATABASE") or device.text("manufacturer")),
    )


def read_usb_interface(device: SysDevice) -> Capability | None:
    """One interface of a device."""
    return new(
        UsbInterface,
        number=device.number("bInterfaceNumber", 16) or 0,
        class_=device.number("bInterfaceClass", 16) or 0,
        subclass=device.number("bInterfaceSubClass", 16) or 0,
        protocol=device.number("bInterfaceProtocol", 16) or 0,
    )
