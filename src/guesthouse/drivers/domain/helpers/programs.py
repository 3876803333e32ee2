"""Programs that help a run's QEMU: swtpm, virtiofsd, passt, qemu-pr-helper and the like.

`start` starts one before QEMU (or before the device that needs it is plugged in), `end` ends one, `end_all` those of a
run. The rules:

1. A device says in `Device.helpers` what it needs; nobody else knows a program's options.
2. A helper is a session of its own, runs on without the daemon, and is written to the run's status file by pid and
   start time. `take_up` finds it again; `end_strays` ends what was started but never written down.
3. Its output goes to `GUEST-NAME.log` beside the guest's own log.
4. It ends with its run: asked first, killed after `GRACE`. The next start of the same guest waits for that, because
   two of them must not have one state.
5. A helper that dies under a running guest is noted in the log. One that says `restart` is started again, unless it
   dies all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.files.store import INSTANCE_VARIABLE
from guesthouse.drivers.domain.helpers import launching
from guesthouse.drivers.domain.helpers import traces as helper_traces
from guesthouse.drivers.domain.helpers.helper import Helper
from guesthouse.drivers.domain.helpers.traces import HelperTrace
from guesthouse.drivers.domain.host_devices import assigning, parts
from guesthouse.errors import OperationFailedError
from guesthouse.host.processes import Process, adopt
from guesthouse.model.helper_programs import HelperProgram

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.devices.base import Device, DeviceContext

log = logging.getLogger(__name__)

#: How long a helper may take to end by itself after SIGTERM, in seconds.
GRACE = 2.0

#: So many deaths in so many seconds are too many to start a helper again.
RESTARTS = 5
RESTART_SECONDS = 60.0

_DEATH_DEADLINE = 5.0
_POLL_SECONDS = 0.005
_LAST_WORDS = 1024


async def start_for(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """Start what a device needs, all of it or nothing; a device of the host is taken from it.

    Raises `OperationFailedError`, and what `assigning.take` raises.
    """
    begun: list[str] = []
    await parts.look(driver, device)
    await assigning.take(driver, run, device)
    try:
        for program in device.helpers(ctx):
            if program.name in run.helpers:
                continue  # several devices share it
            await start(driver, guest, run, program)
            begun.append(program.name)
    except BaseException:  # also where nobody waits any more: nothing runs on without its device
        for name in begun:
            end(driver, guest, run, name)
        assigning.give_back(driver, [device])
        raise


def end_for(driver: Guests, guest: Guest, run: Run, device: Device, ctx: DeviceContext) -> None:
    """End what a device had, once QEMU has let go of it, and what no other device needs."""
    others = (other for other in run.live.devices.all() if other is not device)
    needed = {program.name for other in others for program in other.helpers(ctx)}
    for program in device.helpers(ctx):
        if program.name not in needed:
            end(driver, guest, run, program.name)
    assigning.give_back(driver, [device])


async def start(driver: Guests, guest: Guest, run: Run, program: HelperProgram) -> None:
    """Start one program and wait until it is ready. Raises `OperationFailedError` with its last words.

    Under a running guest the status file tells of it when this returns; while a guest starts, the start does that.
    """
    await _until_former_are_gone(driver, guest)
    for step in program.before:
        await launching.prepare(driver, run, program, step)
    path = driver.places.guest_logs / f"{guest.name}-{program.name}.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = await launching.launch(driver, run, program, path)
    helper = Helper(program, process, path)
    try:
        await _until_ready(helper)
    except BaseException:  # also where nobody waits any more: no status file knows it
        helper_traces.kill_group(process)
        process.watch(Process.close)
        raise
    _hold(driver, guest, run, helper)
    if run.booted:
        statusfile.save(driver, guest, run)


async def _until_ready(helper: Helper) -> None:
    program = helper.program
    if program.ready is None:
        return
    try:
        async with asyncio.timeout(program.deadline):
            while not _is_there(program):
                if helper.process.poll() is not None:
                    raise OperationFailedError(_epitaph(helper))
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise OperationFailedError(
            f"'{program.argv[0]}' was not ready within {program.deadline:g} seconds",
            hint=f"see {helper.log}",
        ) from None


def _is_there(program: HelperProgram) -> bool:
    """Whether its socket is; one that serves a single connection is not tried."""
    path = program.ready or ""
    return Path(path).is_socket() if program.once else _accepts(path)


def _accepts(path: str) -> bool:
    """Whether somebody listens there. Never waits: a UNIX socket connects at once, or not."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            probe.connect(path)
    except OSError:
        return False
    return True


def _epitaph(helper: Helper) -> str:
    """That it ended, how, and its last words."""
    text = f"'{helper.program.argv[0]}' ended unexpectedly: {helper.process.poll()}"
    with contextlib.suppress(OSError), helper.log.open("rb") as file:
        file.seek(max(0, helper.log.stat().st_size - _LAST_WORDS))
        words = file.read(_LAST_WORDS).decode("utf-8", "replace").strip().splitlines()
        if words:
            text += f": {words[-1]}"
    return text


