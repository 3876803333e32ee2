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
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.host import cgroup_places
from guesthouse.host.cgroups import CgroupError, Group, Hierarchies
from guesthouse.host.child import run as run_child
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.resource import Resource
from guesthouse.places import Places

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: The partition of guests that name none.
PARTITION: Final = "/machine"

_SYSTEMD: Final = Path("/run/systemd/system")
_SCOPE_DEADLINE: Final = 5.0
_REMOVAL_TRIES: Final = 40
_REMOVAL_PAUSE: Final = 0.05

#: As long as libvirt lets the name of a machine become.
_NAME_LIMIT: Final = 64


class Housing:
    """Where the guests of one daemon are put. `hierarchies` is None where they cannot be put anywhere."""

    def __init__(self, places: Places) -> None:
        self.privileged = os.geteuid() == 0
        self.systemd = _SYSTEMD.is_dir()
        self.hierarchies = _usable() if self.privileged else None
        self._prefix = "qemu"
        if places.mode == "root":
            import hashlib  # here, because it brings OpenSSL, and only trials have a name of their own

            digest = hashlib.sha256(os.fsencode(places.config.parent)).hexdigest()
            self._prefix = f"qemu-embed-{digest[:8]}"

    def machine(self, id_: int, name: str) -> str:
        """The name of the machine, as systemd and the control groups know it: `qemu-3-web`."""
        return f"{self._prefix}-{id_}-{_valid(name, _NAME_LIMIT - len(self._prefix))}"

    def folder(self, id_: int, name: str) -> str:
        """The last part of the group's path."""
        machine = self.machine(id_, name)
        return f"machine-{cgroup_places.unit_escaped(machine)}.scope" if self.systemd else f"{machine}.libvirt-qemu"

    def is_ours(self, folder: str) -> bool:
        """Whether a folder of the partition is of a guest of this daemon."""
        head, _, rest = folder.removeprefix(self._prefix).partition("-")
        return folder.startswith(self._prefix) and not head and rest.split("-")[0].isdigit()


def _usable() -> Hierarchies | None:
    try:
        found = Hierarchies.read()
    except OSError:
        return None
    places = [*found.first.values(), *([found.second] if found.second is not None else [])]
    return found if found.available and all(os.access(place, os.W_OK) for place in places) else None


def _valid(name: str, limit: int) -> str:
    """What of a guest's name may stand in a machine's: letters, digits, single dots and dashes."""
    text = ""
    skip = True
    for char in name:
        if len(text) >= limit:
            break
        if char in ".-":
            if not skip:
                text += char
            skip = True
        elif char.isascii() and char.isalnum():
            text += char
            skip = False
    return text.strip("-.")


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
