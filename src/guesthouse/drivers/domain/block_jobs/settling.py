"""A job has changed, or has ended: what follows from it, in this daemon and in the next.

    ready        the `<mirror>` says so, and listeners are told
    concluded    the disk is what the job made of it, in what runs and in what is defined; QEMU forgets the job; nodes
                 and files that nobody needs go; listeners are told

The second begins with one write of the status file, which then holds the new disk and everything that is left to do.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.block_jobs import chains, qemu_jobs, reopening, target
from guesthouse.drivers.domain.block_jobs.jobs import (
    MIRROR_WORDS,
    OUTCOMES,
    READY_STATUS,
    Aftermath,
    BlockJob,
    Input,
    Kind,
    State,
)
from guesthouse.drivers.domain.block_jobs.qemu_jobs import JobStatus
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.hotplug import contexts, drives
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES
from guesthouse.model.domain.document import copy, parse_domain
from guesthouse.model.qemu_objects import Command, QemuObject
from guesthouse.qemu.json_value import JsonObject, objects, text_of
from guesthouse.qemu.monitor import MonitorClosed, MonitorTimeout, QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: How long an end waits for the guest's job, in seconds, before it tries again: nobody else will settle it.
PATIENCE: Final = 600.0
#: How long a QEMU that does not answer is waited for, in seconds; after that the next daemon settles.
THAW_DEADLINE: Final = 24 * 3600.0


def heard(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    """QEMU tells that one of its jobs has changed."""
    name, status = text_of(data, "id"), text_of(data, "status")
    waiting = run.block_jobs.changed.get(name)
    if waiting is not None:
        waiting.set()
    job = run.block_jobs.by_name.get(name)
    if job is None:
        return
    if status == "ready":
        become_ready(driver, guest, run, job)
    elif status == "concluded":
        run.keep(driver.background(_settle(driver, guest, run, job)))


def become_ready(driver: Guests, guest: Guest, run: Run, job: BlockJob) -> None:
    """Both images of the job are equal, and it waits to be told how to end."""
    if job.kind.two_phases and job.move(Input.BECAME_READY):
        show(guest, run, job)
        statusfile.save(driver, guest, run)
        _tell(driver, guest, run, job, READY_STATUS)


def disk_of(run: Run, job: BlockJob) -> Disk | None:
    """The disk that the job works on, if the guest still has it."""
    return next((disk for disk in run.live.devices.disks if disk.target.dev == job.disk), None)


def show(guest: Guest, run: Run, job: BlockJob) -> None:
    """Let the disk's `<mirror>` say what the job is at."""
    disk = disk_of(run, job)
    if disk is not None and disk.mirror is not None:
        disk.mirror.ready = MIRROR_WORDS.get(job.state)
    guest.changed()


def note(driver: Guests, guest: Guest, run: Run) -> None:
    """Write down what is under way. Raises `StorageError`."""
    guest.changed()
    statusfile.write(driver, guest, run)


def _tell(driver: Guests, guest: Guest, run: Run, job: BlockJob, status: int) -> None:
    disk = disk_of(run, job)
    if disk is None:
        return
    found = disk.actual
    if found is not None and found[0] in LOCAL_TYPES:
        driver.events.publish(EventId.BLOCK_JOB, guest, found[1].path, job.kind.number, status)
    driver.events.publish(EventId.BLOCK_JOB_2, guest, disk.target.dev, job.kind.number, status)


async def _settle(driver: Guests, guest: Guest, run: Run, job: BlockJob) -> None:
    """The job has concluded."""
    while not run.ended.is_set() and job.name in run.block_jobs.by_name:
        try:
            async with guest.job.hold("modify", deadline=PATIENCE):
                if job.name in run.block_jobs.by_name:
                    found = (await qemu_jobs.statuses(run, deadline=THAW_DEADLINE)).get(job.name)
                    await conclude(driver, guest, run, job, found or JobStatus("null"))
        except MonitorTimeout:
            continue
        except MonitorClosed:
            return  # the guest ends, or the daemon does
        except LibvirtError as error:
            if run.monitor is not None and run.monitor.closed is None:  # else it goes with its QEMU
                log.error("block job '%s' of domain '%s' is not settled: %s", job.name, guest.name, error.message)
            return


async def conclude(driver: Guests, guest: Guest, run: Run, job: BlockJob, found: JobStatus) -> None:
    """Draw the conclusions from the end of a job. The caller holds the guest's job."""
    if job.running:
        disk = disk_of(run, job)
        on = await _node_under(run, disk, job) if disk is not None and job.kind.two_phases else None
        other = _other_node(disk, job) if disk is not None else ""
        input_ = job.end_with(found.error, on, other)
        job.move(input_)
        if disk is not None:
            await _apply(driver, guest, run, job, disk, input_)
        note(driver, guest, run)
    await finish(driver, guest, run, job)


async def _node_under(run: Run, disk: Disk, job: BlockJob) -> str | None:
    """Which of the two images of a job the drive is on; None where a filter hides it."""
    entries = objects(await run.talk().execute("query-block"), "the reply of query-block")
    node = drives.inserted(drives.told(disk, entries))
    return node if node in (disk.layers()[0].node, _other_node(disk, job)) else None


