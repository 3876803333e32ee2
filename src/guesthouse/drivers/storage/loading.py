"""Taking up what is on disk: definitions, the pools that were active, and those that start with the daemon.

Looking at storage takes as long as the storage wants, up to a deadline, and servers hang. All pools are looked at side
by side, and the daemon waits a moment for them: who is not done then goes on in the background, unavailable meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.storage import events, lifecycle
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import journal
from guesthouse.errors import Code, LibvirtError
from guesthouse.model.pool import parse_pool

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

log = logging.getLogger(__name__)

#: Seconds that the daemon waits for its pools before it serves clients.
PATIENCE: Final = 5.0
_NOT_YET: Final = "its storage has not answered since the daemon began"


async def load(driver: StorageDriver) -> None:
    """Know all definitions; take up the pools that were active, and start those that are marked for it."""
    await driver.in_thread(driver.store.prepare)
    states = await driver.in_thread(driver.store.read_states)
    for name, text in (await driver.in_thread(driver.store.read_definitions)).items():
        _take_definition(driver, name, text)
    work = [_resume(driver, pool) for name, text in states.items() if (pool := _take_state(driver, name, text))]
    work += [
        _autostart(driver, pool) for pool in driver.registry if pool.autostart and not pool.active and not pool.busy
    ]
    tasks = [driver.background(one) for one in work]
    if tasks:
        await asyncio.wait(tasks, timeout=PATIENCE)


def _take_definition(driver: StorageDriver, name: str, text: str) -> None:
    known = driver.registry.get(name)
    if known is not None and known.persistent:
        return
    pool = _read(driver, name, text)
    if pool is None:
        return
    try:
        driver.registry.check_free(pool.definition)
    except LibvirtError as error:
        log.error("the definition of storage pool '%s' is not usable: %s", name, error.message)
        return
    if known is None:
        driver.registry.add(pool)
    else:
        known.redefined = pool.definition
        pool = known
    pool.persistent = True
    pool.autostart = driver.store.is_autostart(name)


def _take_state(driver: StorageDriver, name: str, text: str) -> StoragePool | None:
    """The pool that a status file is about, as it was; None for one that is active already, or that is not usable."""
    known = driver.registry.get(name)
    if known is not None and (known.active or known.busy):
        return None
    pool = _read(driver, name, text)
    if pool is None or (known is not None and known.definition.uuid != pool.definition.uuid):
        return None
    if known is None:
        driver.registry.add(pool)
        known = pool
    else:
        known.redefined = known.definition
        known.use(pool.definition)
    known.active, known.trouble = True, _NOT_YET
    return known


def _read(driver: StorageDriver, name: str, text: str) -> StoragePool | None:
    try:
        definition = parse_pool(text)
    except LibvirtError as error:
        log.error("the definition of storage pool '%s' is not usable: %s", name, error.message)
        return None
    if definition.name != name:
        log.error("Storage pool config filename '%s.xml' does not match pool name '%s'", name, definition.name)
        return None
    return StoragePool(definition, host=driver.host)


async def _resume(driver: StorageDriver, pool: StoragePool) -> None:
    """Take up a pool that was active; it is none any more where its storage is gone."""
    why = ""
    try:
        async with pool.looking:
            if await pool.backend.check():
                await journal.recover(pool, driver.surroundings.journal)
                lifecycle.apply(pool, await pool.volume_backend.survey({}))
                return
    except LibvirtError as error:
        why = error.message
        if error.code == Code.OPERATION_TIMEOUT:
            pool.hangs(why)
            return
        log.error("Failed to restart storage pool '%s': %s", pool.name, why)
    pool.active = False
    await driver.in_thread(driver.store.set_active, pool.name, None)
    lifecycle.fall_back(driver, pool)
    if pool.autostart:
        await _autostart(driver, pool)


async def _autostart(driver: StorageDriver, pool: StoragePool) -> None:
    try:
        with pool.changing():
            await lifecycle.bring_up(driver, pool, 0)
    except LibvirtError as error:
        log.error("Failed to autostart storage pool '%s': %s", pool.name, error.message)
        lifecycle.fall_back(driver, pool)
    else:
        driver.events.lifecycle(pool, events.STARTED)
