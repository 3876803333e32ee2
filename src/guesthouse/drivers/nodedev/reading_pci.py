"""What sysfs tells of a PCI device.

Source: Documentation/ABI/testing/sysfs-bus-pci; the configuration space as the PCI Express base specification has it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from guesthouse.drivers.nodedev.names import pci_names
from guesthouse.drivers.nodedev.sysdevice import SysDevice, link_name
from guesthouse.host.pci import group_members
from guesthouse.host.sysfs import numbered, read_int, read_text
from guesthouse.model.binding import new
from guesthouse.model.nodedev.parts import Capability, MdevType, MdevTypes, PciPlace, Product, Vendor
from guesthouse.model.nodedev.pci import (
    HeaderType,
    PciDevice,
    PcieLink,
    PciExpress,
    PciIommuGroup,
    PhysicalFunctionCapability,
    VirtualFunctions,
)

_ADDRESS: Final = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_BRIDGES: Final = {1: "pci-bridge", 2: "cardbus-bridge"}
#: Speeds by their number in the link registers, in GT a second.
_SPEEDS: Final = {1: "2.5", 2: "5", 3: "8", 4: "16", 5: "32", 6: "64"}
#: Kinds of Express devices without a link: those inside the root complex.
_LINKLESS: Final = (0x9, 0xA)
_CONFIG_SIZE: Final = 256
_EXPRESS: Final = 0x10
#: Places in the configuration space, and in the Express capability.
_STATUS, _HEADER, _FIRST = 0x06, 0x0E, 0x34
_FLAGS, _LINK_CAP, _LINK_STATUS = 0x02, 0x0C, 0x12
_MOST_CAPABILITIES: Final = 48


def read_pci(device: SysDevice) -> Capability | None:
    """The device; None where its directory has no such name."""
    place = place_of(device.name)
    if place is None:
        return None
    vendor, product = device.number("vendor", 16) or 0, device.number("device", 16) or 0
    vendor_name, product_name = pci_names(vendor, product)
    config = _config(device.path)
    group = link_name(device.path / "iommu_group")
    return new(
        PciDevice,
        class_=device.property_number("PCI_CLASS", 16),
        domain=place.domain,
        bus=place.bus,
        slot=place.slot,
        function=place.function,
        product=Product(id=product, name=product_name),
        vendor=Vendor(id=vendor, name=vendor_name),
        more=_more(device, config),
        iommu_group=_group(int(group), device) if group is not None and group.isdigit() else None,
        numa_node=node if (node := device.number("numa_node")) is not None and node >= 0 else None,
        express=_express(device.path, config),
    )


def place_of(address: str) -> PciPlace | None:
    """The parts of an address such as `0000:06:12.5`; None where it is none."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    domain, bus, slot, function = (int(part, 16) for part in match.groups())
    return PciPlace(domain=domain, bus=bus, slot=slot, function=function)


def read_mdev_types(path: Path) -> list[MdevType]:
    """The types of mediated devices that a device can be divided into."""
    folder = path / "mdev_supported_types"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        MdevType(
            id=name,
            name=read_text(folder / name / "name"),
            device_api=read_text(folder / name / "device_api") or "",
            available_instances=read_int(folder / name / "available_instances") or 0,
        )
        for name in names
    ]


def _more(device: SysDevice, config: bytes) -> list[Capability]:
    found: list[Capability] = []
    physical = link_name(device.path / "physfn")
    if physical is not None and (place := place_of(physical)) is not None:
        found.append(new(PhysicalFunctionCapability, address=place))
    most = device.number("sriov_totalvfs") or 0
    links = (link_name(path) or "" for _, path in numbered(device.path, "virtfn"))
    virtual = [place for place in map(place_of, links) if place is not None]
    if virtual or most:
        found.append(new(VirtualFunctions, max_count=most or None, addresses=virtual))
    if len(config) > _HEADER and (bridge := _BRIDGES.get(config[_HEADER] & 0x7F)) is not None:
        found.append(HeaderType(type=bridge))
    if types := read_mdev_types(device.path):
        found.append(new(MdevTypes, types=types))
    return found


def _group(number: int, device: SysDevice) -> PciIommuGroup:
    places = (place_of(address) for address in group_members(number, device.tree))
    return PciIommuGroup(number=number, addresses=[place for place in places if place is not None])


def _config(path: Path) -> bytes:
    """The conventional part of the configuration space; only root may read more than its head."""
    try:
        with (path / "config").open("rb") as file:
            return file.read(_CONFIG_SIZE)
    except OSError:
        return b""


def _express(path: Path, config: bytes) -> PciExpress | None:
    """The links; none for a device that is on PCI Express only by the size of its configuration space."""
    if len(config) < _CONFIG_SIZE:
        return None
    place = _express_place(config)
    if place is None:
        return PciExpress(links=[]) if _size(path / "config") > _CONFIG_SIZE else None
    if config[place + _FLAGS] >> 4 & 0xF in _LINKLESS:
        return PciExpress(links=[])
    able = int.from_bytes(config[place + _LINK_CAP : place + _LINK_CAP + 4], "little")
    used = int.from_bytes(config[place + _LINK_STATUS : place + _LINK_STATUS + 2], "little")
    return PciExpress(links=[_link("cap", able, able >> 24), _link("sta", used, None)])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _link(validity: str, register: int, port: int | None) -> PcieLink:
    return PcieLink(validity=validity, port=port, speed=_SPEEDS.get(register & 0xF), width=register >> 4 & 0x3F)


def _express_place(config: bytes) -> int | None:
    """Where the Express capability is in the list of capabilities."""
    if not config[_STATUS] & 0x10:
        return None
    place = config[_FIRST] & 0xFC
    for _ in range(_MOST_CAPABILITIES):
        if not place or place + _LINK_STATUS + 2 > _CONFIG_SIZE:
            return None
        if config[place] == _EXPRESS:
            return place
        place = config[place + 1] & 0xFC
    return None
