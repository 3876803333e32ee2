"""What a document asks for, checked against the pool and made complete.

Source: https://libvirt.org/formatstorage.html#storage-volume-xml; texts and codes are libvirt's.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.pool import Allocation, Capacity
from guesthouse.model.pool_types import POOL_TYPES, volume_formats
from guesthouse.model.volume import Format, Volume, complete_volume, parse_volume

#: Flags of `virStorageVolCreateXML` and its sibling.
PREALLOCATE_METADATA: Final = 1
REFLINK: Final = 2
VALIDATE: Final = 4


def wanted_volume(xml: str, pool_type: str, flags: int, *, needs_capacity: bool) -> Volume:
    """The new volume that a document asks for. Raises what `parse_volume` raises."""
    volume = parse_volume(xml, validate=bool(flags & VALIDATE))
    if volume.capacity is None:
        if volume.backing is None:
            raise XmlError("missing capacity element", domain=Origin.STORAGE)
        if needs_capacity:
            raise LibvirtError(
                "volume capacity required for this storage pool", code=Code.NO_SUPPORT, domain=Origin.STORAGE
            )
    elif needs_capacity and not volume.capacity.bytes_:
        raise LibvirtError(
            "volume capacity required for this storage pool", code=Code.NO_SUPPORT, domain=Origin.STORAGE
        )
    return _complete(volume, pool_type)


def wanted_copy(xml: str, pool_type: str, flags: int, source: VolumeFacts) -> Volume:
    """The copy that a document asks for: never smaller than its source. Raises what `parse_volume` raises."""
    volume = parse_volume(xml, validate=bool(flags & VALIDATE))
    asked = 0 if volume.capacity is None else volume.capacity.bytes_
    volume.capacity = new(Capacity, bytes_=max(asked, source.capacity))
    if volume.allocation is None:
        volume.allocation = new(Allocation, bytes_=volume.capacity.bytes_)
    return _complete(volume, pool_type)


def _complete(volume: Volume, pool_type: str) -> Volume:
    formats = volume_formats(pool_type)
    if POOL_TYPES[pool_type].volume_format == "raw":
        formats = tuple(name for name in formats if name != "none")  # libvirt lists it, and refuses it
    for found in (volume.target, volume.backing):
        if found is not None and formats:
            _check_format(found.format, formats)
    return complete_volume(volume, pool_type)


def _check_format(found: Format | None, formats: tuple[str, ...]) -> None:
    """Raise `UnsupportedConfigError` for a format that volumes cannot be called. Whether one can be made is not asked
    here: `qemu-img` knows.
    """
    if found is not None and found.type not in formats:
        raise UnsupportedConfigError(
            f"unknown volume format type {found.type}", domain=Origin.STORAGE, hint=f"use one of {', '.join(formats)}"
        )
