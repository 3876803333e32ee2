"""Where a volume really is, for disks that name one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.backends.base import one_host
from guesthouse.drivers.storage.backends.iscsi import DEFAULT_PORT
from guesthouse.drivers.storage.registry import Registry, StoragePool
from guesthouse.drivers.storage.volumes.finding import volume
from guesthouse.errors import InternalError, OperationInvalidError, Origin, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.devices.disk.source_parts import Host
from guesthouse.model.domain.devices.volumes import VolumeLookup
from guesthouse.model.domain.secrets import Auth
from guesthouse.model.pool_source import Source

#: Kind of a volume to the attribute of a source that has its path.
_ATTRIBUTES: Final = {"file": "file", "block": "dev", "dir": "dir_"}


def volume_lookup(registry: Registry) -> VolumeLookup:
    """The lookup in these pools. It raises `NoPoolError`, `NoVolumeError`, `OperationInvalidError`, and
    `XmlError` for a mode: only pools of iSCSI have some.
    """

    def find(pool_name: str, name: str, mode: str | None) -> tuple[str, PlainSource]:
        pool = registry.named(pool_name)
        if not pool.active:
            raise OperationInvalidError(
                f"storage pool '{pool_name}' containing volume '{name}' is not active",
                domain=Origin.STORAGE,
                hint="start the pool",
            )
        kind = pool.definition.type
        if mode is not None and kind != "iscsi":
            raise XmlError("disk source mode is only valid when storage pool is of iscsi type")
        found = volume(pool, name)
        pool.claims.check_made(name)
        remote = _iscsi if mode == "direct" else _REMOTE.get(kind)
        if remote is not None:
            return "network", remote(pool, found)
        source: PlainSource = new(PlainSource, **{_ATTRIBUTES[found.kind]: found.path})
        return found.kind, source

    return find


def _iscsi(pool: StoragePool, found: VolumeFacts) -> PlainSource:
    """A unit that QEMU reaches itself."""
    source = _source(pool)
    server = one_host(source)
    return new(
        PlainSource,
        protocol="iscsi",
        name=f"{source.devices[0].path}/{found.name.rpartition(':')[2]}",
        hosts=[new(Host, name=server.name, port=server.port or DEFAULT_PORT)],
        initiator=source.initiator,
        auth=_auth(source, "iscsi"),
    )


def _rbd(pool: StoragePool, found: VolumeFacts) -> PlainSource:
    source = _source(pool)
    hosts = [new(Host, name=host.name, port=host.port) for host in source.hosts]
    return new(PlainSource, protocol="rbd", name=found.path, hosts=hosts, auth=_auth(source, "ceph"))


def _gluster(pool: StoragePool, found: VolumeFacts) -> PlainSource:
    source = _source(pool)
    hosts = [new(Host, name=host.name, port=host.port) for host in source.hosts]
    name = "/".join(part for part in (source.name or "", (source.dir or "").strip("/"), found.name) if part)
    return new(PlainSource, protocol="gluster", name=name, hosts=hosts)


#: Type of a pool to the source of a disk on a volume that QEMU reaches over the network.
_REMOTE: Final[dict[str, Callable[[StoragePool, VolumeFacts], PlainSource]]] = {
    "iscsi-direct": _iscsi,
    "rbd": _rbd,
    "gluster": _gluster,
}


def _source(pool: StoragePool) -> Source:
    if pool.definition.source is None:
        raise InternalError("storage pool without a source", domain=Origin.STORAGE)
    return pool.definition.source


def _auth(source: Source, usage: str) -> Auth | None:
    """The pool's login as disks have it: it says what the secret is for, and not how it proves who we are."""
    if source.auth is None:
        return None
    secret = dataclasses.replace(source.auth.secret, type=source.auth.secret.type or usage)
    return dataclasses.replace(source.auth, type=None, secret=secret)
