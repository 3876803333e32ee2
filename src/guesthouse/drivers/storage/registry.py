"""Which storage pools there are, and how one is found."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid as _uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from guesthouse.drivers.storage.backend import VolumeBackend, VolumeFacts
from guesthouse.drivers.storage.backends.base import Host, PoolBackend
from guesthouse.drivers.storage.backends.table import pool_backend
from guesthouse.drivers.storage.conflicts import same_storage
from guesthouse.drivers.storage.volumes.claims import Claims
from guesthouse.errors import Code, LibvirtError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.model.pool import Pool

log = logging.getLogger(__name__)


class NoPoolError(LibvirtError):
    """No pool of that name, UUID or path."""

    code = Code.NO_STORAGE_POOL
    domain = Origin.STORAGE


class NoVolumeError(LibvirtError):
    """No volume of that name, key or path."""

    code = Code.NO_STORAGE_VOL
    domain = Origin.STORAGE


@dataclass(slots=True)
class StoragePool:
    """One pool. `volumes` are what its directory held when it was last refreshed; empty while it is not `active`.

    `busy` says that somebody starts, stops, builds or deletes it, `looking` is held by whoever looks at its storage.
    `trouble` is why an active pool is unavailable, empty while it is not. `redefined` is a definition that takes effect
    when an active pool stops. `host` is what its back end needs of the daemon. `claims` knows who is at which volume,
    `interrupted` are those that a dead daemon was overwriting, with what it did.
    """

    definition: Pool
    host: Host = field(default_factory=Host)
    active: bool = False
    persistent: bool = False
    autostart: bool = False
    volumes: dict[str, VolumeFacts] = field(default_factory=dict)
    redefined: Pool | None = None
    busy: bool = False
    trouble: str = ""
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    claims: Claims = field(default_factory=Claims)
    interrupted: dict[str, str] = field(default_factory=dict)
    #: Counts volumes that came, went or changed.
    changes: int = 0
    _backend: PoolBackend | None = None
    _volume_backend: VolumeBackend | None = None

    @property
    def name(self) -> str:
        """The pool's name."""
        return self.definition.name

    @property
    def path(self) -> str:
        """Its directory."""
        return self.definition.path

    @property
    def uuid(self) -> bytes:
        """Its UUID."""
        return _uuid.UUID(self.definition.uuid).bytes

    def need(self, *, active: bool) -> None:
        """Raise `OperationInvalidError` unless the pool is active, or is not."""
        if active and not self.active:
            raise OperationInvalidError(f"storage pool '{self.name}' is not active", domain=Origin.STORAGE)
        if not active and self.active:
            raise OperationInvalidError(f"storage pool '{self.name}' is still active", domain=Origin.STORAGE)

    def need_stopped(self) -> None:
        """Raise `OperationInvalidError` unless the pool can be started or built."""
        if self.active:
            raise OperationInvalidError(f"storage pool '{self.name}' is already active", domain=Origin.STORAGE)
        self._need_free()

    def _need_free(self) -> None:
        if self.busy:
            raise OperationInvalidError(f"storage pool '{self.name}' is starting up", domain=Origin.STORAGE)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Start, stop, build or delete it alone. Raises `OperationInvalidError` where somebody else does."""
        self._need_free()
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def hangs(self, why: str) -> None:
        """The storage does not answer: an active pool is unavailable until it does. What is known of it stays."""
        if self.active:
            if not self.trouble:
                log.error("storage pool '%s' is unavailable: %s", self.name, why)
            self.trouble = why

    def use(self, definition: Pool) -> None:
        """Have another definition from now on."""
        self.let_go()
        self.definition = definition
        self._backend = self._volume_backend = None

    def let_go(self) -> None:
        """End the processes that look at its storage; who asks next starts others."""
        if self._volume_backend is not None:
            self._volume_backend.close()

    @property
    def backend(self) -> PoolBackend:
        """What its type does for pools. Raises `UnsupportedConfigError` for one that nothing serves."""
        if self._backend is None:
            self._backend = pool_backend(self.definition, self.host)
        return self._backend

    @property
    def volume_backend(self) -> VolumeBackend:
        """What its type does for volumes."""
        if self._volume_backend is None:
            self._volume_backend = self.backend.volumes()
            self._volume_backend.agent.on_hung = self.hangs
        return self._volume_backend

    def volume(self, name: str) -> VolumeFacts:
        """The volume of this name. Raises `OperationInvalidError`, `NoVolumeError`."""
        self.need(active=True)
        found = self.volumes.get(name)
        if found is None:
            raise NoVolumeError(f"no storage vol with matching name '{name}'")
        return found


class Registry:
    """All pools, in the order of their names."""

    def __init__(self) -> None:
        self._pools: dict[str, StoragePool] = {}

    def __iter__(self) -> Iterator[StoragePool]:
        return iter([self._pools[name] for name in sorted(self._pools)])

    def add(self, pool: StoragePool) -> None:
        """Know a pool from now on."""
        self._pools[pool.name] = pool

    def discard(self, pool: StoragePool) -> None:
        """Forget a pool."""
        if self._pools.get(pool.name) is pool:
            del self._pools[pool.name]

    def named(self, name: str) -> StoragePool:
        """The pool of this name. Raises `NoPoolError`."""
        found = self._pools.get(name)
        if found is None:
            raise NoPoolError(f"no storage pool with matching name '{name}'")
        return found

    def with_uuid(self, uuid: bytes, name: str = "") -> StoragePool:
        """The pool with this UUID; `name` is only for the error. Raises `NoPoolError`."""
        for pool in self._pools.values():
            if pool.uuid == uuid:
                return pool
        known_as = f" ({name})" if name else ""
        raise NoPoolError(f"no storage pool with matching uuid '{_uuid.UUID(bytes=uuid)}'{known_as}")

    def with_path(self, path: str) -> StoragePool:
        """The active pool on this directory. Raises `NoPoolError`."""
        for pool in self:
            if pool.active and pool.path == path:
                return pool
        raise NoPoolError(f"no storage pool with matching target path '{path}'")

    def get(self, name: str) -> StoragePool | None:
        """The pool of this name, if there is one."""
        return self._pools.get(name)

    def check_free(self, definition: Pool, *, inactive: bool = False) -> StoragePool | None:
        """The pool that `definition` would change, if there is one; with `inactive` it must not be active.

        Raises `OperationFailedError` where its name or UUID belongs to another pool, or its storage is another's.
        """
        for pool in self:
            same_name, same_uuid = pool.name == definition.name, pool.definition.uuid == definition.uuid
            if same_uuid and not same_name:
                raise _conflict(f"pool '{pool.name}' is already defined with uuid {definition.uuid}")
            if same_name and not same_uuid:
                raise _conflict(f"pool '{definition.name}' already exists with uuid {pool.definition.uuid}")
            if not same_name and same_storage(pool.definition, definition):
                raise _conflict(f"Storage source conflict with pool: '{pool.name}'")
        found = self._pools.get(definition.name)
        if found is not None and inactive:
            if found.active:
                raise OperationInvalidError(f"pool is already active as '{found.name}'", domain=Origin.STORAGE)
            if found.busy:
                raise OperationInvalidError(f"pool '{found.name}' is starting up", domain=Origin.STORAGE)
        return found


def _conflict(text: str) -> LibvirtError:
    return OperationFailedError(text, domain=Origin.STORAGE)
