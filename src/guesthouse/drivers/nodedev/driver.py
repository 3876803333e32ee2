"""The driver of the host's devices as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.connect.driver import find_host_uuid
from guesthouse.drivers.nodedev.events import CREATED, DELETED, Events
from guesthouse.drivers.nodedev.registry import with_name
from guesthouse.drivers.nodedev.scan import Found, again, scan
from guesthouse.drivers.nodedev.uevents import Uevents
from guesthouse.host.sysfs import HostTree
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

#: Seconds from the kernel's news to the look at sysfs, in which devices come in swarms and udev does its part.
_SETTLE: Final = 0.2
#: Seconds for which a look holds where the kernel tells no news.
_HOLDS: Final = 1.0


class NodeDeviceDriver:
    """All devices of the host. They are read when they are first asked for, and again after the kernel's news.

    `holder` says which guest has the PCI device at an address; `assigning` is held by whoever binds devices.
    """

    def __init__(
        self,
        places: Places,
        settings: DaemonSettings | None,
        table: dict[Procedure, Handler[NodeDeviceDriver]],
        tree: HostTree | None = None,
    ) -> None:
        self.tree = tree or HostTree()
        self.table = table
        self.events = Events()
        self.holder: Callable[[str], str | None] = lambda _address: None
        self.assigning = asyncio.Lock()
        self._places = places
        self._settings = settings
        self._uuid: str | None = None
        self._known: dict[str, Found] | None = None
        self._read_at = 0.0
        self._looking = asyncio.Lock()
        self._uevents = Uevents(self._heard)
        self._visit: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Nothing is lost with the daemon."""
        return False

    async def start(self) -> None:
        """Devices are read when they are asked for."""

    async def reload(self) -> None:
        """There is nothing to read."""

    async def stop(self) -> None:
        """Listen to the kernel no longer."""
        self._uevents.stop()
        if self._visit is not None:
            self._visit.cancel()

    async def devices(self) -> dict[str, Found]:
        """The devices by name, as they are now. Who wants to hear is told what is new."""
        async with self._looking:
            self._uevents.start()
            news, changed = self._uevents.take()
            stale = news or (not self._uevents.open and time.monotonic() - self._read_at > _HOLDS)
            known = self._known
            if known is not None and not stale:
                return known
            found = await self._look()
            if known is not None:
                self._tell(known, found, changed)
            return found

    async def current(self, name: str) -> Found:
        """One device, itself read anew: of a link's state, for one, the kernel tells no news.

        Raises a `LibvirtError` (53) where there is none of this name.
        """
        known = with_name(await self.devices(), name)
        return await DISK.run(again, known, self.tree)

    async def _look(self) -> dict[str, Found]:
        found = await DISK.run(self._read)
        self._known, self._read_at = found, time.monotonic()
        return found

    def _read(self) -> dict[str, Found]:
        if self._uuid is None:
            settings = self._settings
            self._uuid = find_host_uuid(self._places, settings, self.tree) if settings is not None else ""
        return scan(self.tree, self._uuid)

    def _tell(self, known: dict[str, Found], found: dict[str, Found], changed: set[str]) -> None:
        for name in known.keys() - found.keys():
            self.events.lifecycle(name, DELETED)
        for name in found.keys() - known.keys():
            self.events.lifecycle(name, CREATED)
        for name in found.keys() & known.keys():
            if found[name].definition.path in changed:
                self.events.update(name)

    def _heard(self) -> None:
        if self.events and (self._visit is None or self._visit.done()):
            self._visit = asyncio.get_running_loop().create_task(self._look_soon())

    async def _look_soon(self) -> None:
        while self._uevents.pending:  # more may be said while sysfs is read
            await asyncio.sleep(_SETTLE)
            await self.devices()


def create(places: Places, settings: DaemonSettings | None = None) -> NodeDeviceDriver:
    """A driver for the devices of this host. Nothing is read before it is asked."""
    from guesthouse.drivers.nodedev.procedures import TABLE

    return NodeDeviceDriver(places, settings, TABLE)
