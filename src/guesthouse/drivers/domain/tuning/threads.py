"""What a definition says about processor time, pinning, memory and disks, put on the threads of a guest that starts.

    `checks`           before anything is started: what this daemon cannot enforce is refused by name
    `settle`           when QEMU answers and before its guest runs: limits, pins, schedulers

A guest that has no such settings runs without waiting; its threads are sorted into the parts of its group meanwhile.

Settings: https://libvirt.org/formatdomain.html#cpu-tuning and the sections after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import housing
from guesthouse.drivers.domain.vcpus import bitmaps
from guesthouse.errors import LibvirtError, OperationTimeoutError
from guesthouse.host import cgroup_limits as limits
from guesthouse.host import scheduling
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.domain.blkiotune import Blkiotune
from guesthouse.model.domain.cputune import Cputune
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.memtune import Memtune
from guesthouse.model.kinds import format_cpuset, parse_cpuset
from guesthouse.qemu.json_value import as_int, objects, text_of

log = logging.getLogger(__name__)

EMULATOR = "emulator"

#: How long a guest that has just started may take until its threads are sorted, in seconds.
_PATIENCE = 5.0

#: The model's name of a disk's limit, and the control group's.
DEVICE_LIMITS = {
    "read_iops_sec": "device_read_iops_sec",
    "write_iops_sec": "device_write_iops_sec",
    "read_bytes_sec": "device_read_bytes_sec",
    "write_bytes_sec": "device_write_bytes_sec",
}
MEMORY_LIMITS = ("hard_limit", "soft_limit", "swap_hard_limit")


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of a QEMU by what they do: processors by number, I/O threads by id, and all others."""

    pid: int
    vcpus: Mapping[int, int]
    iothreads: Mapping[int, int]

    @property
    def emulator(self) -> list[int]:
        """QEMU's own threads, its first one in front."""
        others = {*self.vcpus.values(), *self.iothreads.values()}
        return [tid for tid in scheduling.threads(self.pid) if tid not in others]

    def of(self, part: str) -> list[int]:
        """The threads of a part: none for a processor that is off."""
        if part == EMULATOR:
            return self.emulator
        known = self.iothreads if part.startswith("iothread") else self.vcpus
        found = known.get(int(part.removeprefix("iothread").removeprefix("vcpu")))
        return [] if found is None else [found]


async def threads(run: Run) -> Threads:
    """The threads that QEMU has now."""
    iothreads: dict[int, int] = {}
    if run.live.iothread_ids is not None:
        for entry in objects(await run.talk().execute("query-iothreads"), "the reply of query-iothreads"):
            number = text_of(entry, "id").removeprefix("iothread")
            if number.isdecimal():
                iothreads[int(number)] = as_int(entry.get("thread-id"), "an I/O thread")
    vcpus = dict(zip(run.readings.vcpu_numbers, run.readings.vcpu_threads, strict=True))
    return Threads(run.pid, vcpus, iothreads)


async def ready(run: Run, patience: float = _PATIENCE) -> Group | None:
    """The run's group, with its parts; None where it has none, or none could be made.

    Raises `OperationTimeoutError` where it is not there in so many seconds.
    """
    under_way: list[asyncio.Task[Group] | asyncio.Task[object]] = [
        task for task in (run.house, run.sorting) if task is not None and not task.done()
    ]
    if under_way and (await asyncio.wait(under_way, timeout=patience))[1]:
        raise OperationTimeoutError(
            f"the threads of domain '{run.live.name}' are not in their control groups after {patience:g} seconds",
            hint="its QEMU, or the host, does not answer",
        )
    with contextlib.suppress(LibvirtError, OSError, TimeoutError):
        return await housing.settled(run)
    return None


async def settle(run: Run) -> None:
    """Apply everything. Raises what the kernel says against it, or why the group could not be made."""
    group = await housing.settled(run)
    await DISK.run(_apply, group, run, await threads(run), bitmaps.online())


async def sort_threads(run: Run) -> None:
    """As `settle`, for a guest without settings: whatever fails is only told."""
    try:
        await settle(run)
    except (LibvirtError, OSError, TimeoutError) as error:
        if not run.ended.is_set():
            log.debug("the threads of domain '%s' stay where they are: %s", run.live.name, error)


def _apply(group: Group | None, run: Run, found: Threads, online: frozenset[int]) -> None:
    live = run.live
    if group is not None:
        _limit_guest(group, live)
    tune = live.cputune
    for tid in found.emulator:
        _place(group, run, EMULATOR, tid, online)
    for number, tid in found.vcpus.items():
        _place(group, run, f"vcpu{number}", tid, online)
    for number, tid in found.iothreads.items():
        _place(group, run, f"iothread{number}", tid, online)
    if tune is not None:
        for tid, word, priority in _schedulers(tune, found):
            scheduling.set_scheduler(tid, word, priority)


def place_vcpu(group: Group | None, run: Run, number: int, tid: int) -> None:
    """Treat a processor that was plugged in as the others. Blocks; use a thread."""
    _place(group, run, f"vcpu{number}", tid, bitmaps.online())
    if run.live.cputune is not None:
        for sched in run.live.cputune.vcpuscheds:
            if number in sched.numbers:
                scheduling.set_scheduler(tid, sched.scheduler, sched.priority)


