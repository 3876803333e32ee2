"""Disks: what guests have read and written, and how large the images are."""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.block_jobs.chains import copied_to
from guesthouse.drivers.domain.disks.image_sizes import SizeOf
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.typed import STRING, UINT, ULLONG, Param
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.nodes import Image

#: Name of a counter here, and QEMU's.
_COUNTERS: Final = (
    ("rd.reqs", "rd_operations"),
    ("rd.bytes", "rd_bytes"),
    ("rd.times", "rd_total_time_ns"),
    ("wr.reqs", "wr_operations"),
    ("wr.bytes", "wr_bytes"),
    ("wr.times", "wr_total_time_ns"),
    ("fl.reqs", "flush_operations"),
    ("fl.times", "flush_total_time_ns"),
)
#: Name of a size here, and what QEMU calls it.
_SIZES: Final = (("capacity", "virtual-size"), ("physical", "actual-size"))


def gather(guest: Guest, found: list[Param], *, backing: bool, size_of: SizeOf) -> None:
    """`block.*`: one record a disk, or with `backing` one an image of each chain, and of what a disk is copied to.

    Times in nanoseconds, sizes in bytes; `size_of` tells those of a guest that is off.
    """
    records: list[Param] = []
    count = 0
    for disk in guest.current.devices.disks:
        layers: list[Image | None] = [*disk.layers()] or [None]
        layers = [*layers, *copied_to(disk)] if backing else layers[:1]
        for depth, image in enumerate(layers):
            prefix = f"block.{count}."
            records += [
                (prefix + name, kind, value) for name, kind, value in _record(guest, disk, image, depth, size_of)
            ]
            count += 1
    found.append(("block.count", UINT, count))
    found += records


def _record(guest: Guest, disk: Disk, image: Image | None, depth: int, size_of: SizeOf) -> list[Param]:
    found: list[Param] = [("name", STRING, disk.target.dev)]
    if image is not None and image.source.path:
        found.append(("path", STRING, image.source.path))
    if image is not None and image.index:
        found.append(("backingIndex", UINT, image.index))
    if guest.run is None:
        sizes = size_of(image.source.path) if image is not None and image.source.path else None
        if sizes is not None:
            named = (("allocation", sizes.allocation), ("capacity", sizes.capacity), ("physical", sizes.physical))
            found += [(name, ULLONG, value) for name, value in named if value]
        return found
    if depth == 0:
        counters = disk_counters(guest.run, disk)
        found += [(name, ULLONG, counters[key]) for name, key in _COUNTERS if key in counters]
    if image is not None:
        found += _image(guest.run, disk, image, depth)
    return found


def _image(run: Run, disk: Disk, image: Image, depth: int) -> list[Param]:
    node = run.readings.nodes.get(image.node) or run.readings.nodes.get((depth == 0 and disk.node()) or "", {})
    counters = run.readings.node_counters.get(image.node) or (disk_counters(run, disk) if depth == 0 else {})
    found: list[Param] = []
    if counters:
        found.append(("allocation", ULLONG, counters.get("wr_highest_offset", 0)))
    if "virtual-size" in node:  # what is no file has no other size
        node = {"actual-size": node["virtual-size"], **node}
    found += [(name, ULLONG, node[key]) for name, key in _SIZES if key in node]
    threshold = run.readings.nodes.get(image.storage_node, {}).get("write_threshold", 0)
    if threshold:
        found.append(("threshold", ULLONG, threshold))
    return found


def disk_counters(run: Run, disk: Disk) -> dict[str, int]:
    """QEMU's counters of a disk; empty before QEMU told any."""
    return run.readings.blocks.get(disk.alias.name, {}) if disk.alias is not None else {}
