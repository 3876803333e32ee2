"""What changes which pools there are: defining, making transient ones, undefining, marking for autostart.

What happens to the storage of one is in `lifecycle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.storage import events, lifecycle
from guesthouse.drivers.storage.backends.table import require
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.errors import Code, InternalError, LibvirtError, OperationInvalidError, Origin
from guesthouse.model.pool import format_pool, parse_pool

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver


async def define(driver: StorageDriver, xml: str, *, validate: bool = False) -> StoragePool:
    """Define a pool, or change the definition of one; an active one goes on with its old definition until it stops."""
    definition = parse_pool(xml, validate=validate)
    if "\n" in definition.name:
        raise LibvirtError("invalid char in name: \n", code=Code.XML_DETAIL, domain=Origin.STORAGE)
    require(definition.type)
    async with driver.definitions:
        known = driver.registry.check_free(definition)
        await driver.in_thread(driver.store.write_definition, definition.name, format_pool(definition))
        if known is None:
            known = StoragePool(definition, host=driver.host)
            driver.registry.add(known)
        elif known.active or known.busy:
            known.redefined = definition
        else:
            known.use(definition)
        known.persistent = True
    driver.events.lifecycle(known, events.DEFINED)
    return known


async def create_transient(driver: StorageDriver, xml: str, flags: int = 0) -> StoragePool:
    """Make and start a pool that is forgotten when it stops.

    One that is defined, and not active, is started with the new definition, and falls back to its own afterwards.
    """
    definition = parse_pool(xml)
    require(definition.type)
    async with driver.definitions:
        pool = driver.registry.check_free(definition, inactive=True)
        if pool is None:
            pool = StoragePool(definition, host=driver.host)
            driver.registry.add(pool)
        else:
            pool.redefined = pool.redefined or pool.definition
            pool.use(definition)
        start = lifecycle.start(driver, pool, flags)
    await start
    return pool


async def undefine(driver: StorageDriver, pool: StoragePool) -> None:
    """Forget a pool that is not active. Its storage stays as it is."""
    async with driver.definitions:
        pool.need(active=False)
        if pool.busy:
            raise OperationInvalidError(f"storage pool '{pool.name}' is starting up", domain=Origin.STORAGE)
        if pool.claims.busy:
            raise InternalError(f"pool '{pool.name}' has asynchronous jobs running.", domain=Origin.STORAGE)
        with pool.changing():
            await driver.in_thread(driver.store.undefine, pool.name)
            driver.registry.discard(pool)
    driver.events.lifecycle(pool, events.UNDEFINED)


async def mark(driver: StorageDriver, pool: StoragePool, on: bool) -> None:
    """Start the pool with the daemon from now on, or no longer."""
    async with driver.definitions:
        if not pool.persistent:
            raise InternalError("pool has no config file", domain=Origin.STORAGE)
        if pool.autostart is not on:
            await driver.in_thread(driver.store.set_autostart, pool.name, on)
            pool.autostart = on
