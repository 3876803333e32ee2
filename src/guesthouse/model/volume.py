"""A storage volume: `<volume>`, as a pool of files shows it.

Format: https://libvirt.org/formatstorage.html#storage-volume-xml
"""

from __future__ import annotations

from guesthouse.model.binding import Style, attr, content, default, element, leaf, one, opt_leaf, write
from guesthouse.model.kinds import TEXT, ULL, one_of
from guesthouse.model.pool import Allocation, Capacity, Permissions
from guesthouse.model.xmltext import Lines


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
    """When the file was read, written and changed: seconds since 1970, with nine digits of fraction."""

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


@element("target")
class VolumeTarget:
    """The file of a volume."""

    path: str = leaf(TEXT)
    format: Format | None = one(Format)
    permissions: Permissions | None = one(Permissions)
    timestamps: Timestamps | None = one(Timestamps)
    compat: str | None = opt_leaf(TEXT)
    cluster_size: ClusterSize | None = one(ClusterSize)
    features: Features | None = one(Features)


@element("backingStore")
class BackingStore:
    """The image that a volume lies on."""

    path: str = leaf(TEXT)
    format: Format | None = one(Format)


@element("volume")
class Volume:
    """A volume; in a pool of files its key is its path."""

    type: str = attr(one_of("file", "block", "dir", "network", "netdir", "ploop"))
    name: str = leaf(TEXT)
    key: str | None = opt_leaf(TEXT)
    capacity: Capacity | None = one(Capacity)
    allocation: Allocation | None = one(Allocation)
    physical: Physical | None = one(Physical)
    target: VolumeTarget | None = one(VolumeTarget)
    backing: BackingStore | None = one(BackingStore)


def format_volume(volume: Volume) -> str:
    """The volume as libvirt writes it."""
    lines = Lines()
    write(volume, lines, Style())
    return lines.text()