def place_iothread(group: Group | None, run: Run, number: int, tid: int) -> None:
    """Treat an I/O thread that was added as the others. Blocks; use a thread."""
    _place(group, run, f"iothread{number}", tid, bitmaps.online())


def drop_part(group: Group | None, name: str) -> None:
    """The thread of this part is gone: remove the part. Blocks; use a thread."""
    if group is not None:
        group.part(name).remove()


def _schedulers(tune: Cputune, found: Threads) -> Iterator[tuple[int, str, int | None]]:
    if tune.emulatorsched is not None:
        for tid in found.emulator:
            yield tid, tune.emulatorsched.scheduler, tune.emulatorsched.priority
    for sched in tune.vcpuscheds:
        for number in sched.numbers & found.vcpus.keys():
            yield found.vcpus[number], sched.scheduler, sched.priority
    for thread_sched in tune.iothreadscheds:
        for number in thread_sched.numbers & found.iothreads.keys():
            yield found.iothreads[number], thread_sched.scheduler, thread_sched.priority


def _limit_guest(group: Group, live: Domain) -> None:
    """What is of the guest as a whole."""
    tune = live.cputune
    if tune is not None and tune.shares is not None:
        limits.set_cpu_shares(group, tune.shares)
    if tune is not None:
        limits.set_bandwidth(group, tune.global_period, tune.global_quota)
    if live.memtune is not None:
        _limit_memory(group, live.memtune)
    if live.blkiotune is not None:
        _limit_disks_of(group, live.blkiotune)
    if live.numatune is not None and group.has("cpuset"):
        limits.migrate_memory(group)


def _limit_memory(group: Group, tune: Memtune) -> None:
    for name in MEMORY_LIMITS:
        value: int | None = getattr(tune, name)
        if value is not None:
            limits.set_memory_limit(group, name, value)


def _limit_disks_of(group: Group, tune: Blkiotune) -> None:
    if tune.weight is not None:
        limits.set_io_weight(group, tune.weight)
    for device in tune.devices:
        if device.weight is not None:
            limits.set_device_weight(group, device.path, device.weight)
        for field, name in DEVICE_LIMITS.items():
            value: int | None = getattr(device, field)
            if value is not None:
                limits.set_device_limit(group, name, device.path, value)


def pin_of(live: Domain, part: str) -> frozenset[int] | None:
    """The host's processors on which the threads of a part may run; None where nothing is said."""
    tune = live.cputune
    if tune is not None:
        if part == EMULATOR and tune.emulatorpin is not None:
            return tune.emulatorpin.cpus
        for pin in tune.vcpupins:
            if part == f"vcpu{pin.vcpu}":
                return pin.cpus
        for thread_pin in tune.iothreadpins:
            if part == f"iothread{thread_pin.iothread}":
                return thread_pin.cpus
    return parse_cpuset(live.vcpu.allowed) if live.vcpu.allowed is not None else None


def bandwidth_of(live: Domain, part: str) -> tuple[int | None, int | None]:
    """Period and quota of the threads of a part."""
    tune = live.cputune
    if tune is None:
        return None, None
    if part == EMULATOR:
        return tune.emulator_period, tune.emulator_quota
    if part.startswith("iothread"):
        return tune.iothread_period, tune.iothread_quota
    return tune.period, tune.quota


def _nodes_of(run: Run, part: str) -> frozenset[int] | None:
    """The host's memory nodes of a part's threads, where control groups enforce them."""
    live, tune = run.live, run.live.numatune
    found = tune.policy() if tune is not None else None
    if tune is None or found is None or found[0] not in ("strict", "restrictive"):
        return None
    mode, nodes = found
    nodes = nodes or run.advised_nodes or nodes
    if not nodes:
        return None
    if mode == "strict":  # QEMU's own threads make the memory of all of the guest's nodes
        return nodes.union(*(node.nodes for node in tune.memnodes))
    numa = live.cpu.numa if live.cpu is not None else None
    for cell, node in enumerate(numa.cells if numa is not None else ()):
        own = tune.policy(cell)
        if part in {f"vcpu{number}" for number in node.vcpus} and own is not None and own[0] == "restrictive":
            return own[1]
    return nodes


def _place(group: Group | None, run: Run, part: str, tid: int, online: frozenset[int]) -> None:
    """Put one thread into its part, with what holds for that, and on its processors."""
    live = run.live
    pin = pin_of(live, part)
    if group is not None and (group.has("cpu") or group.has("cpuset")):
        made = group.create_part(part)
        made.add_thread(tid)
        if made.has("cpuset"):
            if pin is not None:
                limits.set_cpus(made, format_cpuset(pin))
            if (nodes := _nodes_of(run, part)) is not None:
                limits.set_mems(made, format_cpuset(nodes))
        if made.has("cpu"):
            limits.set_bandwidth(made, *bandwidth_of(live, part))
    if pin is not None:
        scheduling.set_affinity(tid, pin)
    else:
        with contextlib.suppress(LibvirtError):  # the daemon may be confined itself
            scheduling.set_affinity(tid, online)
