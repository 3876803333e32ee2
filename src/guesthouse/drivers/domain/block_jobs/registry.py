"""The jobs of one run, by name and by disk, and who waits for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guesthouse.drivers.domain.block_jobs.jobs import BlockJob


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a job is: bytes done and to do altogether, and the limit in bytes a second (0 for none)."""

    done: int = 0
    total: int = 1
    bandwidth: int = 0


@dataclass(slots=True, eq=False)
class Jobs:
    """All jobs of a run. `figures` are the last ones that QEMU told, `changed` is set whenever a job of QEMU whose
    id is a key there has changed.
    """

    by_name: dict[str, BlockJob] = field(default_factory=dict)
    figures: dict[str, Figures] = field(default_factory=dict)
    changed: dict[str, asyncio.Event] = field(default_factory=dict)
    _ended: dict[str, asyncio.Event] = field(default_factory=dict)

    def take_up(self, jobs: Iterable[BlockJob]) -> None:
        """Know the jobs that a former daemon began."""
        for job in jobs:
            self.add(job)

    def add(self, job: BlockJob) -> None:
        """A job begins."""
        self.by_name[job.name] = job
        self._ended.setdefault(job.name, asyncio.Event())

    def drop(self, job: BlockJob) -> None:
        """A job is over, and everything that follows from that is done."""
        self.by_name.pop(job.name, None)
        self.figures.pop(job.name, None)
        event = self._ended.pop(job.name, None)
        if event is not None:
            event.set()

    def on(self, disk: str) -> BlockJob | None:
        """The job on the disk with this target."""
        return next((job for job in self.by_name.values() if job.disk == disk), None)

    async def until_ended(self, job: BlockJob) -> None:
        """Wait until the job is dropped."""
        event = self._ended.get(job.name)
        if event is not None:
            await event.wait()
