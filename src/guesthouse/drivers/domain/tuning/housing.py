"""The control group of each running guest: made while its QEMU starts, found again by the next daemon, removed at its
end.

    QEMU is spawned          `begin`    a thread makes the group and moves QEMU there, while QEMU builds its machine
    QEMU answers             `settled`  the group is there; `tuning` then makes the parts and applies the settings
    the guest has ended      `release`  the group goes as soon as the kernel lets go of it

Only a daemon that runs as root has groups. Where the host has none, or the daemon may not make them, guests run
without, and settings that need them are refused by `tuning`.

Layout: https://libvirt.org/cgroups.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning.places import Housing
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.host import cgroup_places
from guesthouse.host.cgroups import CgroupError, Group, Hierarchies
from guesthouse.host.child import run as run_child
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.resource import Resource

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: The partition of guests that name none.
PARTITION: Final = "/machine"

_SCOPE_DEADLINE: Final = 5.0
_REMOVAL_TRIES: Final = 40
_REMOVAL_PAUSE: Final = 0.05


def partition(run: Run) -> str:
    """Where in the tree the guest belongs."""
    resource = run.live.resource
    return resource.partition if resource is not None and resource.partition is not None else PARTITION


def begin(driver: Guests, run: Run) -> None:
    """QEMU has been spawned: make its group, beside everything else."""
    housing = driver.housing
    if housing.hierarchies is not None:
        run.live.resource = run.live.resource or new(Resource)
        run.live.resource.partition = partition(run)
        run.house = asyncio.get_running_loop().create_task(_make(housing, housing.hierarchies, run))
        run.house.add_done_callback(_note)


async def _make(housing: Housing, hierarchies: Hierarchies, run: Run) -> Group:
    id_ = run.live.id if run.live.id is not None else 0
    if housing.systemd:
        return await _scope(housing, hierarchies, run, id_)
    where, name = partition(run), housing.folder(id_, run.live.name)
    return await DISK.run(_make_here, hierarchies, where, name, run.pid)


def _make_here(hierarchies: Hierarchies, where: str, name: str, pid: int) -> Group:
    cgroup_places.prepare_partition(hierarchies, where)
    group = hierarchies.group(f"{cgroup_places.partition_folder(where)}/{name}")
    try:
        group.create()
        # QEMU's first thread is in the part before it has made others, which follow it there.
        group.add(pid)
        group.create_part("emulator").add_thread(pid)
    except LibvirtError:
        group.remove()
        raise
    return group


async def _scope(housing: Housing, hierarchies: Hierarchies, run: Run, id_: int) -> Group:
    """Have systemd make a scope for the process, and take over what is below it."""
    unit = housing.folder(id_, run.live.name)
    properties = [
        *["PIDs", "au", "1", str(run.pid), "Slice", "s", cgroup_places.partition_slice(partition(run))],
        *["Delegate", "b", "true", "Description", "s", f"Virtual Machine {housing.machine(id_, run.live.name)}"],
    ]
    finished = await run_child(
        [
            *["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"],
            *["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", "4"],
            *[*properties, "0"],
        ],
        deadline=_SCOPE_DEADLINE,
    )
    if not finished.ok:
        said = finished.errors.decode("utf-8", "replace").strip()
        raise OperationFailedError(f"systemd did not make the scope '{unit}': {said[-500:] or finished.exit}")
    async with asyncio.timeout(_SCOPE_DEADLINE):
        while (group := cgroup_places.of_process(hierarchies, run.pid, unit)) is None:  # noqa: ASYNC110 - a file of /proc
            await asyncio.sleep(0.002)
    await DISK.run(_furnish, group, run.pid)
    return group


def _furnish(group: Group, pid: int) -> None:
    group.nest()
    group.create_part("emulator").add_thread(pid)


def _note(house: asyncio.Task[Group]) -> None:
    if not house.cancelled() and (error := house.exception()) is not None:
        log.warning("a guest runs without a control group of its own: %s", error)


async def settled(run: Run) -> Group | None:
    """The run's group once it is there; None where there is none. Raises why it could not be made."""
    return await asyncio.shield(run.house) if run.house is not None else None


def present(run: Run) -> Group | None:
    """The run's group if it is there now."""
    house = run.house
    if house is None or not house.done() or house.cancelled() or house.exception() is not None:
        return None
    return house.result()


def release(driver: Guests, run: Run) -> None:
    """The guest's QEMU is gone: so goes its group."""
    if run.house is not None:
        driver.farewell(_remove(run))


async def _remove(run: Run) -> None:
    try:
        group = await settled(run)
    except (LibvirtError, OSError, TimeoutError):
        return
    for _ in range(_REMOVAL_TRIES):
        if group is None or await DISK.run(group.remove):
            return
        await asyncio.sleep(_REMOVAL_PAUSE)
    log.warning("the control group of domain '%s' still has processes in it, and stays", run.live.name)


def recover(driver: Guests, run: Run) -> None:
    """Find the group of a guest that outlived the former daemon."""
    housing = driver.housing
    if housing.hierarchies is None or run.live.id is None:
        return
    group = cgroup_places.of_process(housing.hierarchies, run.pid, housing.folder(run.live.id, run.live.name))
    if group is not None:
        run.house = asyncio.get_running_loop().create_task(_known(group))


async def _known(group: Group) -> Group:
    return group


def sweep(driver: Guests) -> None:
    """Remove the empty groups of guests that ended while no daemon ran. Those with a process in them stay."""
    housing = driver.housing
    if housing.hierarchies is None or housing.systemd:
        return
    parent = housing.hierarchies.group(cgroup_places.partition_folder(PARTITION))
    names = {entry.name for folder in parent.folders if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()}
    for name in sorted(names):
        if housing.is_ours(name):
            try:
                housing.hierarchies.group(f"{cgroup_places.partition_folder(PARTITION)}/{name}").remove()
            except CgroupError as error:
                log.warning("%s", error.message)
