"""Which disk of a definition a guest means by the place where it sees one: libvirt's `virDomainDiskByAddress`."""

from __future__ import annotations

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import DriveAddress, PciAddress
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.qemu.agent_reports import GuestDisk


def disk_at(live: Domain, place: GuestDisk) -> Disk | None:
    """The disk on this PCI function, or on the controller there with this bus, target and unit."""
    controllers = {
        controller.index
        for controller in live.devices.controllers
        if isinstance(controller.address, PciAddress) and _function(controller.address) == place.pci
    }
    for disk in live.devices.disks:
        address = disk.address
        if isinstance(address, PciAddress) and _function(address) == place.pci:
            return disk
        if (
            isinstance(address, DriveAddress)
            and address.controller in controllers
            and (address.bus or 0, address.target or 0, address.unit or 0) == (place.bus, place.target, place.unit)
        ):
            return disk
    return None


def _function(address: PciAddress) -> tuple[int, int, int, int]:
    return address.domain or 0, address.bus or 0, address.slot or 0, address.function or 0
