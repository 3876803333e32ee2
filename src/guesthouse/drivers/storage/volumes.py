"""What a volume of a pool is, as a document and as numbers."""

from __future__ import annotations

import os

from guesthouse.drivers.storage.registry import NoVolumeError, Registry, StoragePool
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model import volume as model
from guesthouse.model.binding import new
from guesthouse.model.pool import Allocation, Capacity, Permissions
from guesthouse.qemu.directory import Entry, survey

_SECOND = 1_000_000_000

#: `virStorageVolType`.
TYPES = {"file": 0, "block": 1, "dir": 2}


def path_of(pool: StoragePool, entry: Entry) -> str:
    """The volume's path, which is its key too."""
    return os.path.join(pool.path, entry.name)


def at_path(registry: Registry, path: str) -> tuple[StoragePool, Entry]:
    """The volume with this path or key, of any active pool. Raises `NoVolumeError`."""
    directory, name = os.path.split(os.path.normpath(path))
    for pool in registry:
        if pool.active and pool.path == directory and name in pool.volumes:
            return pool, pool.volumes[name]
    raise NoVolumeError(f"no storage vol with matching path '{path}'")


async def look_again(pool: StoragePool, name: str) -> Entry:
    """The volume as it is now. Raises `LibvirtError` where its file is gone."""
    pool.volume(name)
    contents = await survey(pool.path, name)
    found = contents.entries.get(name)
    if found is None:
        raise LibvirtError(
            f"cannot stat file '{os.path.join(pool.path, name)}': {os.strerror(2)}",
            code=Code.SYSTEM_ERROR, domain=Origin.STORAGE, hint="refresh the pool",
        )  # fmt: skip
    if pool.active:
        pool.volumes[name] = found
    return found


def describe(pool: StoragePool, entry: Entry) -> str:
    """The volume's document."""
    path = path_of(pool, entry)
    times = [_time(time) for time in entry.times]
    is_qcow2 = entry.format == "qcow2"
    target = new(
        model.VolumeTarget,
        path=path,
        format=new(model.Format, type=entry.format),
        permissions=new(Permissions, mode=entry.mode, owner=entry.uid, group=entry.gid),
        timestamps=new(model.Timestamps, atime=times[0], mtime=times[1], ctime=times[2]),
        compat=entry.compat or None,
        cluster_size=new(model.ClusterSize, bytes_=entry.cluster) if entry.cluster else None,
        features=new(model.Features) if is_qcow2 and entry.compat != "0.10" else None,
    )
    return model.format_volume(
        new(
            model.Volume,
            type=entry.kind,
            name=entry.name,
            key=path,
            capacity=new(Capacity, bytes_=entry.capacity),
            allocation=new(Allocation, bytes_=entry.allocation),
            physical=new(model.Physical, bytes_=entry.size) if entry.kind == "file" else None,
            target=target,
            backing=_backing(pool, entry),
        )
    )


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{seconds}.{rest:09d}" if rest else str(seconds)


def _backing(pool: StoragePool, entry: Entry) -> model.BackingStore | None:
    if not entry.backing:
        return None
    kind = new(model.Format, type=entry.backing_format) if entry.backing_format else None
    return new(model.BackingStore, path=os.path.normpath(os.path.join(pool.path, entry.backing)), format=kind)
