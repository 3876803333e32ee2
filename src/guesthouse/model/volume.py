"""A storage volume: `<volume>`, as a pool shows it, and as a client asks for a new one.

Format: https://libvirt.org/formatstorage.html#storage-volume-xml
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    clone,
    content,
    default,
    element,
    flag,
    leaf,
    many,
    new,
    one,
    opt_leaf,
    read,
    unbound,
    write,
)
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import TEXT, ULL, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.pool import Allocation, Capacity, Permissions
from guesthouse.model.pool_types import POOL_TYPES
from guesthouse.model.xml_extension import Extension, Option
from guesthouse.model.xmltext import Lines, parse_document

#: How the document says which guests have a volume, for which libvirt's format has no words.
USERS: Final = Extension(
    "guesthouse", "urn:guesthouse:volume:users:1", "users", ("name", "uuid", "target", "running"), item="guest"
)


@element("physical")
class Physical:
    """The length of the file, in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)


@element("format")
class Format:
    """What kind of image it is: `raw`, `qcow2`, `dir`…"""

    type: str = attr(TEXT)


@element("timestamps")
class Timestamps:
    """When the file was read, written, changed and made: seconds since 1970, with nine digits of fraction.

    Void on input. When it was made is always 0, as libvirt has it on Linux.
    """

    atime: str | None = opt_leaf(TEXT)
    mtime: str | None = opt_leaf(TEXT)
    ctime: str | None = opt_leaf(TEXT)
    btime: str | None = opt_leaf(TEXT)


@element("clusterSize")
class ClusterSize:
    """The unit in which a qcow2 image grows."""

    unit: str = default(TEXT, "B")
    bytes_: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into bytes."""
        self.bytes_, self.unit = in_bytes(self.bytes_, self.unit), "B"


@element("features")
class Features:
    """The optional features of a qcow2 image."""

    lazy_refcounts: bool = flag()
    extended_l2: bool = flag()


@element("target")
class VolumeTarget:
    """The file of a volume; where it lies is the pool's business.

    `nocow` is for a new file on Btrfs, and never shown.
    """

    path: str | None = opt_leaf(TEXT)
    format: Format | None = one(Format)
    permissions: Permissions | None = one(Permissions)
    timestamps: Timestamps | None = one(Timestamps)
    encryption: Encryption | None = one(Encryption)
    compat: str | None = opt_leaf(one_of("0.10", "1.1"))
    nocow: bool = flag()
    cluster_size: ClusterSize | None = one(ClusterSize)
    features: Features | None = one(Features)

    def parsed(self) -> None:
        """Features came with version 1.1."""
        if self.features is not None:
            self.compat = self.compat or "1.1"


@element("backingStore")
class BackingStore:
    """The image that a volume lies on. All but path and format is shown, and void on input."""

    path: str = leaf(TEXT)
    format: Format | None = one(Format)
    permissions: Permissions | None = one(Permissions)
    timestamps: Timestamps | None = one(Timestamps)


@element("extent")
class Extent:
    """A part of a device, in bytes."""

    start: int = attr(ULL)
    end: int = attr(ULL)


@element("device")
class VolumeDevice:
    """A device of the pool's that holds parts of the volume."""

    path: str = attr(TEXT)
    extents: list[Extent] = many(Extent)


@element("source", omit_empty=True)
class VolumeSource:
    """Where on the pool's devices the volume is: shown, and void on input."""

    devices: list[VolumeDevice] = many(VolumeDevice)


@element("volume")
class Volume:
    """A volume; in a pool of files its key is its path."""

    type: str = default(one_of("file", "block", "dir", "network", "netdir", "ploop"), "file")
    name: str = leaf(TEXT)
    key: str | None = opt_leaf(TEXT)
    source: VolumeSource | None = one(VolumeSource)
    capacity: Capacity | None = one(Capacity)
    allocation: Allocation | None = one(Allocation)
    physical: Physical | None = one(Physical)
    target: VolumeTarget | None = one(VolumeTarget)
    backing: BackingStore | None = one(BackingStore)
    #: The guests that have it: name, UUID, target of the disk, and `yes` where the guest runs. Void on input.
    users: tuple[Option, ...] = unbound(())


def parse_volume(xml: str, *, validate: bool = False) -> Volume:
    """The volume that `xml` asks for. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    node = parse_document(xml, "volume", "storage_volume_definition")
    if node.find("name") is None:
        raise LibvirtError("missing volume name element", code=Code.XML_ERROR, domain=Origin.STORAGE)
    backing = node.find("backingStore")
    if backing is not None and not backing.findtext("path"):
        node.remove(backing)
    for size in ("capacity", "allocation"):
        empty = node.find(size)
        if empty is not None and not empty.text:
            node.remove(empty)
    reading = Reading(validate=validate)
    with noticed_by(Origin.STORAGE):
        USERS.take(node, reading)
        volume = read(Volume, node, reading)
    volume.source = None
    if "/" in volume.name or volume.name in ("", ".", ".."):
        raise OperationInvalidError(f"volume name '{volume.name}' cannot contain '/'", domain=Origin.STORAGE)
    return volume


def complete_volume(volume: Volume, pool_type: str) -> Volume:
    """The volume with what a pool of this type fills in, and without what only an existing one has."""
    whole = clone(volume)
    kind = POOL_TYPES[pool_type].volume_format
    target = whole.target = whole.target or new(VolumeTarget)
    whole.physical = target.timestamps = None
    target.format = None if kind is None else target.format or new(Format, type=kind)
    if whole.backing is not None:
        whole.backing.timestamps = None
        whole.backing.format = None if kind is None else whole.backing.format or new(Format, type=kind)
    whole.capacity = whole.capacity or new(Capacity, bytes_=0)
    whole.allocation = whole.allocation or new(Allocation, bytes_=whole.capacity.bytes_)
    return whole


def format_volume(volume: Volume) -> str:
    """The volume as libvirt writes it."""
    if volume.target is not None and volume.target.nocow:
        volume = clone(volume)
        if volume.target is not None:
            volume.target.nocow = False
    lines = Lines()
    write(volume, lines, Style())
    USERS.add(volume.users, lines)
    return lines.text()
