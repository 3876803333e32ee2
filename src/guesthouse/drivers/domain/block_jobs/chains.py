"""What becomes of a disk when a job on it has ended: its image, and the chain of images below. All of it is pure.

A place in a chain is 0 for the disk's own image, 1 for what that lies on, and so on. Every function that changes a disk
returns another one; the original stays as it is.

The definition follows what runs as libvirt has it: where it names the same images down to where the job worked, the
same is done to it; where only its uppermost image is the same, what it says of those below is forgotten, or the whole
is replaced if the job has moved the disk to another image.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Kind
from guesthouse.model.binding import Style, clone, new
from guesthouse.model.domain.device_document import format_device, parse_device
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.chain import BackingStore
from guesthouse.model.domain.devices.disk.driver import DiskDriver
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.domain.devices.disk.source import PlainSource, Source

_DEFINITION: Final = Style(live=False, secure=True)
#: What says where a source is, beside its type.
_LOCATION: Final = ("file", "dev", "dir_", "protocol", "name", "pool", "volume", "snapshot", "hosts", "address")


def place_of(disk: Disk, node: str) -> int | None:
    """The place of the image with this storage node."""
    return next((place for place, image in enumerate(disk.layers()) if image.storage_node == node), None)


def pulled(disk: Disk, base: int | None) -> Disk:
    """The disk with everything above `base` in its own image; with None it lies on nothing."""
    changed = clone(disk)
    changed.backing = _tail(changed, base) if base is not None else new(BackingStore)
    return changed


def committed(disk: Disk, top: int, base: int) -> Disk:
    """The disk with the images from `top` down to above `base` gone: what lay on `top` (not 0) lies on `base`."""
    changed = clone(disk)
    below = _tail(changed, base)
    if top == 1:
        changed.backing = below
    else:
        list(changed.chain())[top - 2].backing = below
    return changed


def sunk(disk: Disk, base: int) -> Disk:
    """The disk on the image at `base` (not 0) of its own chain."""
    changed = clone(disk)
    link = list(changed.chain())[base - 1]
    if link.source is not None:
        link.source.index = link.index
    return _moved(changed, link.type, link.source, link.format.type if link.format else None, link.backing, link)


def mirrored(disk: Disk, *, inherits: bool) -> Disk:
    """The disk on the image that it is being copied to (`<mirror>`); if that inherits, it lies on what the disk lies
    on.
    """
    changed = clone(disk)
    mirror = changed.mirror
    if mirror is None:
        return changed
    below = mirror.backing
    if inherits and (below is None or below.end):
        below = changed.backing
    format_ = mirror.format.type if mirror.format is not None else None
    return _moved(changed, mirror.type, mirror.source, format_, below, mirror)


def copy_of(disk: Disk) -> list[Image]:
    """The image that the disk is being copied to, if it is, and those that lie below that."""
    if disk.mirror is None or disk.mirror.job != Kind.COPY.value:
        return []
    return mirrored(disk, inherits=False).layers()


def copied_to(disk: Disk) -> list[Image]:
    """The image that the disk is being copied to, if it is."""
    return copy_of(disk)[:1]


def _moved(
    disk: Disk, kind: str | None, source: Source | None, format_: str | None, below: BackingStore | None, owner: object
) -> Disk:
    disk.type = kind or "file"
    disk.source = source
    disk.backing = below
    disk.auth = disk.encryption = disk.mirror = None
    disk.driver = disk.driver or new(DiskDriver)
    disk.driver.type = format_ or "raw"
    metadata = getattr(owner, "format", None)
    disk.driver.metadata_cache = metadata.metadata_cache if metadata is not None else None
    return disk


def _tail(disk: Disk, place: int) -> BackingStore:
    return list(disk.chain())[place - 1]


def end_of(disk: Disk, job: BlockJob, *, switched: bool) -> tuple[Disk, list[Image]]:
    """What the disk is after a job that ended well, and the images that are not in its chain any more.

    A job of two phases that has not `switched` leaves the disk as it was; a copy then leaves its images.
    """
    layers = disk.layers()
    if job.kind is Kind.COPY:
        return _end_of_copy(disk, job, switched=switched)
    base = place_of(disk, job.base) if job.base else None
    if job.kind is Kind.PULL:
        return pulled(disk, base), layers[1:base]
    if job.kind is Kind.ACTIVE_COMMIT and not switched:
        return without_mirror(disk), []
    top = 0 if job.kind is Kind.ACTIVE_COMMIT else place_of(disk, job.top)
    if base is None or top is None:
        return disk, []
    after = sunk(disk, base) if job.kind is Kind.ACTIVE_COMMIT else committed(disk, top, base)
    return after, layers[top:base]


def _end_of_copy(disk: Disk, job: BlockJob, *, switched: bool) -> tuple[Disk, list[Image]]:
    copy = mirrored(disk, inherits=job.inherits)
    left, kept = (disk, copy) if switched else (copy, disk)
    shared = {image.storage_node for image in kept.layers()}
    gone = [image for image in left.layers() if image.storage_node not in shared]
    return (copy if switched else without_mirror(disk)), gone


def without_mirror(disk: Disk) -> Disk:
    """The disk as it is when nothing is copied or committed from it."""
    changed = clone(disk)
    changed.mirror = None
    return changed


def defined_after(config: Disk, before: Disk, after: Disk, job: BlockJob) -> Disk:
    """What the definition's disk becomes when what runs has changed from `before` to `after`."""
    if job.kind is Kind.COPY:
        return _following(config, before, after)
    base = place_of(before, job.base) if job.base else None
    if not _same_chain(before, config, base):
        return _following(config, before, after) if job.kind is Kind.ACTIVE_COMMIT else _forgetting(config, before)
    if job.kind is Kind.PULL:
        return config if base == 1 else pulled(config, base)
    top = place_of(before, job.top)
    if base is None or top is None:
        return config
    return committed(config, top, base) if job.kind is Kind.COMMIT else sunk(config, base)


