"""How far the job on a disk is, and its limit.

Source: `virDomainGetBlockJobInfo`; QEMU's `query-block-jobs`, `block-job-set-speed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.domain.block_jobs import ending, starting
from guesthouse.drivers.domain.block_jobs.registry import Figures
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationInvalidError
from guesthouse.qemu.json_value import JsonObject, as_int, objects, text_of
from guesthouse.qemu.monitor import MonitorTimeout, QmpError

#: How long QEMU may take to tell, in seconds; after that its last figures are told.
_PATIENCE: Final = 2.0
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Info:
    """A job: `kind` is `virDomainBlockJobType`; `done` and `total` count bytes, `bandwidth` MiB or bytes a second."""

    kind: int
    bandwidth: int
    done: int
    total: int


async def of(guest: Guest, path: str, *, in_bytes: bool) -> Info | None:
    """The job on a disk, None where there is none. A QEMU that does not answer has told its last figures."""
    run = guest.live()
    disk = starting.disk_of(run.live, path)
    job = run.block_jobs.on(disk.target.dev)
    if job is None:
        return None
    await _refresh(run)
    found = run.block_jobs.figures.get(job.name, Figures())
    bandwidth = found.bandwidth if in_bytes else -(-found.bandwidth // _MIB)
    return Info(job.kind.number, bandwidth, found.done, found.total)


async def _refresh(run: Run) -> None:
    try:
        answer = await run.talk().execute("query-block-jobs", deadline=_PATIENCE)
    except MonitorTimeout:
        return
    for entry in objects(answer, "the reply of query-block-jobs"):
        name = text_of(entry, "device")
        if name in run.block_jobs.by_name:
            run.block_jobs.figures[name] = _figures(entry)


def _figures(entry: JsonObject) -> Figures:
    """What clients take for the end (all done) is told only of a job that is ready, or of one without that phase."""
    done, total = as_int(entry.get("offset", 0), "offset"), as_int(entry.get("len", 0), "len")
    ready = entry.get("ready")
    if done == total == 0 and isinstance(ready, bool):
        done, total = int(ready), 1
    if ready is False and done == total > 0:
        done -= 1
    return Figures(done, total, as_int(entry.get("speed", 0), "speed"))


async def limit(guest: Guest, path: str, speed: int) -> None:
    """Limit the job on a disk to `speed` bytes a second; 0 is no limit. Raises what QEMU says."""
    async with modifying(guest):
        run = guest.live()
        job = ending.job_on(run, path)
        try:
            await run.talk().execute("block-job-set-speed", {"device": job.name, "speed": speed})
        except QmpError as error:
            if error.class_ == "DeviceNotActive":
                raise OperationInvalidError(f"No active block job '{job.name}'") from error
            raise
