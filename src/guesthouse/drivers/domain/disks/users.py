"""Which guests have which image, for those who keep the images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guesthouse.model.domain.devices.disk.source import PlainSource

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.registry import Registry
    from guesthouse.model.domain.definition import Domain
    from guesthouse.model.domain.devices.disk.device import Disk

#: Where an image is: its path (that on its server for what is on one), or the names of its pool and of the volume.
Image = str | tuple[str, str]


def users(registry: Registry, *, running: bool = False) -> Iterator[tuple[Image, Guest, str, bool]]:
    """Every image of every guest's disks, those below included: who has it, as which target, and whether it runs so.

    What a running guest boots from next time is told too, where it does not run with it. With `running` only what runs
    is told of.
    """
    for guest in list(registry.by_id.values() if running else registry):
        told: set[tuple[Image, str]] = set()
        if guest.active:
            for image, target in _images(guest.current):
                told.add((image, target))
                yield image, guest, target, True
        if running:
            continue
        for image, target in _images(guest.next_boot):
            if (image, target) not in told:
                told.add((image, target))
                yield image, guest, target, False


def _images(definition: Domain) -> Iterator[tuple[Image, str]]:
    for disk in definition.devices.disks:
        for source in _sources(disk):
            for image in _names(source):
                yield image, disk.target.dev


def _sources(disk: Disk) -> Iterator[PlainSource]:
    tops = [disk.source, disk.mirror.source if disk.mirror is not None else None]
    for source in [*tops, *(store.source for store in disk.chain())]:
        if source is None:
            continue
        yield source
        if source.resolved is not None:
            yield source.resolved
        if source.data_store is not None and source.data_store.source is not None:
            yield source.data_store.source


def _names(source: PlainSource) -> Iterator[Image]:
    if source.path:
        yield os.path.normpath(source.path)
    if source.name and source.protocol:
        yield source.name
    if source.pool and source.volume:
        yield source.pool, source.volume
