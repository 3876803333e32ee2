"""The labels that a definition gives the files and sockets of its devices.

Format: https://libvirt.org/formatdomain.html#security-label (`<seclabel>` within a `<source>`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.chardev import CharacterDevice, SourceLabel
from guesthouse.model.domain.devices.disk import Disk


def labels_of(devices: Iterable[Device]) -> Iterator[SourceLabel]:
    """All labels of these devices' sources: character devices', disks' and those of the images below them."""
    for device in devices:
        if isinstance(device, CharacterDevice):
            for source in device.sources:
                yield from source.seclabels
        elif isinstance(device, Disk):
            yield from device.source.labels if device.source is not None else ()
            for store in device.chain():
                yield from store.source.labels if store.source is not None else ()
