"""USB devices of the host, as sysfs lists them.

Source: Documentation/ABI/testing/sysfs-bus-usb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.errors import InternalError, OperationFailedError, Origin
from guesthouse.host.sysfs import HostTree, read_int

HOST: Final = HostTree()


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One device: the host's numbers for bus and device, and who made it."""

    bus: int
    device: int
    vendor: int
    product: int


def devices(tree: HostTree = HOST) -> list[UsbDevice]:
    """All of them, by bus and number."""
    found = []
    try:
        entries = list((tree.sys / "bus/usb/devices").iterdir())
    except OSError:
        return []
    for path in entries:
        numbers = (
            read_int(path / "busnum"),
            read_int(path / "devnum"),
            read_int(path / "idVendor", 16),
            read_int(path / "idProduct", 16),
        )
        bus, device, vendor, product = numbers
        if bus is not None and device is not None and vendor is not None and product is not None:
            found.append(UsbDevice(bus, device, vendor, product))
    return sorted(found, key=lambda item: (item.bus, item.device))


def find(
    vendor: int | None, product: int | None, place: tuple[int, int] | None, tree: HostTree = HOST
) -> tuple[int, int]:
    """Bus and number of the device that has this vendor and product, and is at this place, as far as they are given.

    Raises `InternalError` where there is none, `OperationFailedError` where several have the same ids.
    """
    found = [
        item
        for item in devices(tree)
        if (vendor is None or (item.vendor, item.product) == (vendor, product))
        and (place is None or (item.bus, item.device) == place)
    ]
    name = f"{vendor:x}:{product:x}" if vendor is not None else ""
    if not found and place is None:
        raise InternalError(f"Did not find USB device {name}", domain=Origin.NONE)
    if not found and place is not None:
        raise InternalError(
            "Did not find USB device {}bus:{} device:{}".format(f"{name} " if name else "", *place), domain=Origin.NONE
        )
    if len(found) > 1:
        raise OperationFailedError(
            f"Multiple USB devices for {name} were found, please use <address> to specify one", domain=Origin.NONE
        )
    return found[0].bus, found[0].device
