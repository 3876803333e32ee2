"""All guests of one daemon, and what every action on them shares: files, events, ports, tasks.

Handlers and actions get this object under the name `driver`; `driver.DomainDriver` is the same with a beginning and an
end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from guesthouse.drivers.domain.disks.image_sizes import ImageSizes
from guesthouse.drivers.domain.displays.ports import Ports
from guesthouse.drivers.domain.events import Events
from guesthouse.drivers.domain.files.store import Store
from guesthouse.drivers.domain.helpers.features import ProgramFeatures
from guesthouse.drivers.domain.registry import Registry
from guesthouse.drivers.domain.tuning.places import Housing
from guesthouse.drivers.network_service import NetworkService, NoNetworks
from guesthouse.drivers.nwfilter_service import FilterService, NoFilters
from guesthouse.host.threads import DISK
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.devices.handed_files import HandedFiles
from guesthouse.model.domain.devices.volumes import VolumeLookup, no_volume
from guesthouse.model.domain.secrets import SecretLookup, no_secret
from guesthouse.places import Places
from guesthouse.qemu.catalogue import Catalogue
from guesthouse.qemu.log_rotation import LogLimits

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DomainSettings:
    """What the daemon's configuration says about guests.

    `defaults` is the host's side of a definition; `autostart` False keeps guests off that are marked to start with
    the daemon; `log_limits` say how large logs become.
    """

    defaults: Defaults = field(default_factory=Defaults)
    autostart: bool = True
    log_limits: LogLimits = field(default_factory=LogLimits)


class Guests:
    """All guests of one daemon. `registry` knows them, `store` keeps their files, `events` tells of them."""

    def __init__(self, places: Places, settings: DomainSettings) -> None:
        self.places = places
        self.settings = settings
        self.store = Store(places)
        self.registry = Registry()
        self.events = Events()
        self.emulators = Catalogue.at(places.cache)
        self.ports = Ports()
        self.image_sizes = ImageSizes()
        self.housing = Housing(places)
        #: Gives places on virtual networks; the daemon puts the network driver here.
        self.networks: NetworkService = NoNetworks()
        #: Filters what cards send and get; the daemon puts the network filter driver here.
        self.nwfilters: FilterService = NoFilters()
        #: Finds the values of secrets; the daemon puts the secret driver's lookup here.
        self.secret: SecretLookup = no_secret
        #: Open files that clients handed over, by the guest's UUID and the name of the group.
        self.handed: dict[str, dict[str, HandedFiles]] = {}
        #: Finds volumes of storage pools; the daemon puts the storage driver's lookup here.
        self.volume: VolumeLookup = no_volume
        #: Held by whoever adds, renames or removes definitions, so that names and files stay together.
        self.definitions = asyncio.Lock()
        self.stopping = False
        self.tasks: set[asyncio.Task[object]] = set()
        self.farewells: set[asyncio.Task[object]] = set()
        self.programs = ProgramFeatures()
        #: Held by whoever takes devices of the host for guests, or gives them back.
        self.assigning = asyncio.Lock()
        #: By a guest's UUID, those who wait for the end of its former helpers; see `helpers`.
        self.ending_helpers: dict[bytes, set[asyncio.Task[object]]] = {}

    def background(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        """Do something that nobody waits for; a failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def farewell(self, work: Coroutine[object, object, object]) -> None:
        """As `background`, for what has to be done before the daemon ends: guests that end with their connection."""
        task = self.background(work)
        self.farewells.add(task)
        task.add_done_callback(self.farewells.discard)

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed: %s", error, exc_info=error)
