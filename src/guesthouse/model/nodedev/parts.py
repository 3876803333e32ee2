"""What devices of several kinds have: identifiers with names, addresses, types of mediated devices.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.binding import attr, default, element, leaf, many, opt_content, opt_leaf
from guesthouse.model.kinds import TEXT, UINT, hexadecimal, one_of

_ID: Final = hexadecimal(4, 0xFFFF)


class Capability:
    """What a device is or can do; `type` says what."""

    __slots__ = ()

    type: str


@element("product")
class Product:
    """The device's number and name."""

    id: int = attr(_ID)
    name: str | None = opt_content(TEXT)


@element("vendor")
class Vendor:
    """The maker's number and name."""

    id: int = attr(_ID)
    name: str | None = opt_content(TEXT)


@element("address")
class PciPlace:
    """A place on the host's PCI bus."""

    domain: int = attr(hexadecimal(4, 2**32 - 1))
    bus: int = attr(hexadecimal(2, 0xFF))
    slot: int = attr(hexadecimal(2, 0x1F))
    function: int = attr(hexadecimal(1, 7))


@element("type")
class MdevType:
    """A type of mediated devices, and how many more can be made."""

    id: str = attr(TEXT)
    name: str | None = opt_leaf(TEXT)
    device_api: str = leaf(TEXT, "deviceAPI")
    available_instances: int = leaf(UINT, "availableInstances")


@element("capability")
class MdevTypes(Capability):
    """The device can be divided into mediated devices."""

    type: str = default(one_of("mdev_types"), "mdev_types")
    types: list[MdevType] = many(MdevType)
