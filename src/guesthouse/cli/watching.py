"""Waiting for a call that is a guest's job: its progress, and the interrupt that aborts it."""

from __future__ import annotations

import sys

from guesthouse.cli.interrupt import Interruptible
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain

#: How often the daemon is asked how far the job is, in seconds.
_INTERVAL = 0.5


def watch(domain: Domain, serial: int, label: str, *, verbose: bool) -> None:
    """Wait for the reply to the call with this serial; with `verbose` write how far the job is.

    An interrupt aborts the job, and the call then tells so. Raises the daemon's error.
    """
    connection = domain.connection
    with Interruptible():
        while True:
            try:
                if connection.answered(serial, _INTERVAL):
                    break
                if verbose:
                    _tell(domain, label)
            except KeyboardInterrupt:
                _abort(domain)
    connection.wait(serial)
    if verbose:
        _write(label, 100.0)


def _abort(domain: Domain) -> None:
    try:  # noqa: SIM105 - contextlib is not worth its import
        domain.abort_job(0)
    except LibvirtError:
        pass  # it has ended meanwhile, or cannot be aborted: the call tells


def _tell(domain: Domain, label: str) -> None:
    try:
        fields = {one.field: int(one.value) for one in domain.job_stats(0).params}
    except (LibvirtError, ValueError):
        return
    total = fields.get("data_total") or fields.get("memory_total", 0) + fields.get("disk_total", 0)
    remaining = fields.get("data_remaining") or fields.get("memory_remaining", 0) + fields.get("disk_remaining", 0)
    if total:
        _write(label, min(100.0 - remaining * 100.0 / total, 99.99))


def _write(label: str, percent: float) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"\r{label}: [{int(percent * 100) / 100:5.2f} %]")
    sys.stderr.flush()
