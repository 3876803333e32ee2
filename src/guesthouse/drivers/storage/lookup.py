"""Where a volume really is, for disks that name one."""

from __future__ import annotations

from guesthouse.drivers.storage.registry import Registry
from guesthouse.drivers.storage.volumes.finding import volume
from guesthouse.errors import OperationInvalidError, Origin, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.devices.volumes import VolumeLookup

#: Kind of a volume to the attribute of a source that has its path.
_ATTRIBUTES = {"file": "file", "block": "dev", "dir": "dir_"}


def volume_lookup(registry: Registry) -> VolumeLookup:
    """The lookup in these pools. It raises `NoPoolError`, `NoVolumeError`, `OperationInvalidError`, and
    `XmlError` for a mode: pools of files have none.
    """

    def find(pool_name: str, name: str, mode: str | None) -> tuple[str, PlainSource]:
        pool = registry.named(pool_name)
        if not pool.active:
            raise OperationInvalidError(
                f"storage pool '{pool_name}' containing volume '{name}' is not active",
                domain=Origin.STORAGE,
                hint="start the pool",
            )
        if mode is not None:
            raise XmlError("disk source mode is only valid when storage pool is of iscsi type")
        found = volume(pool, name)
        pool.claims.check_made(name)
        source: PlainSource = new(PlainSource, **{_ATTRIBUTES[found.kind]: found.path})
        return found.kind, source

    return find
