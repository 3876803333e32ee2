"""Addresses of disks on IDE, SATA, SCSI and floppy controllers: they follow from the name of the disk's target.

Controllers that the addresses name and the definition lacks are added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain import controllers
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import DriveAddress
from guesthouse.model.domain.devices.disk import Disk, name_index
from guesthouse.model.domain.devices.throttling import share_limits


def _ide(index: int) -> tuple[int, int, int]:
    return index // 4, index % 4 // 2, index % 2


def _sata(index: int) -> tuple[int, int, int]:
    return index // 6, 0, index % 6


def _fdc(index: int) -> tuple[int, int, int]:
    return index // 2, 0, index % 2


def _scsi(index: int) -> tuple[int, int, int]:
    return index // 7, 0, index % 7


#: Kind of bus, in the order in which its controllers are added, to controller, bus and unit of a disk's number.
PLACES: Final[dict[str, Callable[[int], tuple[int, int, int]]]] = {
    "scsi": _scsi,
    "fdc": _fdc,
    "ide": _ide,
    "sata": _sata,
}


def arrange(domain: Domain) -> None:
    """Put the disks into libvirt's order: those of one bus stand together, sorted by their names' numbers.

    Raises `XmlError` where two have the same name.
    """
    groups: dict[str, list[tuple[int, Disk]]] = {}
    names: dict[str, Disk] = {}
    for disk in domain.devices.disks:
        name = disk.target.dev
        if name in names:
            first, second = names[name].path or "", disk.path or ""
            raise XmlError(f"target '{name}' duplicated for disk sources '{first}' and '{second}'")
        names[name] = disk
        groups.setdefault(disk.bus, []).append((name_index(name), disk))
    ordered: list[Disk] = []
    for group in groups.values():
        group.sort(key=lambda entry: entry[0])
        ordered.extend(disk for _number, disk in group)
    domain.devices.disks = ordered
    share_limits([disk.iotune for disk in ordered if disk.iotune is not None])


def assign(domain: Domain) -> None:
    """Give every disk on such a bus an address.

    Raises `XmlError` where two disks have the same one.
    """
    taken: set[tuple[str, int, int, int, int]] = set()
    for disk in domain.devices.disks:
        place = PLACES.get(disk.bus)
        if place is None:
            continue
        if disk.address is None:
            controller, bus, unit = place(name_index(disk.target.dev))
            disk.address = new(DriveAddress, controller=controller, bus=bus, unit=unit)
        address = disk.address
        if not isinstance(address, DriveAddress):
            raise UnsupportedConfigError(
                f"Invalid address type '{address.type}' for the disk '{disk.target.dev}' "
                f"with the bus type '{disk.bus}'",
                hint="use type='drive'",
            )
        key = (disk.bus, address.controller, address.bus, address.target, address.unit)
        if key in taken:
            raise XmlError(
                "Found duplicate drive address for disk with target name '{}' controller='{}' bus='{}' "
                "target='{}' unit='{}'".format(disk.target.dev, *key[1:])
            )
        taken.add(key)


def add_controllers(domain: Domain) -> None:
    """Add the controllers that the addresses of disks name, and all with a lower index."""
    for kind in PLACES:
        used = [
            disk.address.controller
            for disk in domain.devices.disks
            if disk.bus == kind and isinstance(disk.address, DriveAddress)
        ]
        for index in range(max(used, default=-1) + 1):
            controllers.ensure(domain.devices, kind, index)
