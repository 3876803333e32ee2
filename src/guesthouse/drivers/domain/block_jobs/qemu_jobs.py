"""QEMU's jobs, of whatever kind: what they are at, and one that is carried out while somebody waits.

Source: QEMU's `qapi/job.json`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationFailedError
from guesthouse.qemu.json_value import Sendable, objects, text_of
from guesthouse.qemu.monitor import QmpError

_POLL: Final = 0.5


@dataclass(frozen=True, slots=True)
class JobStatus:
    """QEMU's word for where a job is, and its error, which may be empty."""

    status: str
    error: str = ""


async def statuses(run: Run, *, deadline: float = 30.0) -> dict[str, JobStatus]:
    """All of QEMU's jobs by id. Raises what the monitor raises."""
    answer = await run.talk().execute("query-jobs", deadline=deadline)
    return {
        text_of(entry, "id"): JobStatus(text_of(entry, "status"), text_of(entry, "error"))
        for entry in objects(answer, "the reply of query-jobs")
    }


async def carry_out(run: Run, name: str, command: str, arguments: Mapping[str, Sendable], *, deadline: float) -> None:
    """Start a job with this id, wait for its end and dismiss it.

    Raises `OperationFailedError` with the job's error, or after `deadline` seconds; what the monitor raises.
    """
    changed = run.block_jobs.changed[name] = asyncio.Event()
    try:
        await run.talk().execute(command, arguments)
        async with asyncio.timeout(deadline):
            error = await _until_concluded(run, name, changed, deadline)
    except TimeoutError:
        await end(run, name)
        raise OperationFailedError(f"job '{name}' did not end within {deadline:g} seconds") from None
    finally:
        run.block_jobs.changed.pop(name, None)
    await dismiss(run, name)
    if error:
        raise OperationFailedError(error)


async def _until_concluded(run: Run, name: str, changed: asyncio.Event, deadline: float) -> str:
    """The job's error when it has ended. QEMU may be silent for long: it computes keys, or waits for storage."""
    while True:
        changed.clear()
        found = (await statuses(run, deadline=deadline)).get(name)
        if found is None:
            return "it has vanished"
        if found.status == "concluded":
            return found.error
        try:
            async with asyncio.timeout(_POLL):
                await changed.wait()
        except TimeoutError:
            continue


async def end(run: Run, name: str, *, deadline: float = 30.0) -> None:
    """Cancel a job that nobody wants, and dismiss it; one that is not there, or goes on all the same, is no failure."""
    try:
        await run.talk().execute("job-cancel", {"id": name})
        changed = run.block_jobs.changed[name] = asyncio.Event()
        async with asyncio.timeout(deadline):
            await _until_concluded(run, name, changed, deadline)
    except (QmpError, TimeoutError):
        pass  # it has ended, or is none, or waits for its storage
    finally:
        run.block_jobs.changed.pop(name, None)
    await dismiss(run, name)


async def dismiss(run: Run, name: str) -> None:
    """Let QEMU forget a job that has concluded; one that is not there is no failure."""
    try:
        await run.talk().execute("job-dismiss", {"id": name})
    except QmpError:
        return
