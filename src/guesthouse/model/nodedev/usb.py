"""USB devices of the host and their interfaces.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from guesthouse.model.binding import default, element, leaf, must, opt_leaf
from guesthouse.model.kinds import PROSE, UINT, one_of
from guesthouse.model.nodedev.parts import Capability, Product, Vendor


@element("capability", two_lines=True)
class UsbDevice(Capability):
    """A USB device."""

    type: str = default(one_of("usb_device"), "usb_device")
    bus: int = leaf(UINT)
    device: int = leaf(UINT)
    product: Product = must(Product)
    vendor: Vendor = must(Vendor)


@element("capability", two_lines=True)
class UsbInterface(Capability):
    """One interface of a USB device."""

    type: str = default(one_of("usb"), "usb")
    number: int = leaf(UINT)
    class_: int = leaf(UINT)
    subclass: int = leaf(UINT)
    protocol: int = leaf(UINT)
    description: str | None = opt_leaf(PROSE)
