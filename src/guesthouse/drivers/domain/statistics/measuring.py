"""What QEMU is asked to watch: how fast the guest writes to its memory, and how full an image gets.

Source: QEMU's `qapi/migration.json` (`calc-dirty-rate`), `qapi/block-core.json` (`block-set-write-threshold`).
"""

from __future__ import annotations

import re
from typing import Final

from guesthouse.drivers import flags
from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.block_jobs.chains import copied_to
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, Origin
from guesthouse.model.domain.devices.disk.nodes import Image

#: `virDomainDirtyRateCalcFlags` to QEMU's mode.
_MODES: Final = {0: "page-sampling", 1: "dirty-bitmap", 2: "dirty-ring"}
_LONGEST: Final = 60

#: The name of an image of a chain: a target, and a number that the running guest's XML shows as `index`.
_LAYER: Final = re.compile(r"(?P<target>[^\[]+)\[(?P<index>\d+)\]")


async def start_dirty_rate(guest: Guest, seconds: int, mode: int) -> None:
    """Begin to measure for so many seconds; the statistics have the result afterwards.

    Raises `InvalidArgumentError` for a time that is not within 1 to 60 seconds, and what QEMU says of the mode.
    """
    flags.check(mode, 3, "qemuDomainStartDirtyRateCalc")
    if not 1 <= seconds <= _LONGEST:
        raise InvalidArgumentError(
            f"seconds={seconds} is invalid, please choose value within [1, {_LONGEST}].", domain=Origin.QEMU
        )
    if mode not in _MODES:
        raise InvalidArgumentError("flags 'dirty-bitmap' and 'dirty-ring' are mutually exclusive", domain=Origin.QEMU)
    guest.live()
    async with modifying(guest):
        await guest.live().talk().execute("calc-dirty-rate", {"calc-time": seconds, "mode": _MODES[mode]})


async def set_threshold(guest: Guest, device: str, threshold: int) -> None:
    """Have an event sent when the guest writes beyond `threshold` bytes of an image; 0 for no event any more.

    `device` is a disk's target, or that with the index of an image of its chain (`vda[2]`; 0 is the topmost). Raises
    `OperationInvalidError` for an unknown one.
    """
    guest.live()
    async with modifying(guest):
        run = guest.live()
        found = _LAYER.fullmatch(device)
        disk = devices.disk_named(run.live, found["target"] if found else device)
        if disk is None or (found is None and disk.target.dev != device):
            raise InvalidArgumentError(f"failed to find disk '{device}'", domain=Origin.QEMU)
        image = _layer([*disk.layers(), *copied_to(disk)], int(found["index"]) if found else None)
        if image is None:
            raise OperationInvalidError(f"threshold currently can't be set for block device '{device}'")
        await run.talk().execute(
            "block-set-write-threshold", {"node-name": image.storage_node, "write-threshold": threshold}
        )


def _layer(layers: list[Image], index: int | None) -> Image | None:
    if not index:
        return layers[0] if layers else None
    return next((image for image in layers if image.index == index), None)
