"""What is known of block jobs is brought together with what QEMU has: by the next daemon, when a QEMU that was silent
answers again, and when a copy could not begin.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs import chains, orders, qemu_jobs, settling
from guesthouse.drivers.domain.block_jobs.jobs import Aftermath, BlockJob, Input, State
from guesthouse.drivers.domain.block_jobs.qemu_jobs import JobStatus
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError, OperationInvalidError
from guesthouse.qemu.monitor import MonitorClosed, MonitorTimeout, QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)


async def never_begun(driver: Guests, guest: Guest, run: Run, job: BlockJob, error: BaseException) -> None:
    """A copy failed before QEMU had the job: nothing is left of it.

    Unless nobody knows what QEMU has done: then the job stays `new` until that is known.
    """
    if isinstance(error, MonitorTimeout):
        if job.name in run.block_jobs.by_name:
            run.keep(driver.background(later(driver, guest, run)))
    elif not isinstance(error, MonitorClosed | asyncio.CancelledError) and not run.ended.is_set():
        await asyncio.shield(_take_back(driver, guest, run, job))


async def _take_back(driver: Guests, guest: Guest, run: Run, job: BlockJob) -> None:
    disk = settling.disk_of(run, job)
    if disk is not None:
        kept = chains.without_mirror(disk)
        run.live.devices.disks[:] = [kept if other is disk else other for other in run.live.devices.disks]
    await settling.clean(run, job)
    run.block_jobs.drop(job)
    guest.changed()
    statusfile.save(driver, guest, run)


async def later(driver: Guests, guest: Guest, run: Run) -> None:
    """QEMU did not answer. When it does again, what became of the jobs is found out."""
    with contextlib.suppress(LibvirtError):
        await run.talk().execute("query-status", deadline=settling.THAW_DEADLINE)
        await reconcile(driver, guest, run)


async def reconcile(driver: Guests, guest: Guest, run: Run) -> None:
    """Bring what is known of the jobs together with what QEMU has. QEMU answers; a failure is logged."""
    if not run.block_jobs.by_name:
        _forget_mirrors(guest, run)
        return
    try:
        async with guest.job.hold("modify", deadline=settling.PATIENCE):
            known = await qemu_jobs.statuses(run)
            for job in list(run.block_jobs.by_name.values()):
                await _compare(driver, guest, run, job, known)
            _forget_mirrors(guest, run)
    except LibvirtError as error:
        log.error("domain '%s': its block jobs are not settled: %s", guest.name, error.message)


def _forget_mirrors(guest: Guest, run: Run) -> None:
    """A `<mirror>` without a job is that of one that QEMU refused when the daemon was killed."""
    for disk in run.live.devices.disks:
        if disk.mirror is not None and run.block_jobs.on(disk.target.dev) is None:
            disk.mirror = None
            guest.changed()


async def _compare(driver: Guests, guest: Guest, run: Run, job: BlockJob, known: dict[str, JobStatus]) -> None:
    found = known.get(job.name)
    if not job.running:
        await settling.finish(driver, guest, run, job)
    elif found is None and job.state is State.NEW:
        for name in known:
            if name.startswith("create-"):
                await qemu_jobs.end(run, name)
        await _take_back(driver, guest, run, job)
    elif found is None or found.status in ("concluded", "null"):
        await settling.conclude(driver, guest, run, job, found or JobStatus("null", "the job has vanished from QEMU"))
    else:
        await _go_on(driver, guest, run, job, found)


async def _go_on(driver: Guests, guest: Guest, run: Run, job: BlockJob, found: JobStatus) -> None:
    """QEMU has the job, and it has not ended. An order that QEMU may not have got is given again."""
    job.move(Input.STARTED)
    job.aftermath = Aftermath()
    if found.status == "ready":
        settling.become_ready(driver, guest, run, job)
    if job.state.ending:
        try:
            await orders.give(driver, run, job)
        except (QmpError, OperationInvalidError):  # or QEMU had the order: the end then tells what became of it
            job.move(Input.REFUSED)
            settling.show(guest, run, job)
    statusfile.save(driver, guest, run)
