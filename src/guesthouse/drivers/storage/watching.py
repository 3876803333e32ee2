"""Looking now and then whether the servers of active pools answer.

Only pools on servers are asked, one short question each, side by side. One that does not answer in time is unavailable
from then on; when it answers again, the pool is looked at anew and is as before.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.storage import lifecycle
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.errors import Code, LibvirtError

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

log = logging.getLogger(__name__)

#: Seconds between two looks.
INTERVAL: Final = 20.0

#: Types of pools whose storage is a server's, and mounted: one question tells whether it answers.
_ON_SERVERS: Final = ("netfs", "vstorage", "gluster")

#: A volume that no pool has: what is asked for is the rest of the answer, the sizes of the file system.
_NOBODY: Final = ".guesthouse-is-it-there"


async def watch(driver: StorageDriver) -> None:
    """Look at the pools, again and again."""
    while True:
        await asyncio.sleep(INTERVAL)
        asked = [pool for pool in driver.registry if _worth_asking(pool)]
        if asked:
            await asyncio.gather(*(_ask(driver, pool) for pool in asked))


def _worth_asking(pool: StoragePool) -> bool:
    on_server = pool.definition.type in _ON_SERVERS or pool.trouble
    return bool(pool.active and not pool.busy and not pool.looking.locked() and on_server)


async def _ask(driver: StorageDriver, pool: StoragePool) -> None:
    try:
        if pool.trouble:
            await lifecycle.refresh(driver, pool)
            return
        async with pool.looking:
            await pool.volume_backend.look(_NOBODY)
    except LibvirtError as error:
        if error.code == Code.OPERATION_TIMEOUT:
            lifecycle.unavailable(pool, error.message)
        else:
            log.warning("cannot look at storage pool '%s': %s", pool.name, error.message)
