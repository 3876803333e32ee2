"""The network driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.network.dnsmasq import Dnsmasq
from guesthouse.drivers.network.events import Events
from guesthouse.drivers.network.registry import Registry
from guesthouse.drivers.network.rulebook import Rulebook
from guesthouse.drivers.network.store import NetworkStore
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")


class NetworkDriver:
    """All virtual networks of one daemon. `registry` knows them, `store` keeps their files."""

    def __init__(self, places: Places, table: dict[Procedure, Handler[NetworkDriver]]) -> None:
        self.store = NetworkStore(places)
        self.registry = Registry()
        self.events = Events()
        #: A user's own daemon cannot make bridges: what it has are networks on those of the host.
        self.ships_default = places.mode != "session"
        self.dnsmasq = Dnsmasq(places.lib / "dnsmasq", places.network_state, trial=places.mode == "root")
        self.rules = Rulebook()
        #: Told the name of each network that has started: guests may have cards that are to be on it.
        self.on_start: Callable[[str], Coroutine[object, object, None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.table = table
        #: Held by whoever changes a network or a place on one, so that memory and files stay together.
        self.changes = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether a network is active."""
        return any(network.active for network in self.registry)

    async def start(self) -> None:
        """Take up what is on disk, and start what is marked for it."""
        from guesthouse.drivers.network import loading

        await loading.load(self)

    async def reload(self) -> None:
        """Take up definitions that have come to disk since, and start what is marked for it."""
        await self.start()

    async def stop(self) -> None:
        """Networks outlive the daemon, and so do the processes that serve them."""
        for network in self.registry:
            if network.dnsmasq is not None:
                network.dnsmasq.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def in_background(self, work: Coroutine[object, object, None]) -> None:
        """Do something that nobody waits for. It must not fail."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk or the kernel."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> NetworkDriver:
    """A driver for the networks of `places`. Nothing is read before `start`."""
    from guesthouse.drivers.network.procedures import TABLE

    return NetworkDriver(places, TABLE)
