"""A storage volume: `<volume>`, as a pool of files shows it, and as a client asks for a new one.

Format: https://libvirt.org/formatstorage.html#storage-volume-xml
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    content,
    default,
    element,
    flag,
    leaf,
    one,
    opt_leaf,
    read,
    write,
)
from guesthouse.model.kinds import TEXT, ULL, one_of
from guesthouse.model.pool import Allocation, Capacity, Permissions
from guesthouse.model.xmltext import Lines, parse_document


@element("physical")
class Physical:
    """The length of the file, in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)


@element("format")
class Format:
    """What kind of image it is: `raw`, `qcow2`, `dir`…"""

    type: str = attr(TEXT)


@element("timestamps", drops=("btime",))
class Timestamps:
    """When the file was read, written and changed: seconds since 1970, with nine digits of fraction. Void on input."""

    atime: str | None = opt_leaf(TEXT)
    mtime: str | None = opt_leaf(TEXT)
    ctime: str | None = opt_leaf(TEXT)


@element("clusterSize")
class ClusterSize:
    """The unit in which a qcow2 image grows."""

    unit: str = default(TEXT, "B")
    bytes_: int = content(ULL)


@element("features")
class Features:
    """The optional features of a qcow2 image."""

    lazy_refcounts: bool = flag()


@element("target")
class VolumeTarget:
    """The file of a volume; where it lies is the pool's business."""

    path: str | None = opt_leaf(TEXT)
    format: Format | None = one(Format)
    permissions: Permissions | None = one(Permissions)
    timestamps: Timestamps | None = one(Timestamps)
    compat: str | None = opt_leaf(TEXT)
    cluster_size: ClusterSize | None = one(ClusterSize)
    features: Features | None = one(Features)


@element("backingStore", drops=("permissions", "timestamps"))
class BackingStore:
    """The image that a volume lies on."""

    path: str = leaf(TEXT)
    format: Format | None = one(Format)


@element("volume", drops=("source",))
class Volume:
    """A volume; in a pool of files its key is its path."""

    type: str = default(one_of("file", "block", "dir", "network", "netdir", "ploop"), "file")
    name: str = leaf(TEXT)
    key: str | None = opt_leaf(TEXT)
    capacity: Capacity | None = one(Capacity)
    allocation: Allocation | None = one(Allocation)
    physical: Physical | None = one(Physical)
    target: VolumeTarget | None = one(VolumeTarget)
    backing: BackingStore | None = one(BackingStore)


def parse_volume(xml: str, *, validate: bool = False) -> Volume:
    """The volume that `xml` asks for. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    node = parse_document(xml, "volume", "storage_volume_definition")
    if node.find("name") is None:
        raise LibvirtError("missing volume name element", code=Code.XML_ERROR, domain=Origin.STORAGE)
    volume = read(Volume, node, Reading(validate=validate))
    if "/" in volume.name or volume.name in ("", ".", ".."):
        raise OperationInvalidError(f"volume name '{volume.name}' cannot contain '/'", domain=Origin.STORAGE)
    return volume


def format_volume(volume: Volume) -> str:
    """The volume as libvirt writes it."""
    lines = Lines()
    write(volume, lines, Style())
    return lines.text()
