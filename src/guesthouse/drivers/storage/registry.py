"""Which storage pools there are, and how one is found."""

from __future__ import annotations

import asyncio
import uuid as _uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from guesthouse.errors import Code, LibvirtError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.model.pool import Pool
from guesthouse.qemu.directory import Entry


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

    `work` is held by whoever starts, stops, builds or refreshes it. `redefined` is a definition that takes effect when
    an active pool stops. `reserved` are the names of volumes that are being made.
    """

    definition: Pool
    active: bool = False
    persistent: bool = False
    autostart: bool = False
    volumes: dict[str, Entry] = field(default_factory=dict)
    redefined: Pool | None = None
    work: asyncio.Lock = field(default_factory=asyncio.Lock)
    reserved: set[str] = field(default_factory=set)

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

    def volume(self, name: str) -> Entry:
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

    def check_free(self, definition: Pool) -> StoragePool | None:
        """The pool that `definition` would change, if there is one.

        Raises `OperationFailedError` where its name or UUID belongs to another pool, or its directory is another's.
        """
        for pool in self:
            same_name, same_uuid = pool.name == definition.name, pool.definition.uuid == definition.uuid
            if same_name and not same_uuid:
                raise _conflict(f"pool '{definition.name}' already exists with uuid {pool.definition.uuid}")
            if same_uuid and not same_name:
                raise _conflict(f"pool '{pool.name}' is already defined with uuid {definition.uuid}")
            if not same_uuid and pool.path == definition.path:
                raise _conflict(f"Storage source conflict with pool: '{pool.name}'")
        return self._pools.get(definition.name)


def _conflict(text: str) -> LibvirtError:
    return OperationFailedError(text, domain=Origin.STORAGE)
