"""How a disk is driven: cache, errors, queues, and the sizes and shapes that the guest sees.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`driver`, `geometry`, `blockio`).
"""

from __future__ import annotations

from guesthouse.model.binding import attr, element, opt
from guesthouse.model.domain.devices.storage import CACHE_MODES, FORMATS
from guesthouse.model.kinds import ON_OFF, UINT, integer, one_of


@element("driver")
class DiskDriver:
    """How the image is read and written."""

    name: str | None = opt(one_of("qemu"))
    type: str | None = opt(one_of(*FORMATS))
    cache: str | None = opt(one_of("default", *CACHE_MODES))
    error_policy: str | None = opt(one_of("default", "stop", "report", "ignore", "enospace"))
    rerror_policy: str | None = opt(one_of("default", "stop", "report", "ignore"))
    io: str | None = opt(one_of("native", "threads", "io_uring"))
    ioeventfd: bool | None = opt(ON_OFF)
    event_idx: bool | None = opt(ON_OFF)
    copy_on_read: bool | None = opt(ON_OFF)
    discard: str | None = opt(one_of("unmap", "ignore"))
    iothread: int | None = opt(integer(1, 2**32 - 1))
    detect_zeroes: str | None = opt(one_of("off", "on", "unmap"))
    discard_no_unref: bool | None = opt(ON_OFF)
    queues: int | None = opt(integer(1, 65535))
    queue_size: int | None = opt(integer(1, 65535))
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)

    def parsed(self) -> None:
        """`default` says nothing: it is the same as no attribute."""
        for name in ("cache", "error_policy", "rerror_policy"):
            if getattr(self, name) == "default":
                setattr(self, name, None)


@element("geometry")
class Geometry:
    """The geometry that a BIOS is told, in cylinders, heads and sectors."""

    cyls: int = attr(UINT)
    heads: int = attr(UINT)
    secs: int = attr(UINT)
    trans: str | None = opt(one_of("auto", "none", "lba"))


@element("blockio")
class BlockIo:
    """Sizes of blocks in bytes, as the guest sees them."""

    logical_block_size: int | None = opt(UINT)
    physical_block_size: int | None = opt(UINT)
    discard_granularity: int | None = opt(UINT)
