"""The images of a disk: their numbers, and what each node of QEMU has to know of its image.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`backingStore`, `index`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from guesthouse.model.binding import new
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.chain import BackingStore
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.domain.devices.disk.parts import ThrottleFilter
from guesthouse.model.domain.devices.disk.source import DataStore, Source
from guesthouse.model.qemu_objects import Blockdev, QemuObject

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.device import Disk


def number(disk: Disk, first: int, *, detected: bool) -> int:
    """Give the images of a chain that the definition gives, or those that were `detected`, a number from `first` on.

    The next free number is returned. An empty drive takes a number too: that of the medium to come. The filters of
    throttle groups follow the images that are given.
    """
    if disk.type == "vhostuser" or disk.bus == "sd":
        return first
    if disk.source is None or disk.empty:
        return first if detected else _number_filters(disk, first + 1)
    following = first
    if not detected:
        disk.source.index = following
        following += 1
    following = _number_data(disk.source.data_store, following, detected=detected)
    for store in disk.chain():
        if bool(store.detected) == detected:
            store.index = following
            following += 1
        if store.source is not None:
            following = _number_data(store.source.data_store, following, detected=detected)
    return following if detected else _number_filters(disk, following)


def numbers(disk: Disk) -> list[int]:
    """The numbers of all images, those of what the disk is copied to included."""
    found = [disk.source.index or 0] if disk.source is not None else []
    for image in of(disk):
        found += [image.index, *([image.data.index] if image.data is not None else [])]
    mirror = disk.mirror
    if mirror is not None and mirror.source is not None:
        found.append(mirror.source.index or 0)
        store = mirror.backing
        while store is not None:
            found.append(store.index or 0)
            store = store.backing
    return found + [item.number or 0 for item in _throttled(disk)]


def of(disk: Disk) -> list[Image]:
    """The images, the one that is written first. Empty for an empty drive."""
    found = disk.actual
    driver = disk.settings
    if found is None or disk.source is None:
        return []
    common = Image(
        disk.source.index or 0,
        *found,
        driver.type or "raw",
        readonly=True,
        cache=disk.cache,
        io=driver.io,
        discard=driver.discard,
        discard_no_unref=driver.discard_no_unref,
        floppy=disk.device == "floppy",
    )
    top = dataclasses.replace(
        common,
        readonly=disk.readonly,
        detect_zeroes=driver.detect_zeroes,
        metadata_bytes=driver.metadata_bytes,
        auth=found[1].auth if disk.type == "volume" else disk.login,
        encryption=disk.effective_encryption,
    )
    top = dataclasses.replace(top, data=_data_image(top, disk.source.data_store))
    return [top, *(_backing_image(common, store) for store in disk.chain())]


def top_node(disk: Disk) -> str | None:
    """The node that the drive is put on; None for an empty drive."""
    layers = of(disk)
    if not layers or disk.type == "vhostuser":
        return None
    filters = _filters(disk)
    if filters:
        return filters[-1][0]
    return _copy_node(disk) if disk.settings.copy_on_read else layers[0].node


def backend(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    """The block nodes with their secrets, the deepest first; then what filters them."""
    layers = of(disk)
    made: list[QemuObject] = []
    for place in reversed(range(len(layers))):
        below = layers[place + 1] if place + 1 < len(layers) else None
        made.extend(layers[place].objects(ctx, below, ended=_ended(disk)))
    if not layers:
        return made
    top = layers[0].node
    if disk.settings.copy_on_read:
        node = _copy_node(disk)
        made.append(Blockdev({"driver": "copy-on-read", "node-name": node, "file": top, "discard": "unmap"}))
        top = node
    for node, group in _filters(disk):
        made.append(
            Blockdev({"driver": "throttle", "node-name": node, "throttle-group": f"throttle-{group}", "file": top})
        )
        top = node
    return made


def _copy_node(disk: Disk) -> str:
    return f"libvirt-CoR-{disk.target.dev}"


def _ended(disk: Disk) -> bool:
    store = disk.backing
    while store is not None and not store.end:
        store = store.backing
    return store is not None


def _filters(disk: Disk) -> list[tuple[str, str]]:
    """The nodes of the throttle groups, each with its group, the one nearest to the image first."""
    if disk.source is None or disk.empty:
        return []
    return [(f"libvirt-{item.number or 0}-filter", item.group) for item in _throttled(disk)]


def _throttled(disk: Disk) -> list[ThrottleFilter]:
    return disk.filters.filters if disk.filters is not None else []


def _number_filters(disk: Disk, number: int) -> int:
    for item in _throttled(disk):
        item.number = number
        number += 1
    return number


def _number_data(store: DataStore | None, number: int, *, detected: bool) -> int:
    if store is None or store.source is None or bool(store.detected) != detected:
        return number
    store.source.index = number
    return number + 1


def _data_image(owner: Image, store: DataStore | None) -> Image | None:
    """The data of a qcow2 image, read and written as the image itself."""
    if store is None or store.source is None:
        return None
    return dataclasses.replace(
        owner,
        index=store.source.index or 0,
        type=store.type,
        source=store.source,
        format="raw",
        discard_no_unref=None,
        metadata_bytes=None,
        auth=store.source.auth,
        encryption=store.source.encryption,
        data=None,
    )


def _backing_image(common: Image, store: BackingStore) -> Image:
    source = store.source or new(Source)
    cache = store.format.metadata_cache if store.format is not None else None
    image = dataclasses.replace(
        common,
        index=store.index or 0,
        type=store.type or "file",
        source=source,
        format=store.format.type if store.format is not None else "raw",
        metadata_bytes=cache.max_size.bytes_ or None if cache is not None and cache.max_size is not None else None,
        auth=source.auth,
        encryption=source.encryption,
    )
    return dataclasses.replace(image, data=_data_image(image, source.data_store))
