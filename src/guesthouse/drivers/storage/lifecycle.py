"""What makes pools come and go: building, starting, refreshing, stopping, deleting their storage.

The rules of this file:

1. One at a time works on a pool (`StoragePool.changing`); who comes meanwhile is told so, and never waits. Who asks
   for a refresh during another one waits for it, which has a deadline.
2. The status file is written before the storage is attached: a daemon that is killed in between leaves something that
   the next one looks at and either takes up or forgets.
3. Storage that does not answer in time makes an active pool unavailable (`StoragePool.trouble`), not inactive: what was
   last known of it stays, and the next refresh that is answered ends that. Any other failure of a refresh stops the
   pool, as libvirt does.
4. Stopping takes nothing away from anybody: storage in use stays where it is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.storage import events
from guesthouse.drivers.storage.backend import Survey
from guesthouse.drivers.storage.backends.base import NO_OVERWRITE, OVERWRITE, no_support
from guesthouse.drivers.storage.backends.table import require
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import journal
from guesthouse.errors import Code, InternalError, LibvirtError, OperationInvalidError, OperationTimeoutError, Origin
from guesthouse.model.binding import new
from guesthouse.model.pool import Permissions, format_pool, measure

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

log = logging.getLogger(__name__)

#: `virStoragePoolCreateFlags`, which ask for a build before the start.
WITH_BUILD, WITH_BUILD_OVERWRITE, WITH_BUILD_NO_OVERWRITE = 1, 2, 4


async def start(driver: StorageDriver, pool: StoragePool, flags: int = 0) -> None:
    """Attach the pool's storage and offer its volumes; build it first where `flags` ask for that."""
    pool.need_stopped()
    require(pool.definition.type)
    try:
        with pool.changing():
            await bring_up(driver, pool, flags)
    except BaseException:  # also where nobody waits any more: the pool is off
        fall_back(driver, pool)
        raise
    driver.events.lifecycle(pool, events.STARTED)


async def bring_up(driver: StorageDriver, pool: StoragePool, flags: int) -> None:
    """The work of `start`; whoever calls holds `changing`."""
    if flags:
        build_flags = OVERWRITE if flags & WITH_BUILD_OVERWRITE else 0
        if not build_flags and flags & WITH_BUILD_NO_OVERWRITE:
            build_flags = NO_OVERWRITE
        await pool.backend.build(build_flags)
    await driver.in_thread(driver.store.set_active, pool.name, format_pool(pool.definition))
    try:
        await pool.backend.start()
        await journal.recover(pool, driver.surroundings.journal)
        found = await pool.volume_backend.survey({})
    except BaseException:  # also where nobody waits any more: its storage is let go
        await driver.in_thread(driver.store.set_active, pool.name, None)
        await _let_go(pool)
        raise
    apply(pool, found)
    pool.active = True
    # The build, or the look at the storage, may have settled what the definition left open.
    await driver.in_thread(driver.store.set_active, pool.name, format_pool(pool.definition))


async def _let_go(pool: StoragePool) -> None:
    try:
        await pool.backend.stop()
    except LibvirtError as error:
        log.warning("the storage of pool '%s' stays attached: %s", pool.name, error.message)


def apply(pool: StoragePool, found: Survey) -> None:
    """Know what was found on the pool's storage."""
    pool.volumes = found.volumes
    pool.changes += 1
    if pool.trouble:
        log.warning("the storage of pool '%s' answers", pool.name)
    pool.trouble = ""
    definition = pool.definition
    measure(definition, found.capacity, found.allocation, found.available)
    if found.mode is not None:
        definition.target.permissions = new(
            Permissions, mode=found.mode, owner=found.uid, group=found.gid, label=found.label or None
        )


