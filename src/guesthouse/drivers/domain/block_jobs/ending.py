"""Telling a job to end: to pivot to the other image, or to abort.

The order is written down before QEMU gets it: if the daemon dies in between, the next one gives it again.

Source: `virDomainBlockJobAbort`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.block_jobs import orders, reconciling, settling, starting
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Input, State
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import (
    Code,
    InvalidArgumentError,
    LibvirtError,
    OperationFailedError,
    OperationInvalidError,
    OperationTimeoutError,
    Origin,
)
from guesthouse.qemu.monitor import MonitorClosed, MonitorTimeout

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: How long somebody may wait for the end of a job, in seconds: requests that are under way come first.
_DEADLINE: Final = 600.0


def job_on(run: Run, path: str) -> BlockJob:
    """The job on a disk. Raises `InvalidArgumentError` where there is none."""
    disk = starting.disk_of(run.live, path)
    job = run.block_jobs.on(disk.target.dev)
    if job is None:
        raise InvalidArgumentError(f"disk {disk.target.dev} does not have an active block job", domain=Origin.QEMU)
    return job


async def end(driver: Guests, guest: Guest, path: str, *, pivot: bool, wait: bool) -> None:
    """Abort the job on a disk, or let it pivot; with `wait` until that is done.

    Raises error 83 for a job that is not ready to pivot, `OperationInvalidError` for one that is being ended already,
    `OperationFailedError` where the pivot fails, and what QEMU says.
    """
    async with modifying(guest):
        run = guest.live()
        job = job_on(run, path)
        if job.state.ending or not job.running:
            raise OperationInvalidError(f"block job on disk '{job.disk}' is still being ended")
        if pivot:
            _check_pivot(job)
        await _order(driver, guest, run, job, Input.PIVOT if pivot else Input.ABORT)
    if wait:
        await _until_ended(run, job)
        if pivot and job.state is not State.COMPLETED:
            reason = f": {job.error}" if job.error else ""
            raise OperationFailedError(f"block job '{job.name}' failed while pivoting{reason}")


def _check_pivot(job: BlockJob) -> None:
    if job.state is not State.READY:
        raise LibvirtError(
            f"block job '{job.name}' not ready for pivot yet", code=Code.BLOCK_COPY_ACTIVE, domain=Origin.QEMU
        )
    if not job.kind.two_phases:
        raise OperationInvalidError(f"job type '{job.kind.value}' does not support pivot")


async def _order(driver: Guests, guest: Guest, run: Run, job: BlockJob, input_: Input) -> None:
    job.move(input_)
    settling.show(guest, run, job)
    try:
        statusfile.write(driver, guest, run)
        await orders.give(driver, run, job)
    except MonitorTimeout:
        run.keep(driver.background(reconciling.later(driver, guest, run)))
        raise
    except (MonitorClosed, asyncio.CancelledError):
        raise  # the next daemon gives the order again
    except Exception:
        job.move(Input.REFUSED)
        settling.show(guest, run, job)
        statusfile.save(driver, guest, run)
        raise


async def _until_ended(run: Run, job: BlockJob) -> None:
    waiting = [asyncio.ensure_future(run.block_jobs.until_ended(job)), asyncio.ensure_future(run.ended.wait())]
    try:
        done, _ = await asyncio.wait(waiting, timeout=_DEADLINE, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    if not done:
        raise OperationTimeoutError(f"block job on disk '{job.disk}' is still being ended")
    if job.name in run.block_jobs.by_name:
        raise OperationFailedError("domain is no longer running")
