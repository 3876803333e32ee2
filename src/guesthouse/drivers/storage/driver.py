"""The storage driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.storage.backends.base import Host
from guesthouse.drivers.storage.events import Events
from guesthouse.drivers.storage.registry import Registry
from guesthouse.drivers.storage.store import PoolStore
from guesthouse.drivers.storage.volumes.journal import Journal
from guesthouse.drivers.storage.volumes.surroundings import Surroundings
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")


class StorageDriver:
    """All storage pools of one daemon. `registry` knows them, `store` keeps their files."""

    def __init__(self, places: Places, table: dict[Procedure, Handler[StorageDriver]]) -> None:
        self.store = PoolStore(places)
        self.registry = Registry()
        self.table = table
        self.surroundings = Surroundings(Journal(places.pool_state / "journal"))
        self.events = Events()
        self.host = Host(runtime=str(places.pool_state))
        self._tasks: set[asyncio.Task[None]] = set()
        #: Held by whoever adds or removes pools, so that names and files stay together.
        self.definitions = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether work on a pool or a volume is under way."""
        return any(pool.busy or pool.claims.busy for pool in self.registry)

    async def start(self) -> None:
        """Load what is on disk, and take up the pools that were active or are marked for it."""
        from guesthouse.drivers.storage import loading, watching

        await loading.load(self)
        self.background(watching.watch(self))

    async def reload(self) -> None:
        """Take up definitions that have come to disk since, and start what is marked for it."""
        from guesthouse.drivers.storage import loading

        await loading.load(self)

    async def stop(self) -> None:
        """Let go of everything. Storage stays attached: the next daemon takes it up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in self.registry:
            pool.let_go()

    def background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Have something done for as long as the daemon lives."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> StorageDriver:
    """A driver for the pools of `places`. Nothing is read before `start`."""
    from guesthouse.drivers.storage.procedures import TABLE

    return StorageDriver(places, TABLE)
