"""Whether two pools would have the same storage. Rules are libvirt's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.drivers.storage.backends.scsi import fc_host_number, scsi_host_number
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.pool import Pool
from guesthouse.model.pool_source import FcHostAdapter, ScsiHostAdapter, Source

#: Types whose storage is devices of the host: one device belongs to one pool.
_ON_DEVICES: Final = frozenset(("iscsi", "fs", "logical", "disk", "zfs"))


def same_storage(one: Pool, other: Pool) -> bool:
    """Whether both pools are on the same storage, as far as that can be told."""
    if one.type in _ON_DEVICES:
        return other.type in _ON_DEVICES and _same_device(one, other)
    found = _SAME.get(one.type)
    return one.type == other.type and found is not None and found(one, other)


def _source(pool: Pool) -> Source:
    return pool.source or new(Source)


def _same_device(one: Pool, other: Pool) -> bool:
    if (one.type == "iscsi") != (other.type == "iscsi"):
        return False
    mine, its = _source(one), _source(other)
    if not {device.path for device in mine.devices} & {device.path for device in its.devices}:
        return False
    return one.type != "iscsi" or _initiator(mine) == _initiator(its)


def _initiator(source: Source) -> str | None:
    return source.initiator.iqn.name if source.initiator is not None and source.initiator.iqn is not None else None


def _same_host(one: Source, other: Source) -> bool:
    if len(one.hosts) != 1 or len(other.hosts) != 1:
        return False
    if other.hosts[0].port and one.hosts[0].port != other.hosts[0].port:
        return False
    return one.hosts[0].name == other.hosts[0].name


def _same_directory(one: Pool, other: Pool) -> bool:
    return one.path == other.path


def _same_export(one: Pool, other: Pool) -> bool:
    mine, its = _source(one), _source(other)
    return mine.name == its.name and mine.dir == its.dir and _same_host(mine, its)


def _same_adapter(one: Pool, other: Pool) -> bool:
    mine, its = _source(one).adapter, _source(other).adapter
    if isinstance(mine, FcHostAdapter) and isinstance(its, FcHostAdapter):
        return (mine.wwnn, mine.wwpn) == (its.wwnn, its.wwpn)
    numbers = {_adapter_number(mine), _adapter_number(its)}
    return len(numbers) == 1 and None not in numbers


def _adapter_number(adapter: object) -> int | None:
    """The adapter's number; None for one that is not there."""
    try:
        if isinstance(adapter, FcHostAdapter):
            return fc_host_number(adapter.wwnn or "", adapter.wwpn or "")
        return scsi_host_number(adapter) if isinstance(adapter, ScsiHostAdapter) else None
    except LibvirtError:
        return None


def _same_cluster(one: Pool, other: Pool) -> bool:
    return _source(one).name == _source(other).name


def _only_one(_one: Pool, _other: Pool) -> bool:
    """The host has all its multipath devices in one pool."""
    return True


_SAME: Final[dict[str, Callable[[Pool, Pool], bool]]] = {
    "dir": _same_directory,
    "gluster": _same_export,
    "netfs": _same_export,
    "scsi": _same_adapter,
    "mpath": _only_one,
    "vstorage": _same_cluster,
}
