"""What the beginnings of all jobs share: the disk that is meant, the limit, and the order to QEMU.

Texts: libvirt's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.block_jobs import reconciling
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Input
from guesthouse.drivers.domain.devices import disk_named
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.qemu.json_value import Sendable
from guesthouse.qemu.monitor import MonitorClosed, MonitorTimeout

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_MOST: Final = 2**63 - 1
_MOST_MIB: Final = _MOST >> 20
#: How long QEMU may take to begin, in seconds: it opens images and waits for requests that are under way.
_DEADLINE: Final = 60.0


def disk_of(domain: Domain, path: str) -> Disk:
    """The disk of this target or image. Raises `InvalidArgumentError`."""
    disk = disk_named(domain, path)
    if disk is None:
        raise InvalidArgumentError(f"disk '{path}' not found in domain", domain=Origin.QEMU)
    return disk


def bytes_a_second(bandwidth: int, *, in_bytes: bool) -> int:
    """A limit that came in MiB a second, or in bytes. Raises error 46 for one that is too large."""
    if in_bytes:
        return bandwidth
    if bandwidth > _MOST_MIB:
        raise LibvirtError(f"bandwidth must be less than {_MOST_MIB}", code=Code.OVERFLOW, domain=Origin.QEMU)
    return bandwidth << 20


def check_limit(bandwidth: int) -> None:
    """Raise `InvalidArgumentError` for a limit in bytes a second that QEMU cannot have."""
    if bandwidth > _MOST:
        raise InvalidArgumentError(
            f"bandwidth must be less than '{_MOST}' bytes/s ({_MOST_MIB} MiB/s)", domain=Origin.QEMU
        )


async def begin(
    driver: Guests, guest: Guest, run: Run, job: BlockJob, command: str, arguments: Mapping[str, Sendable]
) -> None:
    """Write down that the job is coming, and tell QEMU. Raises what QEMU says; then there is no job.

    Where QEMU does not answer, nobody knows: the job stays `new` until QEMU tells.
    """
    run.block_jobs.add(job)
    try:
        statusfile.write(driver, guest, run)
        await run.talk().execute(
            command, {"job-id": job.name, **arguments, "auto-finalize": True, "auto-dismiss": False}, deadline=_DEADLINE
        )
    except MonitorTimeout:
        run.keep(driver.background(reconciling.later(driver, guest, run)))
        raise
    except (MonitorClosed, asyncio.CancelledError):
        raise  # the next daemon looks
    except Exception:
        if not job.aftermath.orders:  # else the caller takes back what was made for the job, and drops it then
            run.block_jobs.drop(job)
            statusfile.save(driver, guest, run)
        raise
    job.aftermath.orders.clear()
    job.aftermath.files.clear()
    job.move(Input.STARTED)
    guest.changed()
    statusfile.save(driver, guest, run)


def exchange(guest: Guest, run: Run, disk: Disk) -> None:
    """What runs has this disk instead of the one with its target."""
    run.live.devices.disks[:] = [
        disk if other.target.dev == disk.target.dev else other for other in run.live.devices.disks
    ]
    guest.changed()
