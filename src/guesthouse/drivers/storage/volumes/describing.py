"""A volume as a document, and as numbers.

Format: https://libvirt.org/formatstorage.html#storage-volume-xml
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.storage.backend import BackingFacts, VolumeFacts
from guesthouse.model import volume as model
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.model.pool import Allocation, Capacity, Permissions
from guesthouse.model.pool_types import POOL_TYPES
from guesthouse.model.xml_extension import Option

_SECOND: Final = 1_000_000_000

#: `virStorageVolType`.
TYPES: Final = {"file": 0, "block": 1, "dir": 2, "network": 3, "netdir": 4, "ploop": 5}


def describe(volume: VolumeFacts, pool_type: str, secret: str | None, users: tuple[Option, ...] = ()) -> str:
    """The volume's document. `secret` is the UUID of the secret that opens it, `users` the guests that have it."""
    formats = POOL_TYPES[pool_type].volume_format is not None
    features = None
    if volume.compat and volume.compat != "0.10":
        features = new(
            model.Features,
            lazy_refcounts="lazy_refcounts" in volume.features,
            extended_l2="extended_l2" in volume.features,
        )
    target = new(
        model.VolumeTarget,
        path=volume.path or None,
        format=new(model.Format, type=volume.format or "unknown") if formats else None,
        permissions=_permissions(volume),
        timestamps=_timestamps(volume.times),
        encryption=_encryption(volume, secret),
        compat=volume.compat if features is not None else None,
        cluster_size=new(model.ClusterSize, bytes_=volume.cluster) if volume.cluster else None,
        features=features,
    )
    return model.format_volume(
        new(
            model.Volume,
            type=volume.kind,
            name=volume.name,
            key=volume.key,
            source=_source(volume),
            capacity=new(Capacity, bytes_=volume.capacity),
            allocation=new(Allocation, bytes_=volume.allocation),
            physical=new(model.Physical, bytes_=volume.physical) if volume.physical else None,
            target=target,
            backing=_backing(volume.backing, formats=formats),
            users=users,
        )
    )


def _permissions(facts: VolumeFacts | BackingFacts) -> Permissions | None:
    if facts.mode is None and facts.uid is None and facts.gid is None and not facts.label:
        return None
    return new(Permissions, mode=facts.mode, owner=facts.uid, group=facts.gid, label=facts.label or None)


def _timestamps(times: tuple[int, int, int] | None) -> model.Timestamps | None:
    if times is None:
        return None
    atime, mtime, ctime = (_time(time) for time in times)
    return new(model.Timestamps, atime=atime, mtime=mtime, ctime=ctime, btime="0")


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{seconds}.{rest:09d}" if rest else str(seconds)


def _encryption(volume: VolumeFacts, secret: str | None) -> Encryption | None:
    if not volume.encryption:
        return None
    secrets = [] if secret is None else [new(SecretReference, type="passphrase", uuid=secret)]
    return new(Encryption, format=volume.encryption, secrets=secrets)


def _backing(backing: BackingFacts | None, *, formats: bool) -> model.BackingStore | None:
    if backing is None:
        return None
    return new(
        model.BackingStore,
        path=backing.path,
        format=new(model.Format, type=backing.format) if formats else None,
        permissions=_permissions(backing),
        timestamps=_timestamps(backing.times),
    )


def _source(volume: VolumeFacts) -> model.VolumeSource | None:
    if not volume.extents:
        return None
    devices: list[model.VolumeDevice] = []
    for extent in volume.extents:
        if not devices or devices[-1].path != extent.device:
            devices.append(new(model.VolumeDevice, path=extent.device, extents=[]))
        devices[-1].extents.append(new(model.Extent, start=extent.start, end=extent.end))
    return new(model.VolumeSource, devices=devices)
