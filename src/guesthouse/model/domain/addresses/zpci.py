"""What an s390x guest knows its PCI functions by: a user-defined id (from 1) and a function id (from 0).

Source: https://libvirt.org/formatdomain.html#device-addresses (`zpci`), QEMU's `docs/system/s390x/pcidevices.rst`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

from guesthouse.errors import InternalError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import Address, PciAddress, Zpci
from guesthouse.model.domain.devices.controller import Controller

_MAX_UID: Final = 0xFFFF
_MAX_FID: Final = 0xFFFFFFFF


class Ids:
    """The ids of one guest. Made before PCI addresses are assigned: functions whose place is given come first."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._uids: set[int] = set()
        self._fids: set[int] = set()
        addresses = list(_addresses(domain))
        for address in addresses:
            if address.zpci is not None:
                _reserve(self._uids, address.zpci.uid, "uid")
                _reserve(self._fids, address.zpci.fid, "fid")
        self._fill(address for address in addresses if address.assigned)

    def complete(self) -> None:
        """Give the others theirs, now that they have a place."""
        self._fill(_addresses(self._domain))

    def _fill(self, addresses: Iterable[PciAddress]) -> None:
        for address in addresses:
            ids = address.zpci = address.zpci or new(Zpci)
            if ids.uid is None:
                ids.uid = _next(self._uids, 1, _MAX_UID, "uid")
            if ids.fid is None:
                ids.fid = _next(self._fids, 0, _MAX_FID, "fid")


def _addresses(domain: Domain) -> Iterator[PciAddress]:
    """The PCI addresses of all devices; those of bridges come last, because bridges are added for the others."""
    devices = sorted(domain.devices.all(), key=lambda device: isinstance(device, Controller) and device.type == "pci")
    for device in devices:
        address = cast(Address | None, getattr(device, "address", None))
        if isinstance(address, PciAddress):
            yield address


def _reserve(taken: set[int], value: int | None, name: str) -> None:
    if value is None:
        return
    if value in taken:
        raise InternalError(f"zPCI {name} {value:o} is already reserved")
    taken.add(value)


def _next(taken: set[int], low: int, high: int, name: str) -> int:
    value = low
    while value in taken:
        if value == high:
            raise InternalError(f"There is no more free {name}.")
        value += 1
    taken.add(value)
    return value
