"""The network filter driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.nwfilter.kernel import Kernel, table_of
from guesthouse.drivers.nwfilter.registry import BindingRegistry, FilterRegistry
from guesthouse.drivers.nwfilter.store import FilterStore
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class FilterDriver:
    """All network filters of one daemon. In a session there are none: they are rules of the host's kernel."""

    def __init__(self, places: Places, table: dict[Procedure, Handler[FilterDriver]], *, privileged: bool) -> None:
        self.privileged = privileged
        self.store = FilterStore(places)
        self.filters = FilterRegistry()
        self.bindings = BindingRegistry()
        self.kernel = Kernel(table_of(places))
        self.table = table
        #: Held by whoever changes a filter or a binding, so that kernel, memory and files stay together.
        self.changes = asyncio.Lock()
        #: Set when there may be another lease whose end is to be waited for.
        self.expiry = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether somebody has to listen for the addresses of guests."""
        return any(bound.watcher is not None for bound in self.bindings)

    async def start(self) -> None:
        """Take up what is on disk, and make the rules of the devices that have a filter."""
        from guesthouse.drivers.nwfilter import bindings, filters

        if self.privileged:
            await filters.load(self)
            self.begin(bindings.forget_old(self))

    async def reload(self) -> None:
        """Take up definitions that have come to disk since, on all devices that have them."""
        from guesthouse.drivers.nwfilter import filters

        if self.privileged:
            await filters.reload(self)

    async def stop(self) -> None:
        """Rules outlive the daemon; nobody listens for addresses meanwhile."""
        for task in list(self._tasks):
            task.cancel()
        for bound in self.bindings:
            if bound.watcher is not None:
                bound.watcher.close()

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Do something in the background; what goes wrong is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work on network filters failed", exc_info=task.exception())

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> FilterDriver:
    """A driver for the filters of `places`. Nothing is read before `start`."""
    from guesthouse.drivers.nwfilter.procedures import TABLE

    return FilterDriver(places, TABLE, privileged=places.mode != "session" and os.geteuid() == 0)
