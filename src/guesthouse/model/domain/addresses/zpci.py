"""What an s390x guest knows its PCI functions by: a user-defined id (from 1) and a function id (from 0).

Source: https://libvirt.org/formatdomain.html#device-addresses (`zpci`), QEMU's `docs/system/s390x/pcidevices.rst`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from guesthouse.errors import InternalError
from guesthouse.model.binding import new
from guesthouse.model.domain.addresses.virtio_transport import in_order
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import Address, PciAddress, Zpci

_MAX_UID: Final = 0xFFFF
_MAX_FID: Final = 0xFFFFFFFF


def assign(domain: Domain) -> None:
    """Give every PCI function what it lacks of its ids. Those that have one of the two come first.

    Raises `InternalError` for an id that is given twice.
    """
    uids: set[int] = set()
    fids: set[int] = set()
    addresses = list(_addresses(domain))
    given = [address for address in addresses if address.zpci is not None]
    for ids in (address.zpci for address in given if address.zpci is not None):
        _reserve(uids, ids.uid, "uid")
        _reserve(fids, ids.fid, "fid")
    for address in (*given, *addresses):
        ids = address.zpci = address.zpci or new(Zpci)
        if ids.uid is None:
            ids.uid = _next(uids, 1, _MAX_UID, "uid")
        if ids.fid is None:
            ids.fid = _next(fids, 0, _MAX_FID, "fid")


def _addresses(domain: Domain) -> Iterator[PciAddress]:
    for device in in_order(domain):
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