def fall_back(driver: StorageDriver, pool: StoragePool) -> None:
    """Forget what is only known of an active pool: it is not, or no longer. A transient one is forgotten itself."""
    if pool.active:
        return
    pool.volumes = {}
    pool.trouble = ""
    if pool.redefined is not None:
        pool.use(pool.redefined)
        pool.redefined = None
    measure(pool.definition, 0, 0, 0)
    if not pool.persistent:
        driver.registry.discard(pool)


async def stop(driver: StorageDriver, pool: StoragePool) -> None:
    """Offer the pool's volumes no longer and let go of its storage. Nothing on it changes."""
    pool.need(active=True)
    _need_idle(pool)
    with pool.changing():
        await driver.in_thread(driver.store.set_active, pool.name, None)
        try:
            left = await pool.backend.stop()
        except BaseException:  # also where nobody waits any more: the pool is still on
            await driver.in_thread(driver.store.set_active, pool.name, format_pool(pool.definition))
            raise
        if left:
            log.warning("storage pool '%s' is stopped; %s", pool.name, left)
        if guests := _guests(driver, pool):
            log.warning("storage pool '%s' is stopped; guests keep volumes of it: %s", pool.name, ", ".join(guests))
        _stopped(driver, pool)


def _guests(driver: StorageDriver, pool: StoragePool) -> list[str]:
    """The guests that run with volumes of the pool."""
    found = driver.surroundings.running()
    if not found:
        return []
    places = {volume.path for volume in pool.volumes.values()}
    running = {
        user.name
        for place, guests in found.items()
        if (place in places if isinstance(place, str) else place[0] == pool.name)
        for user in guests
    }
    return sorted(running)


def _stopped(driver: StorageDriver, pool: StoragePool) -> None:
    """What is left to do when the storage is let go of."""
    pool.active = False
    pool.let_go()
    fall_back(driver, pool)
    driver.events.lifecycle(pool, events.STOPPED)


async def build(driver: StorageDriver, pool: StoragePool, flags: int) -> None:
    """Make what the pool needs on its storage."""
    pool.need_stopped()
    require(pool.definition.type)
    with pool.changing():
        await pool.backend.build(flags)
    driver.events.lifecycle(pool, events.CREATED)


async def delete(driver: StorageDriver, pool: StoragePool) -> None:
    """Remove the pool's storage. The definition stays."""
    pool.need(active=False)
    _need_idle(pool)
    if not pool.backend.deletes:
        raise no_support("pool does not support pool deletion")
    require(pool.definition.type)
    with pool.changing():
        await pool.backend.delete()
    driver.events.lifecycle(pool, events.DELETED)


async def refresh(driver: StorageDriver, pool: StoragePool) -> None:
    """Look again what is on the pool's storage."""
    pool.need(active=True)
    if pool.trouble and pool.looking.locked():
        raise OperationTimeoutError(f"storage pool '{pool.name}' is unavailable: {pool.trouble}", domain=Origin.STORAGE)
    async with pool.looking:
        pool.need(active=True)
        try:
            found = await pool.volume_backend.survey(pool.volumes)
        except LibvirtError as error:
            await _failed(driver, pool, error)
            raise
        pool.need(active=True)
        apply(pool, found)
    driver.events.refreshed(pool)


async def _failed(driver: StorageDriver, pool: StoragePool, error: LibvirtError) -> None:
    """A refresh failed: the pool is unavailable where its storage hangs, and stops else."""
    if error.code == Code.OPERATION_TIMEOUT:
        pool.hangs(error.message)
        return
    if pool.busy or not pool.active:
        return
    with pool.changing():
        await driver.in_thread(driver.store.set_active, pool.name, None)
        await _let_go(pool)
        _stopped(driver, pool)


def _need_idle(pool: StoragePool) -> None:
    """Refuse while volumes of the pool are made or read."""
    if pool.busy:
        raise OperationInvalidError(f"storage pool '{pool.name}' is starting up", domain=Origin.STORAGE)
    if pool.claims.busy:
        raise InternalError(f"pool '{pool.name}' has asynchronous jobs running.", domain=Origin.STORAGE)
