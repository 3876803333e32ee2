"""Waiting for a job on a guest's disk until it is ready or has ended; an interrupt or the time's end aborts it."""

from __future__ import annotations

import sys
from time import monotonic

from guesthouse.cli.failure import CommandError
from guesthouse.cli.numerals import INT_MAX
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

#: `virConnectDomainEventBlockJobStatus`.
COMPLETED, FAILED, CANCELED, READY = range(4)
#: `virDomainBlockJobAbortFlags`.
ASYNC, PIVOT = 1, 2

#: The events by path and by target: `VIR_DOMAIN_EVENT_ID_BLOCK_JOB` and `…_2`.
_EVENTS = (8, 16)
#: How often the daemon is asked how far the job is, in seconds.
_INTERVAL = 0.5


def timeout_of(args: Arguments) -> int | None:
    """The value of `--timeout` in seconds. Raises CommandError."""
    timeout = args.unsigned("timeout")
    if timeout is not None and not 0 < timeout <= INT_MAX // 1000:
        raise CommandError(f"Numeric value '{timeout}' for <timeout> option is malformed or out of range")
    return timeout


def write_progress(label: str, remaining: int, total: int) -> None:
    """Write how far a job is, over what was written before."""
    percent = 100.0
    if remaining:
        percent = min(100.0 - remaining * 100.0 / total, 99.99) if total else 99.99
    sys.stdout.flush()
    sys.stderr.write(f"\r{label}: [{int(percent * 100) / 100:5.2f} %]")
    sys.stderr.flush()


class BlockWait:
    """Listens from its beginning on, which is before the job's; `close` ends that."""

    def __init__(self, context: Context, found: Domain, disk: str, label: str, args: Arguments) -> None:
        from guesthouse.client import events

        self._context, self._found, self._disk, self._label = context, found, disk, label
        self._verbose = args.has("verbose")
        self._flags = ASYNC if args.has("async") else 0
        self._timeout = timeout_of(args)
        self._events = events
        self._registrations = [events.register(found.connection, number, found) for number in _EVENTS]

    def close(self) -> None:
        """Listen no longer."""
        connection = self._found.connection
        if connection.alive:
            for registration in self._registrations:
                self._events.deregister(connection, registration)

    def outcome(self) -> int:
        """Wait; returns what became of the job. Raises CommandError where that cannot be found out."""
        deadline = None if self._timeout is None else monotonic() + self._timeout
        last = None
        while True:
            try:
                status = self._heard(_INTERVAL)
                if status is None:
                    last = self._tell(last)
            except KeyboardInterrupt:
                return self._abort()
            if status is not None:
                if self._verbose and status in (COMPLETED, READY):
                    write_progress(self._label, 0, 1)
                return status
            if deadline is not None and monotonic() > deadline:
                return self._abort()

    def _heard(self, patience: float) -> int | None:
        """The status that the next event tells of this job, if one comes in time."""
        end = monotonic() + patience
        while (left := end - monotonic()) > 0:
            message = self._found.connection.next_message(left)
            event = self._events.read(self._found.connection, message) if message is not None else None
            if event is not None and self._disk in (event.fields.get("path"), event.fields.get("dst")):
                status = event.fields.get("status")
                return status if isinstance(status, int) else None
        return None

    def _tell(self, last: tuple[int, int] | None) -> tuple[int, int] | None:
        from guesthouse.client import block_jobs

        try:
            info = block_jobs.info(self._found, self._disk, 0)
        except LibvirtError as error:
            self._context.error(f"failed to query job for disk {self._disk}")
            self._context.report(error)
            raise CommandError from None
        now = (info.done, info.total) if info is not None else None
        if self._verbose and now is not None and now != last:
            write_progress(self._label, now[1] - now[0], now[1])
        return now

    def _abort(self) -> int:
        from guesthouse.client import block_jobs

        with self._context.during(f"failed to abort job for disk '{self._disk}'"):
            block_jobs.abort(self._found, self._disk, self._flags)
        return CANCELED
