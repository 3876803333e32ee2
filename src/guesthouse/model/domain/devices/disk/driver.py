"""How a disk is driven: cache, errors, queues, and the sizes and shapes that the guest sees.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`driver`, `geometry`, `blockio`).
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, content, default, element, one, opt
from guesthouse.model.domain.devices.iothread_mapping import IothreadList, IothreadMapping
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, ULL, Kind, integer, one_of

#: libvirt's format to QEMU's driver; None for what is no format of an image in QEMU.
FORMATS: Final[dict[str, str | None]] = {
    "raw": "raw",
    "bochs": "bochs",
    "cloop": "cloop",
    "dmg": "dmg",
    "vdi": "vdi",
    "vpc": "vpc",
    "vhd": "vhdx",
    "ploop": "parallels",
    "qcow": "qcow",
    "qcow2": "qcow2",
    "qed": "qed",
    "vmdk": "vmdk",
    "fat": "raw",
    "cow": None,
    "dir": None,
    "iso": None,
}
#: Those that can lie on another image.
WITH_BACKING: Final = ("qcow", "qcow2", "qed", "vmdk", "cow")

#: Cache mode to the nodes' flags (direct, no-flush) and the device's write cache.
CACHE_MODES: Final[dict[str, tuple[bool, bool, bool]]] = {
    "none": (True, False, True),
    "writethrough": (False, False, False),
    "writeback": (False, False, True),
    "directsync": (True, False, False),
    "unsafe": (False, True, True),
}


def _format(text: str) -> str:
    if text == "aio":  # as old Xen guests have it
        return "raw"
    if text not in FORMATS:
        raise UnsupportedConfigError(f"unknown driver format value '{text}'")
    return text


#: The format of an image.
FORMAT: Final = Kind(one_of(*FORMATS).name, _format, str, plain=True)


@element("max_size")
class MaxSize:
    """A size; libvirt writes it in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into bytes."""
        self.bytes_ = in_bytes(self.bytes_, self.unit)
        self.unit = "bytes"


@element("metadata_cache", omit_empty=True)
class MetadataCache:
    """How much of a qcow2 image's tables QEMU keeps in memory."""

    max_size: MaxSize | None = one(MaxSize)


@element("driver", omit_empty=True)
class DiskDriver:
    """How the image is read and written."""

    name: str | None = opt(TEXT)
    type: str | None = opt(FORMAT)
    cache: str | None = opt(one_of("default", *CACHE_MODES))
    error_policy: str | None = opt(one_of("stop", "report", "ignore", "enospace"))
    rerror_policy: str | None = opt(one_of("stop", "report", "ignore", "enospace"))
    io: str | None = opt(one_of("native", "threads", "io_uring"))
    ioeventfd: bool | None = opt(ON_OFF)
    event_idx: bool | None = opt(ON_OFF)
    copy_on_read: bool | None = opt(ON_OFF)
    discard: str | None = opt(one_of("unmap", "ignore"))
    iothread: int | None = opt(integer(1, 2**32 - 1))
    detect_zeroes: str | None = opt(one_of("off", "on", "unmap"))
    discard_no_unref: bool | None = opt(ON_OFF)
    queues: int | None = opt(UINT)
    queue_size: int | None = opt(UINT)
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
    metadata_cache: MetadataCache | None = one(MetadataCache)
    iothreads: IothreadList | None = one(IothreadList)

    def parsed(self) -> None:
        """`default` and zero say nothing. A failed read has no policy of its own for a full disk."""
        if self.cache == "default":
            self.cache = None
        self.queues = self.queues or None
        self.queue_size = self.queue_size or None
        if self.rerror_policy == "enospace":
            raise UnsupportedConfigError("Invalid disk read error policy: 'enospace'")

    @property
    def metadata_bytes(self) -> int | None:
        """The most that the tables may take in memory."""
        cache = self.metadata_cache
        return cache.max_size.bytes_ or None if cache is not None and cache.max_size is not None else None

    @property
    def mapping(self) -> list[IothreadMapping]:
        """The threads of the queues."""
        return self.iothreads.threads if self.iothreads is not None else []


@element("geometry")
class Geometry:
    """The geometry that a BIOS is told, in cylinders, heads and sectors."""

    cyls: int = attr(UINT)
    heads: int = attr(UINT)
    secs: int = attr(UINT)
    trans: str | None = opt(one_of("auto", "none", "lba"))


@element("blockio", omit_empty=True)
class BlockIo:
    """Sizes of blocks in bytes, as the guest sees them."""

    logical_block_size: int | None = opt(UINT)
    physical_block_size: int | None = opt(UINT)
    discard_granularity: int | None = opt(UINT)

    def parsed(self) -> None:
        """Zero is no size."""
        for name in ("logical_block_size", "physical_block_size", "discard_granularity"):
            setattr(self, name, getattr(self, name) or None)


def check_format(format_: str | None) -> None:
    """Raise `UnsupportedConfigError` for what libvirt has a name for and QEMU cannot read."""
    if format_ == "cow":
        raise UnsupportedConfigError("'cow' storage format is not supported")
    if format_ == "dir":
        raise UnsupportedConfigError(
            "'directory' storage format is not directly supported by QEMU, use 'dir' disk type instead"
        )
    if format_ == "iso":
        raise UnsupportedConfigError("storage format 'iso' is not directly supported by QEMU, use 'raw' instead")
