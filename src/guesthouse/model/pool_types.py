"""The types of storage pools: which parts of a source each has, and the formats of pools and volumes.

Format: https://libvirt.org/formatstorage.html and https://libvirt.org/storage.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FILES: Final = "raw"

#: What volumes of files can be called, and partitions.
IMAGE_FORMATS: Final = (
    "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2",
    "qed", "vmdk",
)  # fmt: skip
PARTITION_FORMATS: Final = (
    "none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PoolType:
    """A type. `parts` are the elements of its `<source>` that locate the storage; `formats` those of the pool, the
    first being what it has where a document leaves it open; `volume_format` the same for volumes, None where they have
    no format. `path` is where the pool is on the host, with `{}` for the source's name, where that is no choice.
    """

    parts: frozenset[str]
    formats: tuple[str, ...] = ()
    volume_format: str | None = None
    on_network: bool = False
    path: str | None = None


def _type(
    *parts: str,
    formats: tuple[str, ...] = (),
    volume_format: str | None = None,
    on_network: bool = False,
    path: str | None = None,
) -> PoolType:
    return PoolType(frozenset(parts), formats, volume_format, on_network, path)


POOL_TYPES: Final[dict[str, PoolType]] = {
    "dir": _type(volume_format=_FILES),
    "fs": _type(
        "device",
        formats=(
            "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2",
            "vmfs",
        ),
        volume_format=_FILES,
    ),
    "netfs": _type("host", "dir", formats=("auto", "nfs", "glusterfs", "cifs"), volume_format=_FILES),
    "logical": _type("name", "device", formats=("lvm2", "unknown"), path="/dev/{}"),
    "disk": _type(
        "device",
        formats=("unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2"),
        volume_format="none",
    ),
    "iscsi": _type("host", "device", "initiator"),
    "iscsi-direct": _type("host", "device", "initiator", on_network=True),
    "scsi": _type("adapter"),
    "mpath": _type(),
    "rbd": _type("host", "name", on_network=True, volume_format=_FILES),
    "sheepdog": _type("host", "name", on_network=True),
    "gluster": _type("host", "name", "dir", on_network=True, volume_format=_FILES),
    "zfs": _type("name", "device", path="/dev/zvol/{}"),
    "vstorage": _type("name", volume_format=_FILES),
}  # fmt: skip


def volume_formats(kind: str) -> tuple[str, ...]:
    """The formats that volumes of a type of pools can have; none where they have no format."""
    if POOL_TYPES[kind].volume_format is None:
        return ()
    return PARTITION_FORMATS if kind == "disk" else IMAGE_FORMATS