def explain(run: Run) -> str:
    """What to say of helpers that died while QEMU was started: QEMU then knows of a closed connection only."""
    ended = ((helper, helper.process.poll()) for helper in run.helpers.values())
    return "; ".join(_epitaph(helper) for helper, how in ended if how is not None and not how.ok)


def _hold(driver: Guests, guest: Guest, run: Run, helper: Helper) -> None:
    run.helpers[helper.program.name] = helper
    helper.forget = helper.process.watch(lambda _: _died(driver, guest, run, helper))


def _died(driver: Guests, guest: Guest, run: Run, helper: Helper) -> None:
    """Of its own accord: those that are ended here are no longer watched."""
    if run.ended.is_set() or driver.stopping or not run.booted or run.stop_cause is not None:
        return
    name = helper.program.name
    log.warning("domain '%s': helper %s: %s", guest.name, name, _epitaph(helper))
    run.helpers.pop(name, None)
    helper.process.close()
    now = asyncio.get_running_loop().time()
    helper.deaths = [moment for moment in helper.deaths if moment > now - RESTART_SECONDS] + [now]
    if helper.program.restart and len(helper.deaths) <= RESTARTS:
        run.keep(driver.background(_start_again(driver, guest, run, helper)))
    else:
        statusfile.save(driver, guest, run)


async def _start_again(driver: Guests, guest: Guest, run: Run, dead: Helper) -> None:
    await start(driver, guest, run, dead.program)
    run.helpers[dead.program.name].deaths = dead.deaths


def end(driver: Guests, guest: Guest, run: Run, name: str) -> None:
    """End one helper of a run; one that is not there has ended already."""
    helper = run.helpers.pop(name, None)
    if helper is None:
        return
    _see_off(driver, guest, helper)
    if run.booted and not run.ended.is_set():
        statusfile.save(driver, guest, run)


def end_all(driver: Guests, guest: Guest, run: Run) -> None:
    """End the helpers of a run whose QEMU is gone."""
    for helper in run.helpers.values():
        _see_off(driver, guest, helper)
    run.helpers.clear()
    assigning.give_back(driver, run.live.devices.hostdevs)


def let_go(run: Run) -> None:
    """The daemon ends: no longer watch the helpers, which run on."""
    for helper in run.helpers.values():
        helper.process.close()
    run.helpers.clear()


def _see_off(driver: Guests, guest: Guest, helper: Helper) -> None:
    if helper.forget is not None:
        helper.forget()
    helper_traces.kill_group(helper.process, signal.SIGTERM)
    task = driver.background(_until_gone(helper.process))
    driver.farewells.add(task)
    former = driver.ending_helpers.setdefault(guest.uuid, set())
    former.add(task)

    def gone(done: asyncio.Task[object]) -> None:
        driver.farewells.discard(done)
        former.discard(done)
        if not former:
            driver.ending_helpers.pop(guest.uuid, None)

    task.add_done_callback(gone)


async def _until_gone(process: Process) -> None:
    try:
        if await process.wait(GRACE) is None:
            helper_traces.kill_group(process)
            await process.wait(_DEATH_DEADLINE)
    finally:
        process.close()


async def _until_former_are_gone(driver: Guests, guest: Guest) -> None:
    if former := driver.ending_helpers.get(guest.uuid):
        await asyncio.wait(set(former), timeout=GRACE + _DEATH_DEADLINE)


def take_up(driver: Guests, guest: Guest, run: Run, traces: tuple[HelperTrace, ...]) -> None:
    """Watch the helpers that a former daemon started and that still run."""
    for trace in traces:
        process = adopt(trace.pid, trace.start_time)
        if process is None:
            log.warning("domain '%s': helper %s has ended while no daemon ran", guest.name, trace.name)
            continue
        program = HelperProgram(trace.name, helper_traces.command_of(trace.pid), restart=trace.restart)
        _hold(driver, guest, run, Helper(program, process, driver.places.guest_logs / f"{guest.name}-{trace.name}.log"))


async def end_strays(driver: Guests, homes: set[Path]) -> None:
    """End the helpers of ours that no run knows. `homes` are the directories of runs that are not ours to judge."""
    known = {helper.process.pid for guest in driver.registry if guest.run for helper in guest.run.helpers.values()}
    mark = f"{INSTANCE_VARIABLE}={driver.store.instance}"
    for home, process in await driver.in_thread(helper_traces.find, mark):
        if home in homes or known & helper_traces.leaders_of(process.pid):
            process.close()
            continue
        log.warning("process %d is a helper of ours that belongs to no guest; it is ended", process.pid)
        helper_traces.kill_group(process)
        await _until_gone(process)
