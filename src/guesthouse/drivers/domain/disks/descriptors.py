"""Open files that clients hand over for disks, so that QEMU need not open these itself.

A group belongs to a guest, under a name that a disk's source has in `fdgroup`. It is closed with the connection that
brought it; a QEMU that runs has its own copies.

Source: `virDomainFDAssociate`.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller
from guesthouse.errors import InvalidArgumentError, OperationFailedError, Origin
from guesthouse.model.domain.devices.handed_files import HandedFiles, HandedLookup, nothing_handed

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run

#: Flags of an association: bits of `virDomainFDAssociateFlags`.
SECLABEL_RESTORE = 1
SECLABEL_WRITABLE = 2


def associate(driver: Guests, guest: Guest, caller: Caller, name: str, descriptors: list[int], flags: int) -> None:
    """Keep these descriptors, which are ours from now on, as a group of the guest; one of that name is replaced.

    Raises `InvalidArgumentError` for a group of none.
    """
    if not descriptors:
        raise InvalidArgumentError("no file descriptors passed", domain=Origin.QEMU)
    groups = driver.handed.setdefault(guest.current.uuid, {})
    made = HandedFiles(tuple(descriptors), writable=bool(flags & SECLABEL_WRITABLE))
    if (former := groups.get(name)) is not None:
        _close(former)
    groups[name] = made

    def closed() -> None:
        if groups.get(name) is made:
            del groups[name]
            if not groups:
                driver.handed.pop(guest.current.uuid, None)
            _close(made)

    caller.when_closed(closed)


def _close(group: HandedFiles) -> None:
    for descriptor in group.descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def lookup(driver: Guests, uuid: str) -> HandedLookup:
    """Finds the groups of one guest."""
    return lambda name: driver.handed.get(uuid, {}).get(name) or nothing_handed(name)


def descriptors_of(driver: Guests, run: Run) -> list[int]:
    """What a QEMU that is started at once has to inherit for its disks.

    Raises `OperationFailedError` where a group was closed since the start looked it up: its numbers may be the
    descriptors of somebody else by now.
    """
    there = driver.handed.get(run.live.uuid, {}).values()
    groups = [
        handed
        for disk in run.live.devices.disks
        for image in disk.layers()
        for handed in (image.source.handed, image.data.source.handed if image.data is not None else None)
        if handed is not None
    ]
    if any(all(handed is not one for one in there) for handed in groups):
        raise OperationFailedError(
            "file descriptors that were passed for a disk are closed",
            hint="keep the connection that passed them until the guest runs",
        )
    return [descriptor for handed in groups for descriptor in handed.descriptors]
