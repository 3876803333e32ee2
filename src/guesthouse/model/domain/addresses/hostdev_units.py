"""Addresses of the host's SCSI devices on a guest's SCSI controllers: the first unit that nothing has."""

from __future__ import annotations

from guesthouse.model.binding import new
from guesthouse.model.domain import controllers
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import DriveAddress

#: So many units a controller gets before the next is begun: what every model has.
_UNITS = 7


def assign(domain: Domain) -> None:
    """Give every such device an address. Disks must have theirs."""
    disks = [disk.address for disk in domain.devices.disks if disk.bus == "scsi"]
    units = [device for device in domain.devices.hostdevs if device.type == "scsi"]
    taken = {
        (address.controller, address.bus, address.target, address.unit)
        for address in (*disks, *(device.address for device in units))
        if isinstance(address, DriveAddress)
    }
    for device in units:
        if device.address is None:
            number = 0
            while (number // _UNITS, 0, 0, number % _UNITS) in taken:
                number += 1
            place = new(DriveAddress, controller=number // _UNITS, unit=number % _UNITS)
            device.address = place  # type: ignore[misc] # the slot is the form's
            taken.add((number // _UNITS, 0, 0, number % _UNITS))


def add_controllers(domain: Domain) -> None:
    """Add the controllers that the addresses name, and all with a lower index, of the model that is there."""
    used = [
        device.address.controller
        for device in domain.devices.hostdevs
        if device.type == "scsi" and isinstance(device.address, DriveAddress)
    ]
    there = [controller.model for controller in domain.devices.controllers if controller.type == "scsi"]
    for index in range(max(used, default=-1) + 1):
        controllers.ensure(domain.devices, "scsi", index, there[-1] if there else None)
