"""Writing a running guest's status file whenever its state changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import status
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.document import format_domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

_LIVE = Style(live=True, secure=True, status=True)


def write(driver: Guests, guest: Guest, run: Run) -> None:
    """Write down the present state of a run. Raises `StorageError`."""
    phase = status.STOPPING if run.stop_cause else status.RUNNING if run.booted else status.STARTING
    entry = status.Status(
        name=guest.name,
        state=guest.state,
        reason=guest.reason,
        pid=run.pid,
        start_time=run.process.start_time if run.process else 0,
        monitor=run.where.monitor,
        phase=phase,
        autodestroy=run.autodestroy,
        cause=run.stop_cause,
        domain_xml=_live_xml(guest, run),
        helpers=tuple(helper.trace for helper in run.helpers.values()),
        change=run.change,
        advised=run.advised_nodes,
        block_jobs=tuple(run.block_jobs.by_name.values()),
        taints=run.taints,
    )
    driver.store.write_status(run.where, status.format_status(entry, guest.state_words[1]), run.pid)


def _live_xml(guest: Guest, run: Run) -> str:
    """What runs, formatted once as long as nothing changes; while devices come, what will run."""
    if run.change is not None and run.change.live is not None:
        return format_domain(run.change.live, _LIVE)
    known = guest.texts.get(_LIVE)
    if known is None:
        known = guest.texts[_LIVE] = format_domain(run.live, _LIVE)
    return known


def save(driver: Guests, guest: Guest, run: Run) -> None:
    """Write down the present state of a run; a failure is logged, since the guest has changed already."""
    if run.ended.is_set():
        return
    try:
        write(driver, guest, run)
    except LibvirtError as error:
        log.warning("domain '%s': %s", guest.name, error.message)
