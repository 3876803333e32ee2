"""How a guest ends: because somebody wants it, because it wants it, or because QEMU died.

Every way goes through `finish`, once per run: when QEMU's process is gone *and* its monitor has been read to the end,
so that its last events are heard. Who wants the guest to end sets `run.stop_cause` and calls `end`.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.disks import overlays
from guesthouse.drivers.domain.files import log_keeper, statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.interfaces import plug
from guesthouse.drivers.domain.lifecycle import tpm_state
from guesthouse.drivers.domain.memory import places
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import REASONS, Cause, State
from guesthouse.drivers.domain.tuning import housing, perf_counters
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.procfs import stat_fields
from guesthouse.model.domain.definition import Domain
from guesthouse.qemu.guest_log import GuestLog

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long QEMU may take to end by itself after SIGTERM, in seconds: it flushes its disks' caches.
GRACE = 5.0

#: How long `destroy` waits for a process that was killed; it stands longer only while the kernel is stuck.
DEATH_DEADLINE = 15.0

#: How long the monitor may take to be read to its end once the process is gone.
_LAST_WORDS = 0.2


async def destroy(driver: Guests, guest: Guest, *, graceful: bool = False, cause: Cause = Cause.DESTROY) -> None:
    """End the guest now. With `graceful`, fail rather than kill a QEMU that does not end by itself.

    Does not wait for the guest's job: a job that is stuck on this QEMU fails as QEMU ends, and a start that is under
    way gives up. Raises
    `OperationInvalidError` when the guest is off, and error 87 or 38 when the process does not end.
    """
    run = guest.live()
    run.stop_cause = cause
    run.reboot_instead = False
    statusfile.save(driver, guest, run)
    end(driver, run, force=not graceful)
    try:
        async with asyncio.timeout(GRACE if graceful else GRACE + DEATH_DEADLINE):
            await run.ended.wait()
    except TimeoutError:
        if graceful:
            run.stop_cause = None
            statusfile.save(driver, guest, run)
        raise _undead(run) from None


def end(driver: Guests, run: Run, *, force: bool = True) -> None:
    """Ask QEMU to end; with `force`, kill it when it has not within `GRACE`, at once when it is frozen."""
    process = run.process
    if process is None:
        return
    process.signal(signal.SIGTERM)
    if not force:
        return
    fields = stat_fields(process.pid)
    if fields is not None and fields[0] in ("T", "t"):
        process.signal(signal.SIGKILL)  # frozen: it can read neither its signals nor its monitor
    elif not run.stopping:
        run.keep(driver.background(_kill_later(run)))
    run.stopping = True


async def _kill_later(run: Run) -> None:
    await asyncio.sleep(GRACE)
    if run.process is not None:
        run.process.signal(signal.SIGKILL)


def watch(driver: Guests, guest: Guest, run: Run) -> None:
    """From now on the end of the process is the end of the run."""
    if run.process is not None:
        run.process.watch(lambda _: _process_ended(driver, guest, run))


def _process_ended(driver: Guests, guest: Guest, run: Run) -> None:
    if run.monitor is None or run.monitor.closed is not None:
        finish(driver, guest, run)
    else:
        asyncio.get_running_loop().call_later(_LAST_WORDS, finish, driver, guest, run)


def monitor_ended(driver: Guests, guest: Guest, run: Run) -> None:
    """The monitor's connection broke: nothing can be asked of this QEMU any more, so it has to end too.

    While the guest is being started, that is for the start to notice and to undo.
    """
    if run.ended.is_set() or driver.stopping or not run.booted:
        return
    if run.process is None or run.process.poll() is not None:
        finish(driver, guest, run)
    else:
        end(driver, run)


def finish(driver: Guests, guest: Guest, run: Run) -> None:
    """Clean up after a QEMU that is gone, tell of it, and forget a transient guest. Does nothing the second time."""
    if run.ended.is_set() or driver.stopping:
        return
    run.ended.set()
    cause = run.stop_cause or (Cause.POWERED_OFF if guest.state is State.SHUTDOWN else Cause.QEMU_DIED)
    notices = guest.turn(cause)
    programs.end_all(driver, guest, run)
    release(run)
    plug.release(driver, run)
    driver.ports.release(run.ports)
    housing.release(driver, run)
    _note_in_log(driver, guest, cause)
    log_keeper.look_at(driver, guest)
    remove_files(driver, run)
    if cause is not Cause.DESTROY:
        driver.events.lifecycle(guest, *notices)
    guest.run = None
    driver.registry.deactivate(guest)
    if cause is Cause.DESTROY:
        driver.events.lifecycle(guest, *notices)
    if not guest.persistent:
        driver.registry.remove(guest)
        remove_state(driver, run.live)


def remove_files(driver: Guests, run: Run) -> None:
    """Remove the files of a run that is over: overlays and memory, its directories, at last its status file."""
    overlays.remove(driver, run)
    places.remove(driver, run)
    driver.store.clean(run.where)


def remove_state(driver: Guests, live: Domain) -> None:
    """Remove what a transient guest that is gone would have remembered, in the background."""
    for path in tpm_state.to_remove(driver.places, live):
        driver.farewell(driver.in_thread(driver.store.remove_state, path))


def release(run: Run) -> None:
    """Let go of everything that hangs on a run: monitor, agent, consoles, tasks, the wish to die with a client."""
    current = asyncio.current_task()
    for task in list(run.tasks):
        if task is not current:
            task.cancel()
    for session in list(run.consoles.values()):
        session.end()
    if run.monitor is not None:
        run.monitor.close()
    if run.agent is not None:
        run.agent.close()
    if run.release_autodestroy is not None:
        run.release_autodestroy()
        run.release_autodestroy = None
    perf_counters.end(run)
    if run.process is not None:
        run.process.close()
    programs.let_go(run)


def _note_in_log(driver: Guests, guest: Guest, cause: Cause) -> None:
    reason = REASONS[State.SHUTOFF][guest.reason]
    with contextlib.suppress(OSError):
        writer = GuestLog(driver.places.guest_logs / f"{guest.name}.log")
        writer.note(f"shutting down, reason={reason}")
        writer.close()
    log.info("domain '%s' has ended: %s", guest.name, cause.value)


def _undead(run: Run) -> LibvirtError:
    return LibvirtError(
        f"Failed to terminate process {run.pid} with SIGTERM: Device or resource busy",
        code=Code.SYSTEM_ERROR,
        domain=Origin.NONE,
        hint="destroy it without --graceful, or look what its storage does",
    )


def remove_logs(directory: Path, name: str) -> None:
    """Remove a guest's log and its rotated parts."""
    for path in (directory / f"{name}.log", *directory.glob(f"{glob.escape(name)}.log.*")):
        with contextlib.suppress(OSError):
            path.unlink()
