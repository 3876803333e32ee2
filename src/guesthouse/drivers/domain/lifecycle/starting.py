"""Starting a guest: from a definition to a QEMU that runs it.

    definition                      copy, aliases, id, ports                (memory)
    room                            directories, firmware variables         (files)
    QEMU                            launch; status file with its pid        -> phase `starting`
    questions, `cont`               one write to the monitor
    state, status file, events                                              -> phase `running`

Whatever fails undoes what was done before it; what the daemon's death cut off, the next daemon undoes, because the
status file says `starting`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller
from guesthouse.drivers.domain import devices, taints
from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.disks import descriptors, refusal
from guesthouse.drivers.domain.disks import preparing as disk_preparing
from guesthouse.drivers.domain.displays import places as display_places
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.files.store import INSTANCE_VARIABLE
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.interfaces import plug
from guesthouse.drivers.domain.lifecycle import environment, preparing, stopping, surroundings
from guesthouse.drivers.domain.memory import balloon, places
from guesthouse.drivers.domain.monitor import events
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause
from guesthouse.drivers.domain.tuning import checks, housing, perf_counters, threads
from guesthouse.drivers.domain.vcpus import plugging
from guesthouse.drivers.domain.vcpus import questions as cpu_questions
from guesthouse.errors import LibvirtError, OperationFailedError, OperationInvalidError, UnsupportedConfigError
from guesthouse.host.processes import Process
from guesthouse.model.domain import cpu_report, seclabel
from guesthouse.model.domain.aliases import assign_aliases
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import find_emulator
from guesthouse.model.domain.context import launch_context
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.labels import labels_of
from guesthouse.model.domain.document import copy
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.qemu.images import create_nvram
from guesthouse.qemu.json_value import Sendable
from guesthouse.qemu.launch import LaunchError, launch

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long the place of firmware variables may take to answer, in seconds.
_STORAGE_DEADLINE = 10.0

#: Flags of a start: bits of `virDomainCreateFlags`.
PAUSED = 1
AUTODESTROY = 2
BYPASS_CACHE = 4
FORCE_BOOT = 8
VALIDATE = 16
RESET_NVRAM = 32


async def start(driver: Guests, guest: Guest, definition: Domain, flags: int = 0, caller: Caller | None = None) -> None:
    """Start the guest from `definition`; the caller holds its job.

    With `AUTODESTROY` it ends when `caller`'s connection does. Raises `OperationInvalidError` when it runs already,
    and what QEMU complains of as `LaunchError`.
    """
    if guest.active:
        raise OperationInvalidError("domain is already running")
    binary = find_emulator(definition, driver.settings.defaults)
    caps = await driver.emulators.capabilities(binary)
    checks.check(driver, definition)
    places.check(definition)
    seclabel.check_start(definition.seclabels, labels_of(definition.devices.all()))
    run = _begin(driver, guest, definition, caps)
    try:
        await _prepare_firmware(driver, run, reset=bool(flags & RESET_NVRAM))
        driver.store.make_room(run.where)
        _still_wanted(run)
        context = await _launch(driver, guest, run, caps)
        await _greet(driver, run, context, paused=bool(flags & PAUSED))
        _still_wanted(run)
        _settle(driver, guest, run, flags, caller)
    except BaseException as error:  # also where nobody waits any more: a start that is cut off is undone
        died = programs.explain(run)
        await _undo(driver, guest, run)
        if isinstance(error, LaunchError):
            raise _explained(error, died) from error
        raise


def _begin(driver: Guests, guest: Guest, definition: Domain, caps: QemuCapabilities) -> Run:
    """Everything that takes no time: from here on the guest has an id and the state `starting up`."""
    live = copy(definition)
    id_ = driver.registry.next_id()
    live.id = id_
    assign_aliases(live, caps)
    run = Run(live, driver.store.where(id_, guest.name), defined_cpu=definition.cpu)
    guest.run = run
    guest.turn(Cause.LAUNCH)
    driver.registry.activate(guest, id_)
    return run


async def _prepare_firmware(driver: Guests, run: Run, *, reset: bool) -> None:
    """Make the guest's own firmware variables from the template, at its first start or on demand."""
    nvram = run.live.os.nvram
    if nvram is not None and nvram.type not in (None, "file") and reset:
        raise UnsupportedConfigError(f"resetting of nvram is not supported with {nvram.type} backed nvram")
    if nvram is None or nvram.file is None or not nvram.template:
        return
    target = Path(nvram.file)
    try:
        async with asyncio.timeout(_STORAGE_DEADLINE):  # the definition may name a place that hangs
            wanted = reset or not await asyncio.to_thread(target.exists)
            if wanted:
                await asyncio.to_thread(target.parent.mkdir, mode=0o751, parents=True, exist_ok=True)
    except TimeoutError:
        raise OperationFailedError(f"the storage of '{target}' does not answer") from None
    if wanted:
        await create_nvram(target, Path(nvram.template), nvram.template_format or "raw", nvram.format or "raw")