def _following(config: Disk, before: Disk, after: Disk) -> Disk:
    """On the image that the running disk has moved to, if it was on the same one before."""
    if not _same_place(before.type, before.source, config.type, config.source):
        return config
    moved = parse_device(format_device(after, _DEFINITION)).device
    if not isinstance(moved, Disk):
        return config
    changed = clone(config)
    format_ = moved.driver.type if moved.driver is not None else None
    startup = config.source.startup_policy if config.source is not None else None
    cache = changed.driver.metadata_cache if changed.driver is not None else None
    changed = _moved(changed, moved.type, moved.source, format_, moved.backing, None)
    if changed.source is not None:
        changed.source.startup_policy = startup
    if changed.driver is not None and format_ == "qcow2":
        changed.driver.metadata_cache = cache
    return changed


def _forgetting(config: Disk, before: Disk) -> Disk:
    """Without what it says of the images below its own, if that is the same one."""
    if not _same_place(before.type, before.source, config.type, config.source) or config.backing is None:
        return config
    changed = clone(config)
    changed.backing = None
    return changed


def _same_chain(one: Disk, other: Disk, bottom: int | None) -> bool:
    """Whether both name the same images down to `bottom`; with None to the end, and that is said in both or in none."""
    first, second = _said(one), _said(other)
    if bottom is not None:
        first, second = first[: bottom + 1], second[: bottom + 1]
    return len(first) == len(second) and all(_same_place(*a, *b) for a, b in zip(first, second, strict=True))


def _said(disk: Disk) -> list[tuple[str, PlainSource | None]]:
    """All images with their types, and an end that is said."""
    found: list[tuple[str, PlainSource | None]] = [(disk.type, disk.source)]
    store = disk.backing
    while store is not None:
        found.append((store.type or "", store.source))
        store = store.backing
    return found


def _same_place(kind: str, source: PlainSource | None, other_kind: str, other: PlainSource | None) -> bool:
    if source is None or other is None:
        return source is other
    if kind != other_kind and "volume" in (kind, other_kind):
        kind, source = _resolved(kind, source)
        other_kind, other = _resolved(other_kind, other)
    return kind == other_kind and all(getattr(source, name) == getattr(other, name) for name in _LOCATION)


def _resolved(kind: str, source: PlainSource) -> tuple[str, PlainSource]:
    return (source.resolved_type or kind), (source.resolved or source)
