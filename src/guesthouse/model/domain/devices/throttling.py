"""Limits of a drive's traffic.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`iotune`); `block_set_io_throttle` in
QEMU's `qapi/block-core.json`.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import element, opt_leaf
from guesthouse.model.kinds import ULL, matching
from guesthouse.model.qemu_objects import Props

#: Limit to the argument of `block_set_io_throttle`, which wants all of these.
_THROTTLE: Final = {
    "total_bytes_sec": "bps",
    "read_bytes_sec": "bps_rd",
    "write_bytes_sec": "bps_wr",
    "total_iops_sec": "iops",
    "read_iops_sec": "iops_rd",
    "write_iops_sec": "iops_wr",
}
_THROTTLE_BURSTS: Final = {
    f"{field}_max{suffix}": f"{argument}_max{suffix}"
    for field, argument in _THROTTLE.items()
    for suffix in ("", "_length")
}


@element("iotune")
class IoTune:
    """Limits of the drive's traffic, in bytes and requests a second; `*_max_length` are the seconds of a burst."""

    total_bytes_sec: int | None = opt_leaf(ULL)
    read_bytes_sec: int | None = opt_leaf(ULL)
    write_bytes_sec: int | None = opt_leaf(ULL)
    total_iops_sec: int | None = opt_leaf(ULL)
    read_iops_sec: int | None = opt_leaf(ULL)
    write_iops_sec: int | None = opt_leaf(ULL)
    total_bytes_sec_max: int | None = opt_leaf(ULL)
    read_bytes_sec_max: int | None = opt_leaf(ULL)
    write_bytes_sec_max: int | None = opt_leaf(ULL)
    total_iops_sec_max: int | None = opt_leaf(ULL)
    read_iops_sec_max: int | None = opt_leaf(ULL)
    write_iops_sec_max: int | None = opt_leaf(ULL)
    size_iops_sec: int | None = opt_leaf(ULL)
    group_name: str | None = opt_leaf(matching(r"[^\x00-\x1f]{1,128}", "a name"))
    total_bytes_sec_max_length: int | None = opt_leaf(ULL)
    read_bytes_sec_max_length: int | None = opt_leaf(ULL)
    write_bytes_sec_max_length: int | None = opt_leaf(ULL)
    total_iops_sec_max_length: int | None = opt_leaf(ULL)
    read_iops_sec_max_length: int | None = opt_leaf(ULL)
    write_iops_sec_max_length: int | None = opt_leaf(ULL)

    def parsed(self) -> None:
        """A total excludes the limits of one direction."""
        for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
            single = getattr(self, f"read_{what}") or getattr(self, f"write_{what}")
            if getattr(self, f"total_{what}") and single:
                raise XmlError(f"total and read/write {what} cannot be set at the same time")

    def arguments(self, name: str, alias: str) -> Props:
        """The arguments of `block_set_io_throttle` for the drive with this QOM name."""
        props: Props = {"id": name}
        for field, argument in _THROTTLE.items():
            props[argument] = getattr(self, field) or 0
        for field, argument in _THROTTLE_BURSTS.items():
            value = getattr(self, field)
            if value:
                props[argument] = value
        if self.size_iops_sec:
            props["iops_size"] = self.size_iops_sec
        return props | {"group": self.group_name or f"drive-{alias}"}