async def _launch(driver: Guests, guest: Guest, run: Run, caps: QemuCapabilities) -> DeviceContext:
    home = str(run.where.private)
    await places.advise(run)
    context = await display_places.located(driver, run.live, surroundings.of_run(driver, run, caps))
    await disk_preparing.prepare(driver, guest, run)
    prepare(run.live, context)
    places.make(run, context)
    devices_context = launch_context(run.live, context)
    preparing.prepare_devices(driver, run)
    await preparing.start_helpers(driver, guest, run, devices_context)
    context = await plug.plug_all(driver, run, context)
    command = realise(run.live, context)
    variables = {**environment.of_guest(home, command.environment), INSTANCE_VARIABLE: driver.store.instance}

    as_wanted = contextlib.ExitStack()

    def spawned(process: Process) -> None:
        as_wanted.close()
        run.process = process
        housing.begin(driver, run)
        statusfile.write(driver, guest, run)
        _still_wanted(run)

    with as_wanted:
        as_wanted.enter_context(checks.policy(driver, run))  # until QEMU is spawned: nothing waits before
        launched = await launch(
            command.argv,
            monitor_path=run.where.monitor,
            log_path=driver.places.guest_logs / f"{guest.name}.log",
            on_event=lambda event: events.hear(driver, guest, run, event),
            on_closed=lambda _: stopping.monitor_ended(driver, guest, run),
            on_spawned=spawned,
            pass_fds=[*plug.descriptors(run), *descriptors.descriptors_of(driver, run)],
            env=variables,
            qemu_version=".".join(map(str, caps.version)) + caps.package,
            notes=taints.at_start(run, caps),
        )
    run.process = launched.process
    run.monitor = launched.monitor
    plug.close(run)
    return devices_context


def _still_wanted(run: Run) -> None:
    """A start that was overtaken by a destroy ends here."""
    if run.stop_cause is not None:
        raise OperationFailedError("domain is no longer running", hint="it was destroyed while it started")


async def _greet(driver: Guests, run: Run, ctx: DeviceContext, *, paused: bool) -> None:
    """Say what can only be said to a running QEMU, ask what only it knows, and let the guest run: all in one write.

    Where the answers may show that the guest must not run, it is let run in a second one.
    """
    orders = [
        (order.name, order.arguments or None)
        for device in run.live.devices.in_launch_order()
        for order in device.after_start(ctx)
    ]
    asked = cpu_report.is_wanted(run.live)
    questions = [*devices.questions(run.live), *(cpu_questions.QUESTIONS if asked else ())]
    last = [*orders, *balloon.at_start(run), *_actions(run.live), *([] if paused else [("cont", None)])]
    tuned = checks.is_wanted(run.live)
    apart = tuned or run.live.vcpus is not None or cpu_report.can_refuse(run.live)
    answers = await run.talk().pipeline(questions if apart else [*questions, *last])
    if asked:
        first = len(devices.questions(run.live))
        cpu_report.apply(run.live, cpu_questions.read_report(answers[first:]))
    devices.learn(run, answers)
    await plugging.plug_at_start(run)
    perf_counters.begin(run)
    if tuned:
        await threads.settle(run)
    if apart and last:
        await run.talk().pipeline(last)
    if not tuned and run.house is not None:
        run.sorting = driver.background(threads.sort_threads(run))
        run.keep(run.sorting)


def _actions(live: Domain) -> list[tuple[str, dict[str, Sendable]]]:
    """What QEMU shall do by itself: a reset becomes a power-off where a reboot is the end."""
    return [("set-action", {"reboot": "shutdown"})] if live.on_reboot == "destroy" else []


def _settle(driver: Guests, guest: Guest, run: Run, flags: int, caller: Caller | None) -> None:
    run.booted = True
    if flags & AUTODESTROY and caller is not None:
        tie(driver, guest, run, caller)
    stopping.watch(driver, guest, run)
    notices = guest.turn(Cause.BOOT_PAUSED if flags & PAUSED else Cause.BOOT)
    guest.changed()
    statusfile.save(driver, guest, run)
    channel.attach(driver, guest, run)
    driver.events.lifecycle(guest, *notices)
    log.info("domain '%s' is running as process %d", guest.name, run.pid)


def tie(driver: Guests, guest: Guest, run: Run, caller: Caller) -> None:
    """The guest ends when this connection does."""

    async def end() -> None:
        if guest.run is run:
            await stopping.destroy(driver, guest)

    def closed() -> None:
        run.release_autodestroy = None
        if not driver.stopping and not run.ended.is_set():
            driver.farewell(end())

    run.autodestroy = True
    run.release_autodestroy = caller.when_closed(closed)


async def _undo(driver: Guests, guest: Guest, run: Run) -> None:
    """A start that failed leaves nothing behind."""
    if run.ended.is_set():
        return
    destroyed = run.stop_cause is Cause.DESTROY
    run.stop_cause = run.stop_cause or Cause.START_FAILED
    if run.process is not None and run.process.poll() is None and run.process.pidfd >= 0:
        await run.process.end(0.0, stopping.DEATH_DEADLINE)
    if not destroyed:
        guest.turn(Cause.START_FAILED)
    stopping.finish(driver, guest, run)


def _explained(error: LaunchError, died: str) -> LibvirtError:
    """A file that QEMU could not open is told in libvirt's words, and a helper that died (`died`) instead of QEMU."""
    found = refusal.explained(error.detail)
    if found is None:
        return OperationFailedError(died) if died else error
    return found
