"""Open files that clients hand over for disks, so that QEMU need not open these itself.

A group belongs to a guest, under a name that a disk's source has in `fdgroup`. It is closed with the connection that
brought it; a QEMU that runs has its own copies.

Source: `virDomainFDAssociate`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller
from guesthouse.errors import InvalidArgumentError, OperationFailedError, Origin
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.handed_files import HandedFiles, HandedLookup, nothing_handed
from guesthouse.model.qemu_objects import FdSet, QemuObject

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.devices.base import Device

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
    return [
        descriptor for group in _open_groups(driver, run, run.live.devices.disks) for descriptor in group.descriptors
    ]


@contextlib.contextmanager
def kept(driver: Guests, run: Run, devices: Iterable[Device], made: Iterable[QemuObject]) -> Iterator[list[QemuObject]]:
    """What devices that are plugged in are `made` of, with descriptors of our own until QEMU has them all.

    Who passed them may close them while QEMU is told. Raises as `descriptors_of`.
    """
    _open_groups(driver, run, [device for device in devices if isinstance(device, Disk)])
    with contextlib.ExitStack() as cleanup:
        yield [_with_own(item, cleanup) if isinstance(item, FdSet) else item for item in made]


def _with_own(item: FdSet, cleanup: contextlib.ExitStack) -> FdSet:
    own = os.dup(item.fd)
    cleanup.callback(os.close, own)
    return dataclasses.replace(item, fd=own)


def _open_groups(driver: Guests, run: Run, disks: Iterable[Disk]) -> list[HandedFiles]:
    there = driver.handed.get(run.live.uuid, {}).values()
    groups = [
        handed
        for disk in disks
        for image in disk.layers()
        for handed in (image.source.handed, image.data.source.handed if image.data is not None else None)
        if handed is not None
    ]
    if any(all(handed is not one for one in there) for handed in groups):
        raise OperationFailedError(
            "file descriptors that were passed for a disk are closed",
            hint="keep the connection that passed them until the guest has the disk",
        )
    return groups
