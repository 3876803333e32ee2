"""A guest's share of the host's block devices: `<blkiotune>`. The host's control groups enforce it.

Format: https://libvirt.org/formatdomain.html#block-i-o-tuning
"""

from __future__ import annotations

from guesthouse.model.binding import element, leaf, many, opt_leaf
from guesthouse.model.kinds import ABSOLUTE_PATH, UINT, ULL, Kind

#: A zero is no setting at all.
_COUNT: Kind[int | None] = Kind(UINT.name, lambda text: UINT.parse(text) or None, str, plain=True)
_SIZE: Kind[int | None] = Kind(ULL.name, lambda text: ULL.parse(text) or None, str, plain=True)


@element("device")
class BlkioDevice:
    """What the guest may do with one block device of the host.

    `weight` is its share against others; the limits are operations and bytes a second.
    """

    path: str = leaf(ABSOLUTE_PATH)
    weight: int | None = opt_leaf(_COUNT)
    read_iops_sec: int | None = opt_leaf(_COUNT)
    write_iops_sec: int | None = opt_leaf(_COUNT)
    read_bytes_sec: int | None = opt_leaf(_SIZE)
    write_bytes_sec: int | None = opt_leaf(_SIZE)

    @property
    def limits(self) -> bool:
        """Whether it says anything."""
        numbers = (self.weight, self.read_iops_sec, self.write_iops_sec, self.read_bytes_sec, self.write_bytes_sec)
        return any(number is not None for number in numbers)


def _limits(device: BlkioDevice) -> bool:
    return device.limits


@element("blkiotune", omit_empty=True)
class Blkiotune:
    """The guest's `weight` on all devices, and what is different for some."""

    weight: int | None = opt_leaf(_COUNT)
    devices: list[BlkioDevice] = many(BlkioDevice, show=_limits)
