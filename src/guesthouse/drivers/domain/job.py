"""At most one modifying job per guest, that others can watch and abort.

Rules:

1. What changes a guest holds its job: `async with guest.job.hold("modify"): ...`. Who came first is served first.
2. A query never takes a job. What a job has changed so far is seen or not seen, never half: state changes are single
   assignments between two awaits.
3. Who waits longer than `DEADLINE` gives up with libvirt's error 68 that names the holder.
4. `abort` cancels the task that holds the job, if the job allows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from guesthouse.errors import Code, LibvirtError, OperationInvalidError, OperationTimeoutError, Origin

#: `virDomainJobType`.
BOUNDED, UNBOUNDED, COMPLETED, FAILED, CANCELLED = 1, 2, 3, 4, 5

#: `VIR_DOMAIN_JOB_OPERATION_DUMP`.
DUMP = 8

#: How long a call waits for the guest's job, in seconds; libvirt's `QEMU_JOB_WAIT_TIME`.
DEADLINE = 30.0


@dataclass(slots=True)
class Work:
    """The job that runs: what kind (`modify`, `destroy`, `start`…), since when, and what is known of its progress.

    `statistics` is what GET_JOB_STATS returns: libvirt's typed parameter names to values in their units.
    `type_` is `virDomainJobType`: 0 for jobs that nobody can watch, `BOUNDED`, `UNBOUNDED`, and when it has ended
    `COMPLETED`, `FAILED` or `CANCELLED`. `operation` is `virDomainJobOperation`.
    """

    kind: str
    task: asyncio.Task[object] | None
    abortable: bool = False
    type_: int = 0
    operation: int = 0
    aborted: bool = False
    ended: float = 0.0
    began: float = field(default_factory=time.monotonic)
    statistics: dict[str, int] = field(default_factory=dict)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds from its beginning until its end, or until now."""
        return int(((self.ended or time.monotonic()) - self.began) * 1000)

    def conclude(self, type_: int) -> None:
        """It has ended."""
        self.type_ = type_
        self.ended = time.monotonic()


class Job:
    """The guest's one seat for a modifying call."""

    __slots__ = ("_queue", "_taken", "current", "last")

    def __init__(self) -> None:
        self.current: Work | None = None
        #: The last job that could be watched, and did not fail.
        self.last: Work | None = None
        self._taken = False
        self._queue: list[asyncio.Future[None]] = []  # short, and an empty deque is not small

    @contextlib.asynccontextmanager
    async def hold(
        self, kind: str, *, abortable: bool = False, type_: int = 0, operation: int = 0, deadline: float = DEADLINE
    ) -> AsyncIterator[Work]:
        """Hold the job. Raises `OperationTimeoutError` when it is not free within `deadline` seconds.

        A job that `abort` ended raises error 78 (operation aborted) from here.
        """
        if self._taken:
            await self._wait(deadline)
        self._taken = True
        work = self.current = Work(kind, asyncio.current_task(), abortable, type_, operation)
        try:
            yield work
        except asyncio.CancelledError:
            if not work.aborted:
                raise
            raise LibvirtError(
                f"{kind} job: canceled by client", code=Code.OPERATION_ABORTED, domain=Origin.QEMU
            ) from None
        finally:
            self.current = None
            if work.type_:
                succeeded = sys.exc_info()[0] is None
                work.conclude(COMPLETED if succeeded else CANCELLED if work.aborted else FAILED)
                self.last = self.last if work.type_ == FAILED else work
            self._pass_on()

    def abort(self) -> None:
        """Cancel the job that runs. Raises `OperationInvalidError` when there is none, or none that may be aborted."""
        work = self.current
        if work is None or work.task is None:
            raise OperationInvalidError("no job is active on the domain")
        if not work.abortable:
            raise OperationInvalidError(f"cannot abort {work.kind} job", hint="it ends by itself")
        work.aborted = True
        work.task.cancel()

    async def _wait(self, deadline: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(deadline):
                await turn
        except BaseException as error:  # also where nobody waits any more: their turn must not come
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the seat came in the very turn in which we gave up
            elif turn in self._queue:
                self._queue.remove(turn)
            if not isinstance(error, TimeoutError):
                raise
            holder = self.current.kind if self.current else "unknown"
            raise OperationTimeoutError(
                f"cannot acquire state change lock (held by {holder} job)", hint="try again when it has ended"
            ) from None

    def _pass_on(self) -> None:
        """Give the seat to the next in the queue; it stays taken while it passes."""
        while self._queue:
            turn = self._queue.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
