"""The domain driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings
from guesthouse.drivers.domain.events import Events
from guesthouse.drivers.domain.ports import Ports
from guesthouse.drivers.domain.registry import Registry
from guesthouse.drivers.domain.store import Store
from guesthouse.host.threads import DISK
from guesthouse.model.domain.defaults import Defaults
from guesthouse.places import Places
from guesthouse.qemu import firmware
from guesthouse.qemu.catalogue import Catalogue

if TYPE_CHECKING:
    from guesthouse.drivers.domain.procedures import Table

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: How many guests that are marked for it are started at the same time when the daemon starts.
AUTOSTART_WIDTH = 4

#: How long the daemon's end waits for guests that end with their connection, in seconds.
FAREWELL_SECONDS = 7.0


@dataclass(frozen=True, slots=True)
class DomainSettings:
    """What the daemon's configuration says about guests.

    `defaults` is the host's side of a definition; `autostart` False keeps guests off that are marked to start with
    the daemon.
    """

    defaults: Defaults = field(default_factory=Defaults)
    autostart: bool = True


class DomainDriver:
    """All guests of one daemon. `registry` knows them, `store` keeps their files, `events` tells of them."""

    def __init__(self, places: Places, settings: DomainSettings, table: Table) -> None:
        self.places = places
        self.settings = settings
        self.store = Store(places)
        self.registry = Registry()
        self.events = Events()
        self.emulators = Catalogue.at(places.cache)
        self.ports = Ports()
        self.table = table
        #: Held by whoever adds, renames or removes definitions, so that names and files stay together.
        self.definitions = asyncio.Lock()
        self.stopping = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._farewells: set[asyncio.Task[object]] = set()

    @property
    def busy(self) -> bool:
        """Whether guests run, or work is under way."""
        return bool(self.registry.by_id or self._tasks)

    async def start(self) -> None:
        """Load what is on disk, take up what still runs, start what is marked for it."""
        from guesthouse.drivers.domain import autostart, recovery

        await self.in_thread(self.store.prepare)
        await recovery.recover(self)
        if self.settings.autostart:
            self.background(autostart.start_marked(self, AUTOSTART_WIDTH))

    async def reload(self) -> None:
        """Nothing of the driver's is configured by files of its own."""

    async def stop(self) -> None:
        """Let go of all guests; they run on."""
        from guesthouse.drivers.domain import recovery

        if self._farewells:
            await asyncio.wait(list(self._farewells), timeout=FAREWELL_SECONDS)
        self.stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        recovery.let_go(self)

    def background(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        """Do something that nobody waits for; a failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def farewell(self, work: Coroutine[object, object, object]) -> None:
        """As `background`, for what has to be done before the daemon ends: guests that end with their connection."""
        task = self.background(work)
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed: %s", error, exc_info=error)


def create(
    places: Places, _daemon: DaemonSettings | None = None, *, settings: DomainSettings | None = None
) -> DomainDriver:
    """A driver for the guests of `places`. Nothing is read or started before `start`."""
    from guesthouse.drivers.domain.procedures import TABLE

    return DomainDriver(places, settings or DomainSettings(defaults=host_defaults(places)), TABLE)


def host_defaults(places: Places) -> Defaults:
    """What the host contributes to definitions, for the guests of `places`."""
    emulators = {"x86_64": "qemu-system-x86_64", "i686": "qemu-system-i386"}
    found = {arch: path for arch, name in emulators.items() if (path := shutil.which(name))}
    descriptors = firmware.directories(places.config.parent if places.mode == "session" else None)
    return Defaults(
        emulators=found,
        # Read each time that a definition asks: a firmware package may be installed while the daemon runs.
        choose_firmware=lambda wish: firmware.chooser(firmware.read(descriptors))(wish),
        nvram=places.nvram,
        channel_dir=str(places.guest_state / "channel"),
    )
