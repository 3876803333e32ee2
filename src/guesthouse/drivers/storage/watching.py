"""Looking now and then whether the servers of active pools answer.

Only pools on servers are asked, one short question each, side by side. One that does not answer in time is unavailable
from then on; when it answers again, the pool is looked at anew and is as before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.storage import lifecycle
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.errors import Code, LibvirtError

if TYPE_CHECKING:
    from guesthouse.drivers.storage.driver import StorageDriver

log = logging.getLogger(__name__)

#: Seconds between two looks, and the most between two at a pool that does not answer. Each look at such a one may leave
#: a process that cannot be killed, and so the next comes after twice the time.
INTERVAL: Final = 20.0
LONGEST: Final = 640.0

#: Types of pools whose storage is a server's, and mounted: one question tells whether it answers.
_ON_SERVERS: Final = ("netfs", "vstorage", "gluster")

#: A volume that no pool has: what is asked for is the rest of the answer, the sizes of the file system.
_NOBODY: Final = ".guesthouse-is-it-there"


async def watch(driver: StorageDriver) -> None:
    """Look at the pools, again and again."""
    silent: dict[str, _Silence] = {}
    while True:
        await asyncio.sleep(INTERVAL)
        now = time.monotonic()
        asked = [pool for pool in driver.registry if _worth_asking(pool) and (_due(silent.get(pool.name)) <= now)]
        await asyncio.gather(*(_ask(driver, pool) for pool in asked))
        for pool in asked:
            if pool.trouble:
                silent.setdefault(pool.name, _Silence()).go_on()
            else:
                silent.pop(pool.name, None)


@dataclass(slots=True)
class _Silence:
    """When a pool that does not answer is asked next, and after which pause then."""

    due: float = 0.0
    pause: float = INTERVAL

    def go_on(self) -> None:
        """It did not answer again."""
        self.due = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, LONGEST)


def _due(silence: _Silence | None) -> float:
    return 0.0 if silence is None else silence.due


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
            pool.hangs(error.message)
        else:
            log.warning("cannot look at storage pool '%s': %s", pool.name, error.message)
