"""PCI devices of the host.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.binding import (
    attr,
    choices,
    content,
    default,
    element,
    leaf,
    many,
    must,
    one,
    opt,
    opt_leaf,
)
from guesthouse.model.kinds import PROSE, UINT, hexadecimal, integer, matching, one_of
from guesthouse.model.nodedev.parts import Capability, MdevTypes, PciPlace, Product, Vendor

_INDEX: Final = matching("[0-9A-Z]", "a digit or a capital letter")


@element("capability")
class PhysicalFunctionCapability(Capability):
    """The device is a virtual function of the one at the address."""

    type: str = default(one_of("phys_function"), "phys_function")
    address: PciPlace = must(PciPlace)


@element("capability")
class VirtualFunctions(Capability):
    """The device can have virtual functions."""

    type: str = default(one_of("virt_functions"), "virt_functions")
    max_count: int | None = opt(UINT, "maxCount")
    addresses: list[PciPlace] = many(PciPlace)

    def parsed(self) -> None:
        """0 is unknown."""
        self.max_count = self.max_count or None


@element("capability")
class HeaderType(Capability):
    """The device is a bridge."""

    type: str = default(one_of("pci-bridge", "cardbus-bridge"), "pci-bridge")


@element("vendor_field")
class VendorField:
    """A field of the maker's own."""

    index: str = attr(_INDEX)
    value: str = content(PROSE)


@element("system_field")
class SystemField:
    """A field of the system's own."""

    index: str = attr(_INDEX)
    value: str = content(PROSE)


class VpdFields:
    """Fields of the vital product data."""

    __slots__ = ()

    access: str


@element("fields", two_lines=True)
class ReadOnlyFields(VpdFields):
    """What the maker wrote."""

    access: str = default(one_of("readonly"), "readonly")
    change_level: str | None = opt_leaf(PROSE)
    manufacture_id: str | None = opt_leaf(PROSE)
    part_number: str | None = opt_leaf(PROSE)
    serial_number: str | None = opt_leaf(PROSE)
    vendor_fields: list[VendorField] = many(VendorField)


@element("fields", two_lines=True)
class ReadWriteFields(VpdFields):
    """What a system may write."""

    access: str = default(one_of("readwrite"), "readwrite")
    asset_tag: str | None = opt_leaf(PROSE)
    vendor_fields: list[VendorField] = many(VendorField)
    system_fields: list[SystemField] = many(SystemField)


@element("capability")
class VitalProductData(Capability):
    """What the device says of itself: name, numbers, tags."""

    type: str = default(one_of("vpd"), "vpd")
    name: str = leaf(PROSE)
    fields: list[VpdFields] = choices("access", {"readonly": ReadOnlyFields, "readwrite": ReadWriteFields})

    def parsed(self) -> None:
        """What the maker wrote comes first."""
        self.fields.sort(key=lambda fields: fields.access)


@element("iommuGroup")
class PciIommuGroup:
    """The devices that can only be handed out together."""

    number: int = attr(UINT)
    addresses: list[PciPlace] = many(PciPlace)


@element("link")
class PcieLink:
    """A PCI Express link: what it can (`cap`), or how it is used (`sta`). The speed is in GT a second."""

    validity: str = attr(one_of("cap", "sta"))
    port: int | None = opt(UINT)
    speed: str | None = opt(one_of("2.5", "5", "8", "16", "32", "64"))
    width: int = attr(UINT)


@element("pci-express")
class PciExpress:
    """The links of a device on PCI Express."""

    links: list[PcieLink] = many(PcieLink)


#: The further capabilities, in the order in which they are printed.
_MORE: Final[dict[str, type[Capability]]] = {
    "phys_function": PhysicalFunctionCapability, "virt_functions": VirtualFunctions, "pci-bridge": HeaderType,
    "cardbus-bridge": HeaderType, "mdev_types": MdevTypes, "vpd": VitalProductData,
}  # fmt: skip


@element("capability", two_lines=True)
class PciDevice(Capability):
    """A PCI device."""

    type: str = default(one_of("pci"), "pci")
    class_: int | None = opt_leaf(hexadecimal(6, 0xFFFFFF))
    domain: int = leaf(UINT)
    bus: int = leaf(UINT)
    slot: int = leaf(UINT)
    function: int = leaf(UINT)
    product: Product = must(Product)
    vendor: Vendor = must(Vendor)
    more: list[Capability] = choices("type", _MORE)
    iommu_group: PciIommuGroup | None = one(PciIommuGroup)
    numa_node: int | None = opt(integer(-1, 2**31 - 1), "node", within="numa")
    express: PciExpress | None = one(PciExpress)

    def parsed(self) -> None:
        """Order the capabilities; node -1 is none."""
        order = list(_MORE)
        self.more.sort(key=lambda capability: order.index(capability.type))
        if self.numa_node is not None and self.numa_node < 0:
            self.numa_node = None
