"""The storage driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.storage.registry import Registry
from guesthouse.drivers.storage.store import PoolStore
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")


class StorageDriver:
    """All storage pools of one daemon. `registry` knows them, `store` keeps their files."""

    busy = False

    def __init__(self, places: Places, table: dict[Procedure, Handler[StorageDriver]]) -> None:
        self.store = PoolStore(places)
        self.registry = Registry()
        self.table = table
        #: Held by whoever adds or removes pools, so that names and files stay together.
        self.definitions = asyncio.Lock()

    async def start(self) -> None:
        """Load what is on disk, and take up the pools that were active or are marked for it."""
        from guesthouse.drivers.storage import actions

        await actions.load(self)

    async def reload(self) -> None:
        """Nothing of the driver's is configured by files of its own."""

    async def stop(self) -> None:
        """Nothing is held open."""

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> StorageDriver:
    """A driver for the pools of `places`. Nothing is read before `start`."""
    from guesthouse.drivers.storage.procedures import TABLE

    return StorageDriver(places, TABLE)
