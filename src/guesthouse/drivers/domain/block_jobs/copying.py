"""Copying: a disk's data goes to another image, and so does what the guest writes meanwhile, until both are equal.

Then the job is ready: told to pivot, the guest goes on with the copy; told to abort, with the original.

Source: `virDomainBlockCopy`; QEMU's `blockdev-mirror`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs import chains, destination, reconciling, settling, starting, target
from guesthouse.drivers.domain.block_jobs.jobs import (
    COPY_REUSE,
    COPY_SHALLOW,
    Aftermath,
    BlockJob,
    Kind,
    check_supported,
    refuse,
)
from guesthouse.drivers.domain.disks import preparing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.hotplug import contexts, wiring
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import (
    LibvirtError,
    OperationInvalidError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.chain import BackingStore, Mirror
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: More bits of `virDomainBlockCopyFlags`.
TRANSIENT_JOB, SYNCHRONOUS = 4, 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: `bandwidth` and `buffer` in bytes (a second), 0 for QEMU's own choice, as `granularity`.

    With `labels` the copy has the security labels of the original.
    """

    mirror: Mirror
    bandwidth: int = 0
    granularity: int = 0
    buffer: int = 0
    flags: int = 0
    labels: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is made for a copy: `made` are the nodes of `image`, `deeper` those of what it lies on if that is new too.

    `below` is what its header names; `file` says that it is a new file. An image that is `reused` is not made.
    """

    image: Image
    made: list[QemuObject]
    deeper: list[QemuObject]
    below: Image | None
    reused: bool
    file: str


async def copy(driver: Guests, guest: Guest, path: str, wish: Wish) -> None:
    """Begin to copy. Raises libvirt's refusals, and what QEMU says; then nothing is left of the attempt."""
    starting.check_limit(wish.bandwidth)
    async with modifying(guest):
        run = guest.live()
        disk = starting.disk_of(run.live, path)
        _check(guest, run, disk, wish)
        shallow = bool(wish.flags & COPY_SHALLOW) and len(disk.layers()) > 1
        reuse = bool(wish.flags & COPY_REUSE)
        mirror = clone(wish.mirror)
        destination.settle_chain(disk, mirror, shallow=shallow, reuse=reuse)
        ready, there = await destination.look(disk, mirror, reuse=reuse)
        await destination.settle_format(disk, mirror, reuse=reuse)
        copied = await _prepare(driver, guest, run, disk, mirror, wish, shallow=shallow)
        await _begin(driver, guest, run, disk, copied, wish, shallow=shallow, reused=ready, there=there)


def _check(guest: Guest, run: Run, disk: Disk, wish: Wish) -> None:
    refuse(disk, run.block_jobs.on(disk.target.dev))
    check_supported(disk)
    source = wish.mirror.source
    if source is not None and source.fdgroup is not None:
        raise UnsupportedConfigError("copy to a FD passed disk source is not yet supported", domain=Origin.QEMU)
    if disk.device == "lun" and wish.mirror.type != "block":
        raise UnsupportedConfigError("disk device='lun' is only valid for block type disk source")
    if disk.empty:
        raise UnsupportedConfigError(f"disk {disk.target.dev} has no source file to be copied", domain=Origin.QEMU)
    if not wish.flags & TRANSIENT_JOB and guest.persistent:
        raise OperationInvalidError("domain is not transient")


async def _prepare(
    driver: Guests, guest: Guest, run: Run, disk: Disk, mirror: Mirror, wish: Wish, *, shallow: bool
) -> Disk:
    """The disk with its mirror, complete: with chain, numbers and labels."""
    if disk.shareable and not disk.readonly and (mirror.format is None or mirror.format.type != "raw"):
        raise OperationUnsupportedError("can't pivot a shared disk to a storage volume not supporting sharing")
    if mirror.source is not None and mirror.source.encryption is not None:
        mirror.source.encryption.engine = mirror.source.encryption.engine or "qemu"
    if wish.labels and mirror.source is not None and disk.source is not None:
        mirror.source.labels = mirror.source.labels or [clone(label) for label in disk.source.labels]
    _word(mirror)
    copied = clone(disk)
    copied.mirror = mirror
    trial = chains.mirrored(copied, inherits=False)
    trial.filters = None
    trial.resolve(driver.volume)
    if shallow and wish.flags & COPY_REUSE and mirror.backing is None:
        await preparing.prepare_disks(driver, guest, [trial])
        trial.backing = trial.backing or new(BackingStore)
    trial.number_layers(contexts.next_layer(run))
    mirror.source, mirror.backing = trial.source, trial.backing
    return copied


