"""Sizes and errors of a guest's disks. What touches an image runs in a child process, because storage can hang."""

from __future__ import annotations

from dataclasses import dataclass

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.statistics import polling
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, OperationInvalidError, Origin
from guesthouse.host.child import run as run_child
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.qemu import images

_DEADLINE = 10.0

#: `virDomainDiskErrorCode` by QEMU's I/O status.
_ERRORS = {"failed": 1, "nospace": 2}


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """Sizes in bytes: what is in use, what the guest sees, and how long the file or device is."""

    allocation: int
    capacity: int
    physical: int


async def of(guest: Guest, path: str) -> BlockInfo:
    """The sizes of the disk with this target name or image path.

    Raises `InvalidArgumentError` for an unknown or empty one, error 38 when its image cannot be read.
    """
    disk = devices.disk_named(guest.current, path)
    if disk is None:
        raise InvalidArgumentError(f"invalid path {path} not assigned to domain", domain=Origin.QEMU)
    if disk.empty:
        raise InvalidArgumentError(f"disk '{path}' does not currently have a source assigned", domain=Origin.QEMU)
    if guest.run is not None:
        return await _of_running(guest.run, disk)
    if disk.path is None:
        raise OperationInvalidError("domain is not running", hint=f"only QEMU can look at the image of disk '{path}'")
    found = await images.info(disk.path, disk.driver.type if disk.driver else None)
    return BlockInfo(found.actual_size, found.virtual_size, await _length(disk.path) or found.virtual_size)


async def errors(run: Run) -> list[tuple[str, int]]:
    """The disks that have failed: target name and `virDomainDiskErrorCode`; as last told where QEMU is silent.

    Raises `OperationFailedError` when QEMU has never told them and does not answer now.
    """
    found = []
    for path, state in (await polling.reread(run, polling.DISK_ERRORS)).disk_errors.items():
        alias, _ = devices.alias_of_disk(run.live, path)
        code = _ERRORS.get(state)
        if alias and code is not None:
            names = [disk.target.dev for disk in run.live.devices.disks if disk.alias and disk.alias.name == alias]
            found += [(name, code) for name in names]
    return found


async def _of_running(run: Run, disk: Disk) -> BlockInfo:
    readings = await polling.refresh_or_fail(run)
    image = readings.nodes.get(disk.node() or "", {})
    used = image.get("actual-size", image.get("virtual-size", 0))
    counters = readings.blocks.get(disk.alias.name, {}) if disk.alias is not None else {}
    raw = disk.driver is None or disk.driver.type != "qcow2"
    highest = counters.get("wr_highest_offset", 0)
    allocation = highest if raw and disk.type == "block" and highest else used
    handed = disk.source is not None and disk.source.fdgroup is not None
    length = await _length(disk.path) if disk.path is not None and not handed else 0
    return BlockInfo(allocation, image.get("virtual-size", 0), length or used)


async def _length(path: str) -> int:
    """How long a file is; 0 for a block device. Raises error 38 when it cannot be looked at."""
    finished = await run_child(["stat", "--dereference", "--format=%s", "--", path], deadline=_DEADLINE)
    if not finished.ok:
        raise LibvirtError(
            f"cannot stat file '{path}': {finished.errors.decode('utf-8', 'replace').strip()}",
            code=Code.SYSTEM_ERROR,
            domain=Origin.QEMU,
        )
    return int(finished.output)
