"""Taking up what a former daemon left: definitions, running guests, and the traces of what it could not finish.

    journal                  undefines and renames under way: finished
    definitions              loaded; a broken file is reported and left alone
    status `starting`        its QEMU is ended, its files removed: the start never happened
    status `stopping`        ended for the cause that stands there
    status `running`         QEMU alive: taken up. Dead: known as off
    status that is no use    QEMU alive: left running, with its files; reported. Dead: forgotten
    QEMU without a status    a start cut off before its pid was known: ended
    directories, pid files   of nobody: removed

A QEMU that does not answer is taken up all the same, with the state that the file tells, and its answer is awaited in
the background.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.block_jobs import reconciling as block_jobs
from guesthouse.drivers.domain.disks import preparing
from guesthouse.drivers.domain.dumps import crash, dump
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.files.status import RUNNING, STARTING, STOPPING, Status, parse_status
from guesthouse.drivers.domain.files.store import INSTANCE_VARIABLE
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.host_devices import assigning
from guesthouse.drivers.domain.hotplug import settling
from guesthouse.drivers.domain.interfaces import plug
from guesthouse.drivers.domain.lifecycle import power, stopping
from guesthouse.drivers.domain.memory import places
from guesthouse.drivers.domain.monitor import events
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause, State
from guesthouse.drivers.domain.tuning import housing, perf_counters
from guesthouse.errors import LibvirtError
from guesthouse.host.processes import Process, adopt
from guesthouse.host.procfs import start_time
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import parse_domain
from guesthouse.qemu.json_value import as_object, text_of
from guesthouse.qemu.monitor import Monitor

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long the daemon's start waits for QEMUs to answer, in seconds; those that do not are waited for afterwards.
PATIENCE = 2.0

_THAW_DEADLINE = 3600.0
_DEATH_DEADLINE = 5.0

#: What QEMU's `query-status` says of a guest whose state the file may not know any more.
_CAUSES: dict[str, Cause] = {
    "running": Cause.RESUMED_BY_QEMU,
    "paused": Cause.STOPPED_BY_QEMU,
    "io-error": Cause.IO_ERROR,
    "watchdog": Cause.WATCHDOG,
    "suspended": Cause.SLEEP,
}


async def recover(driver: Guests) -> None:
    """Bring memory, disk and processes together."""
    await driver.in_thread(driver.store.replay)
    await _load_definitions(driver)
    kept: set[Path] = set()
    homes = await driver.in_thread(_find_homes, driver.store.private_root)
    pending = []
    for name, text in driver.store.read_statuses().items():
        try:
            status = parse_status(name, text)
            live = parse_domain(status.domain_xml, live=True)
        except LibvirtError as error:
            _leave_alone(driver, name, error.message, homes, kept)
        else:
            pending.append(asyncio.ensure_future(_take_up(driver, status, live, kept)))
    if pending:
        await asyncio.gather(*pending)
    await _end_strays(driver, homes, kept)
    await driver.in_thread(housing.sweep, driver)
    await plug.sweep(driver)
    await programs.end_strays(driver, kept - {guest.run.where.private for guest in driver.registry if guest.run})
    await asyncio.to_thread(places.sweep, driver, kept)
    driver.store.sweep_runs(kept)


def let_go(driver: Guests) -> None:
    """The daemon ends: close what hangs on running guests, and leave them alone."""
    for guest in driver.registry:
        if guest.run is not None:
            stopping.release(guest.run)


async def _load_definitions(driver: Guests) -> None:
    for name, text in (await driver.in_thread(driver.store.read_definitions)).items():
        try:
            await _load(driver, name, text)
        except LibvirtError as error:
            log.error("the definition of domain '%s' cannot be used, and is left alone: %s", name, error.message)
            driver.registry.unreadable[name] = error.message


async def _load(driver: Guests, name: str, text: str) -> None:
    domain = parse_domain(text)
    if domain.name != name:
        raise LibvirtError(f"the file is called '{name}.xml', but defines '{domain.name}'")
    with contextlib.suppress(LibvirtError):  # a QEMU that was removed must not take the definition with it
        caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
        complete(domain, caps, defaults=driver.settings.defaults, kept=True)
    driver.registry.match(domain)
    guest = Guest(domain, persistent=True)
    guest.autostart = driver.store.is_autostart(name)
    guest.autostart_once = driver.store.is_autostart(name, once=True)
    driver.registry.add(guest)


def _leave_alone(driver: Guests, name: str, reason: str, homes: dict[int, Path], kept: set[Path]) -> None:
    """A status file that cannot be used: if its QEMU runs, nothing of it is touched, and nobody gets its name."""
    pid = next((pid for pid, home in homes.items() if driver.store.is_home(name, home)), None)
    if pid is None:
        log.warning("the status of domain '%s', which does not run, cannot be used: %s", name, reason)
        driver.store.forget_status(name)
        return
    log.error("domain '%s' runs as process %d, is left alone and cannot be managed: %s", name, pid, reason)
    where = driver.store.run_at(name, homes[pid])
    kept |= {where.private, where.channels, where.pid}
    driver.registry.unreadable[name] = reason
    if (known := driver.registry.by_name.get(name)) is not None:
        driver.registry.remove(known)


async def _take_up(driver: Guests, status: Status, live: Domain, kept: set[Path]) -> None:
    """One status file."""
    process = _process_of(status)
    known = driver.registry.by_name.get(status.name)
    guest = known if known is not None else Guest(live, persistent=False)
    where = driver.store.where(live.id if live.id is not None else 0, status.name)
    if status.monitor != Path():
        where = driver.store.run_at(status.name, status.monitor.parent)
    if process is None or status.phase != RUNNING:
        await _finish_off(driver, guest, live, status, process, where)
        return
    kept |= {where.private, where.channels, where.pid}
    run = Run(live, where, process=process, booted=True, autodestroy=status.autodestroy)
    places.take_advice(run, status.advised)
    programs.take_up(driver, guest, run, status.helpers)
    preparing.take_up(driver, live)
    run.defined_cpu = guest.definition.cpu if guest.definition is not None else None
    housing.recover(driver, run)
    with contextlib.suppress(LibvirtError):
        perf_counters.begin(run)
    guest.run = run
    guest.state, guest.reason = status.state, status.reason
    if known is None:
        driver.registry.add(guest)
    driver.registry.activate(guest, live.id if live.id is not None else driver.registry.next_id())
    if status.autodestroy:
        await _end_orphan(driver, guest, run)
        return
    run.change, run.taints = status.change, status.taints
    run.block_jobs.take_up(status.block_jobs)
    await _reconnect(driver, guest, run)


def _process_of(status: Status) -> Process | None:
    """The QEMU of a status file, if it still runs."""
    if status.pid <= 0:
        return None
    started = status.start_time or (start_time(status.pid) if _is_qemu_of(status.pid, status.monitor) else None)
    return adopt(status.pid, started) if started else None


def _is_qemu_of(pid: int, monitor: Path) -> bool:
    """Whether a process has this monitor's directory on its command line: a file of libvirt's tells no start time."""
    return os.fsencode(monitor.parent) in _read(pid, "cmdline")


async def _finish_off(
    driver: Guests, guest: Guest, live: Domain, status: Status, process: Process | None, where: Where
) -> None:
    """The guest does not run, or shall not: end what there is, and know the guest as off."""
    if process is not None:
        process.signal(signal.SIGTERM if status.phase == STOPPING else signal.SIGKILL)
        if await process.wait(stopping.GRACE) is None:
            process.signal(signal.SIGKILL)
            await process.wait(_DEATH_DEADLINE)
        process.close()
    run = Run(live, where, booted=True)
    await plug.unplug_all(driver, run)
    assigning.give_back(driver, live.devices.hostdevs)
    stopping.remove_files(driver, run)
    if not guest.persistent:
        stopping.remove_state(driver, live)
        return
    guest.state = State.PAUSED if status.phase == STARTING else status.state
    if status.phase == STARTING:
        guest.turn(Cause.START_FAILED)
    elif status.cause is not None:
        guest.turn(status.cause)
    else:
        guest.turn(Cause.POWERED_OFF if status.state is State.SHUTDOWN else Cause.QEMU_DIED)


async def _end_orphan(driver: Guests, guest: Guest, run: Run) -> None:
    """A guest that was to end with its connection, which ended with the former daemon."""
    stopping.watch(driver, guest, run)
    try:
        await stopping.destroy(driver, guest)
    except LibvirtError as error:
        log.error("domain '%s': %s", guest.name, error.message)


async def _reconnect(driver: Guests, guest: Guest, run: Run) -> None:
    try:
        run.monitor = Monitor.attach(
            run.where.monitor,
            lambda event: events.hear(driver, guest, run, event),
            lambda _: stopping.monitor_ended(driver, guest, run),
        )
    except OSError as error:
        log.error("domain '%s': its monitor is gone (%s); it is ended", guest.name, error.strerror)
        stopping.watch(driver, guest, run)
        stopping.end(driver, run)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run.ended.wait(), _DEATH_DEADLINE)
        return
    stopping.watch(driver, guest, run)
    asking = driver.background(_ask(driver, guest, run))
    run.keep(asking)
    done, _ = await asyncio.wait([asking], timeout=PATIENCE)
    if not done:
        log.warning("domain '%s': QEMU does not answer; it is known as %s", guest.name, guest.state.word)


async def _ask(driver: Guests, guest: Guest, run: Run) -> None:
    """Learn what happened while nobody listened."""
    monitor = run.talk()
    try:
        await monitor.negotiate(_THAW_DEADLINE)
        answers = await monitor.pipeline([("query-status", None), *devices.questions(run.live)])
    except LibvirtError as error:
        log.warning("domain '%s': %s", guest.name, error.message)
        return
    devices.learn(run, answers[1:])
    guest.changed()
    condition = text_of(as_object(answers[0], "the reply of query-status"), "status")
    if condition == "shutdown":
        power.shut_down(driver, guest, run, by_guest=None)
    elif condition == "guest-panicked":
        crash.panicked(driver, guest, run)
    elif (cause := _CAUSES.get(condition)) is not None and not (
        condition == "running" and guest.state is State.RUNNING
    ):
        power.change(driver, guest, run, cause)
    await settling.settle(driver, guest, run)
    await block_jobs.reconcile(driver, guest, run)
    channel.attach(driver, guest, run)
    statusfile.save(driver, guest, run)
    await dump.recover(driver, guest, run)


async def _end_strays(driver: Guests, homes: dict[int, Path], kept: set[Path]) -> None:
    """End every QEMU that we started and that belongs to no guest. Those of other daemons are not ours to judge."""
    ours = {guest.run.pid for guest in driver.registry if guest.run is not None}
    mark = os.fsencode(f"{INSTANCE_VARIABLE}={driver.store.instance}")
    for pid, home in homes.items():
        started = start_time(pid)
        if pid in ours or home in kept or started is None or _home(pid, driver.store.private_root) != home:
            continue
        if mark not in _read(pid, "environ").split(b"\0") or (process := adopt(pid, started)) is None:
            continue
        log.warning("process %d is a QEMU of ours that belongs to no guest; it is ended", pid)
        process.signal(signal.SIGKILL)
        await process.wait(_DEATH_DEADLINE)
        process.close()


def _find_homes(root: str) -> dict[int, Path]:
    """The processes that are QEMUs of these places, each with its home: the directory of its run."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (home := _home(int(entry.name), root)) is not None:
            found[int(entry.name)] = home
    return found


def _home(pid: int, root: str) -> Path | None:
    if b"qemu" not in _read(pid, "cmdline").split(b"\0", 1)[0]:
        return None
    mark = b"HOME=" + os.fsencode(root)
    words = _read(pid, "environ").split(b"\0")
    return next((Path(os.fsdecode(word.removeprefix(b"HOME="))) for word in words if word.startswith(mark)), None)


def _read(pid: int, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""