def _word(mirror: Mirror) -> None:
    """What old clients read."""
    if mirror.type == "file" and mirror.source is not None and mirror.format is not None:
        mirror.file, mirror.format_name = mirror.source.path, mirror.format.type


async def _begin(
    driver: Guests,
    guest: Guest,
    run: Run,
    disk: Disk,
    copied: Disk,
    wish: Wish,
    *,
    shallow: bool,
    reused: bool,
    there: bool,
) -> None:
    ctx = await contexts.of(driver, run, run.live)
    plan = _plan(copied, wish, ctx, shallow=shallow, reused=reused, there=there)
    job = BlockJob(
        f"copy-{disk.target.dev}-{disk.layers()[0].node}",
        Kind.COPY,
        disk.target.dev,
        flags=wish.flags if shallow else wish.flags & ~COPY_SHALLOW,
        inherits=shallow and not wish.flags & COPY_REUSE,
        aftermath=Aftermath(orders=target.undoing([*plan.deeper, *plan.made]), files=[plan.file] if plan.file else []),
    )
    starting.exchange(guest, run, copied)
    run.block_jobs.add(job)
    try:
        await _make(driver, guest, run, job, copied, plan, ctx)
        await starting.begin(driver, guest, run, job, "blockdev-mirror", _arguments(disk, plan, wish, shallow=shallow))
    except BaseException as error:  # also where nobody waits any more: no trace of the job may stay
        await reconciling.never_begun(driver, guest, run, job, error)
        raise
    guest.changed()


def _plan(copied: Disk, wish: Wish, ctx: DeviceContext, *, shallow: bool, reused: bool, there: bool) -> _Plan:
    after = chains.mirrored(copied, inherits=False)
    after.filters = None
    after.readonly = False
    after.prepare(ctx)
    layers = after.layers()
    below: Image | None = None
    deeper: list[QemuObject] = []
    if shallow and not wish.flags & COPY_REUSE:
        below = layers[1] if len(layers) > 1 else copied.layers()[1]
        for place in reversed(range(1, len(layers))):
            under = layers[place + 1] if place + 1 < len(layers) else None
            deeper += layers[place].objects(ctx, under, ended=under is None)
    file = layers[0].source.path if layers[0].type == "file" and not reused and not there else None
    return _Plan(layers[0], layers[0].objects(ctx, below, ended=True), deeper, below, reused, file or "")


async def _make(
    driver: Guests, guest: Guest, run: Run, job: BlockJob, copied: Disk, plan: _Plan, ctx: DeviceContext
) -> None:
    settling.note(driver, guest, run)
    if plan.file:
        try:
            await target.make_file(plan.file)
        except LibvirtError:
            job.aftermath.files.clear()  # whatever is there is not ours
            raise
    run.next_layer = max(contexts.next_layer(run), *(number + 1 for number in copied.numbers()))
    for program in plan.image.helpers(ctx):
        if program.name not in run.helpers:
            await programs.start(driver, guest, run, program)
    await wiring.make(run, plan.deeper, deadline=target.OPEN_DEADLINE)
    if plan.reused:
        await wiring.make(run, plan.made, deadline=target.OPEN_DEADLINE)
    else:
        await target.make(run, plan.image, plan.made, copied.layers()[0], plan.below, ctx)


def _arguments(disk: Disk, plan: _Plan, wish: Wish, *, shallow: bool) -> Props:
    return without_none({
        "device": disk.node(),
        "target": plan.image.node,
        "replaces": disk.layers()[0].node,
        "speed": wish.bandwidth or None,
        "granularity": wish.granularity or None,
        "buf-size": wish.buffer or None,
        "sync": "top" if shallow else "full",
        "copy-mode": "write-blocking" if wish.flags & SYNCHRONOUS else None,
    })  # fmt: skip
