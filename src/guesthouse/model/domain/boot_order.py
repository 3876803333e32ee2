"""Which device the firmware tries first: from `<boot order='…'/>` of the devices, or `<boot dev='…'/>` of `<os>`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import BootOrder, Device
from guesthouse.model.domain.os import BootDevice

#: `device` of a disk to the word of `<boot dev='…'/>`.
_WORDS: Final = {"disk": "hd", "lun": "hd", "cdrom": "cdrom", "floppy": "fd"}


def _ordered(domain: Domain) -> Iterator[tuple[int, Device]]:
    for device in domain.devices.all():
        boot = cast(BootOrder | None, getattr(device, "boot", None))
        if boot is not None:
            yield boot.order, device


def complete(domain: Domain) -> None:
    """Boot from the first disk where nothing is said.

    Raises `UnsupportedConfigError` where two devices have the same place, or both ways of ordering are used.
    """
    seen: set[int] = set()
    for order, _device in _ordered(domain):
        if order in seen:
            raise UnsupportedConfigError(f"boot order '{order}' used for more than one device")
        seen.add(order)
    if domain.os.boot and seen:
        raise UnsupportedConfigError("per-device boot elements cannot be used together with os/boot elements")
    if not domain.os.boot and not seen:
        domain.os.boot = [new(BootDevice, dev="hd")]


def boot_indexes(domain: Domain) -> dict[str, int]:
    """Alias to QEMU's boot index: the first device of every class that `<os>` names, or what the devices say."""
    indexes = {device.name: order for order, device in _ordered(domain)}
    if indexes:
        return indexes
    places: dict[str, int] = {}
    for number, boot in enumerate(domain.os.boot, 1):
        places.setdefault(boot.dev, number)
    for disk in domain.devices.disks:
        place = places.pop(_WORDS[disk.device], None)
        if place is not None:
            indexes[disk.name] = place
    network = places.get("network")
    if network is not None and domain.devices.interfaces:
        indexes[domain.devices.interfaces[0].name] = network
    return indexes