def _other_node(disk: Disk, job: BlockJob) -> str:
    """The node of the image that the job would move the drive to."""
    if job.kind is Kind.COPY:
        return next((image.node for image in chains.mirrored(disk, inherits=False).layers()), "")
    return next((image.node for image in disk.layers() if image.storage_node == job.base), "")


async def _apply(driver: Guests, guest: Guest, run: Run, job: BlockJob, disk: Disk, input_: Input) -> None:
    """What runs has the disk that the job made; what is left to do is noted in the job."""
    job.aftermath = Aftermath()
    ctx = await contexts.of(driver, run, run.live)
    if input_ is Input.BROKE and job.kind is not Kind.COPY:
        after, gone = chains.without_mirror(disk), list[Image]()
    else:
        after, gone = chains.end_of(disk, job, switched=input_ is Input.SWITCHED)
    changed = input_ in (Input.FINISHED, Input.SWITCHED)
    if changed and guest.definition is not None:
        domain = copy(guest.definition)
        domain.devices.disks[:] = [
            chains.defined_after(config, disk, after, job) if config.target.dev == job.disk else config
            for config in domain.devices.disks
        ]
        text = definitions.file_text(domain)
        job.aftermath.definition = text if text != definitions.file_text(guest.definition) else ""
    if job.kind is Kind.COMMIT or (job.kind is Kind.ACTIVE_COMMIT and input_ is not Input.SWITCHED):
        await _close_data(run, job, disk, ctx)
    if job.kind is Kind.COPY and input_ is Input.SWITCHED and disk.readonly:
        await _only_read(run, after, ctx)
    job.aftermath.orders = target.undoing([item for image in reversed(gone) for item in _objects(image, ctx)])
    if changed and job.delete:
        job.aftermath.files = [image.source.path for image in gone if image.type == "file" and image.source.path]
    run.live.devices.disks[:] = [after if other is disk else other for other in run.live.devices.disks]
    guest.changed()
    _end_programs(driver, guest, run, gone, ctx)


async def _close_data(run: Run, job: BlockJob, disk: Disk, ctx: DeviceContext) -> None:
    """Nobody writes to the base of the commit any more."""
    for image in disk.layers():
        if image.storage_node == job.base:
            try:
                await reopening.data_file(run, image, ctx, readonly=True)
            except QmpError as error:
                log.warning("%s", error.message)


async def _only_read(run: Run, disk: Disk, ctx: DeviceContext) -> None:
    """The copy of what is only read is written no more."""
    try:
        await reopening.as_disk(run, disk, ctx)
    except QmpError as error:
        log.warning("%s", error.message)


def _objects(image: Image, ctx: DeviceContext) -> list[QemuObject]:
    """What an image is in QEMU. Whatever it lacks by now, such as a secret, must not keep it there."""
    try:
        return image.objects(ctx, None, ended=False)
    except LibvirtError as error:
        log.warning("nodes of image %d stay in QEMU: %s", image.index, error.message)
        return []


def _end_programs(driver: Guests, guest: Guest, run: Run, gone: list[Image], ctx: DeviceContext) -> None:
    """The programs that reached servers for images that are gone."""
    needed = {program.name for device in run.live.devices.all() for program in device.helpers(ctx)}
    for image in gone:
        for program in image.helpers(ctx):
            if program.name not in needed:
                programs.end(driver, guest, run, program.name)


async def finish(driver: Guests, guest: Guest, run: Run, job: BlockJob) -> None:
    """Do what is left to do for a job that is over. All of it can be done twice."""
    await qemu_jobs.dismiss(run, job.name)  # until then it holds its nodes
    if job.aftermath.definition and guest.definition is not None:
        await _define(driver, guest, job.aftermath.definition)
    await clean(run, job)
    run.block_jobs.drop(job)
    statusfile.save(driver, guest, run)
    if job.error and job.state is State.FAILED:
        log.warning("block job '%s' of domain '%s' failed: %s", job.name, guest.name, job.error)
    _tell(driver, guest, run, job, OUTCOMES[job.state])


async def _define(driver: Guests, guest: Guest, text: str) -> None:
    if guest.definition is None or text == definitions.file_text(guest.definition):
        return
    domain = parse_domain(text)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults, kept=True)
    if domain.uuid == guest.uuid_text and domain.name == guest.name:
        await definitions.replace(driver, guest, domain)


async def clean(run: Run, job: BlockJob) -> None:
    """Take away what nobody needs. What is not there, or is in use, is no failure."""
    for order in job.aftermath.orders:
        await _tidy(run, order)
    if job.aftermath.files:
        try:
            await target.remove_files(job.aftermath.files)
        except LibvirtError as error:
            log.warning("%s", error.message)


async def _tidy(run: Run, order: Command) -> None:
    try:
        await run.talk().execute(order.name, order.arguments)
    except QmpError as error:
        log.debug("%s: %s", order.name, error.message)
