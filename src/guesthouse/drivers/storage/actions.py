"""What changes a storage pool: defining, starting, stopping, building, refreshing, removing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.supported import supported_pool
from guesthouse.errors import LibvirtError, OperationInvalidError, Origin
from guesthouse.host.child import check
from guesthouse.model.binding import new
from guesthouse.model.pool import Permissions, format_pool, measure
from guesthouse.qemu.directory import Contents, survey

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

log = logging.getLogger(__name__)

#: The permission bits of a directory that a definition says nothing about, and seconds for making or removing it.
_DEFAULT_MODE = 0o711
_DIRECTORY_DEADLINE = 10.0


async def define(driver: StorageDriver, xml: str, *, validate: bool = False) -> StoragePool:
    """Define a pool, or change the definition of one; an active one goes on with its old definition until it stops."""
    definition = supported_pool(xml, validate=validate)
    async with driver.definitions:
        known = driver.registry.check_free(definition)
        await driver.in_thread(driver.store.write_definition, definition.name, format_pool(definition))
        if known is None:
            known = StoragePool(definition)
            driver.registry.add(known)
        elif known.active:
            known.redefined = definition
        else:
            known.definition = definition
        known.persistent = True
        return known


async def create_transient(driver: StorageDriver, xml: str, *, build: bool = False) -> StoragePool:
    """Make and start a pool that is forgotten when it stops."""
    definition = supported_pool(xml)
    async with driver.definitions:
        known = driver.registry.check_free(definition)
        if known is not None and known.active:
            raise OperationInvalidError(f"pool is already active as '{known.name}'", domain=Origin.STORAGE)
        pool = known or StoragePool(definition)
        if build:
            await _make_directory(pool)
        async with pool.work:
            await _take_up(driver, pool)
        driver.registry.add(pool)
        return pool


async def undefine(driver: StorageDriver, pool: StoragePool) -> None:
    """Forget a pool that is not active. Its directory stays."""
    async with driver.definitions, pool.work:
        pool.need(active=False)
        await driver.in_thread(driver.store.undefine, pool.name)
        driver.registry.discard(pool)


async def start(driver: StorageDriver, pool: StoragePool, *, build: bool = False) -> None:
    """Look into the pool's directory and offer its volumes."""
    async with pool.work:
        if pool.active:
            raise OperationInvalidError(f"storage pool '{pool.name}' is already active", domain=Origin.STORAGE)
        if build:
            await _make_directory(pool)
        await _take_up(driver, pool)


async def stop(driver: StorageDriver, pool: StoragePool) -> None:
    """Offer the pool's volumes no longer. Nothing on disk changes; a transient pool is forgotten."""
    async with driver.definitions, pool.work:
        pool.need(active=True)
        await driver.in_thread(driver.store.set_active, pool.name, None)
        pool.active = False
        pool.volumes = {}
        if pool.redefined is not None:
            pool.definition, pool.redefined = pool.redefined, None
        measure(pool.definition, 0, 0, 0)
        if not pool.persistent:
            driver.registry.discard(pool)


async def build(pool: StoragePool) -> None:
    """Make the pool's directory."""
    async with pool.work:
        if pool.active:
            raise OperationInvalidError(f"storage pool '{pool.name}' is already active", domain=Origin.STORAGE)
        await _make_directory(pool)


async def delete(pool: StoragePool) -> None:
    """Remove the pool's directory, which must be empty."""
    async with pool.work:
        pool.need(active=False)
        await check(["rmdir", "--", pool.path], deadline=_DIRECTORY_DEADLINE)


async def refresh(pool: StoragePool) -> None:
    """Look into the pool's directory again."""
    async with pool.work:
        pool.need(active=True)
        _apply(pool, await survey(pool.path))


async def mark(driver: StorageDriver, pool: StoragePool, on: bool) -> None:
    """Start the pool with the daemon from now on, or no longer."""
    async with pool.work:
        if not pool.persistent:
            raise OperationInvalidError("pool has no config file", code=1, domain=Origin.STORAGE)
        await driver.in_thread(driver.store.set_autostart, pool.name, on)
        pool.autostart = on


async def load(driver: StorageDriver) -> None:
    """Know what is on disk: definitions, and the pools that were active; then start what is marked for it."""
    await driver.in_thread(driver.store.prepare)
    for name, text in (await driver.in_thread(driver.store.read_definitions)).items():
        pool = _read(name, text)
        if pool is not None:
            pool.persistent = True
            pool.autostart = driver.store.is_autostart(name)
            driver.registry.add(pool)
    states = await driver.in_thread(driver.store.read_states)
    known = {pool.name: pool for pool in driver.registry}
    for name, text in states.items():
        pool = known.get(name) or _read(name, text)
        if pool is not None:
            known[name] = pool
    for pool in known.values():
        if pool.name in states or pool.autostart:
            await _resume(driver, pool)


async def _resume(driver: StorageDriver, pool: StoragePool) -> None:
    try:
        await start(driver, pool)
    except LibvirtError as error:
        log.error("Failed to autostart storage pool '%s': %s", pool.name, error.message)
        await driver.in_thread(driver.store.set_active, pool.name, None)
    else:
        driver.registry.add(pool)


def _read(name: str, text: str) -> StoragePool | None:
    try:
        definition = supported_pool(text)
    except LibvirtError as error:
        log.error("the definition of storage pool '%s' is not usable: %s", name, error.message)
        return None
    if definition.name != name:
        log.error("the file of storage pool '%s' is named '%s'", definition.name, name)
        return None
    return StoragePool(definition)


async def _take_up(driver: StorageDriver, pool: StoragePool) -> None:
    contents = await survey(pool.path)
    await driver.in_thread(driver.store.set_active, pool.name, format_pool(pool.definition))
    _apply(pool, contents)
    pool.active = True


def _apply(pool: StoragePool, contents: Contents) -> None:
    pool.volumes = contents.entries
    definition = pool.definition
    measure(definition, contents.capacity, contents.capacity - contents.available, contents.available)
    definition.target.permissions = new(Permissions, mode=contents.mode, owner=contents.uid, group=contents.gid)


async def _make_directory(pool: StoragePool) -> None:
    wanted = pool.definition.target.permissions
    mode = _DEFAULT_MODE if wanted is None or wanted.mode is None else wanted.mode
    await check(["mkdir", "-p", f"--mode={mode:o}", "--", pool.path], deadline=_DIRECTORY_DEADLINE)
    if wanted is not None and (owner := wanted.chown_argument):
        await check(["chown", owner, "--", pool.path], deadline=_DIRECTORY_DEADLINE)
