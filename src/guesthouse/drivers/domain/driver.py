"""The domain driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
import shutil

from guesthouse.drivers.api import DaemonSettings
from guesthouse.drivers.domain import qemu_conf, virtlogd_conf
from guesthouse.drivers.domain.files import log_keeper
from guesthouse.drivers.domain.guests import DomainSettings, Guests
from guesthouse.drivers.domain.host_devices import parts
from guesthouse.drivers.domain.lifecycle import autostart, recovery
from guesthouse.drivers.domain.procedures.table import TABLE
from guesthouse.drivers.domain.qemu_conf import QemuConf
from guesthouse.model.domain.defaults import Defaults
from guesthouse.places import Places
from guesthouse.qemu import firmware
from guesthouse.qemu.log_rotation import LogLimits

#: How many guests that are marked for it are started at the same time when the daemon starts.
AUTOSTART_WIDTH = 4

#: How long the daemon's end waits for guests that end with their connection, in seconds.
FAREWELL_SECONDS = 7.0

#: Architecture of guests to the program that runs them.
_EMULATORS = {
    "x86_64": "qemu-system-x86_64",
    "i686": "qemu-system-i386",
    "aarch64": "qemu-system-aarch64",
    "armv7l": "qemu-system-arm",
    "s390x": "qemu-system-s390x",
}


class DomainDriver(Guests):
    """The guests of one daemon, with a beginning and an end."""

    table = TABLE

    def __init__(self, places: Places, settings: DomainSettings) -> None:
        super().__init__(places, settings)
        #: Keeps the guests' logs small; no work that keeps a daemon from ending when it is idle.
        self._log_keeper: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether guests run, or work is under way."""
        return bool(self.registry.by_id or self.tasks)

    async def start(self) -> None:
        """Load what is on disk, take up what still runs, start what is marked for it."""
        await self.in_thread(self.store.prepare)
        await recovery.recover(self)
        self._log_keeper = asyncio.create_task(log_keeper.keep(self))
        if self.settings.autostart:
            self.background(autostart.start_marked(self, AUTOSTART_WIDTH))

    async def reload(self) -> None:
        """Nothing of the driver's is configured by files of its own."""

    async def stop(self) -> None:
        """Let go of all guests; they run on."""
        if self.farewells:
            await asyncio.wait(list(self.farewells), timeout=FAREWELL_SECONDS)
        self.stopping = True
        ending = [*self.tasks, *([self._log_keeper] if self._log_keeper is not None else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        recovery.let_go(self)


def create(
    places: Places, _daemon: DaemonSettings | None = None, *, settings: DomainSettings | None = None
) -> DomainDriver:
    """A driver for the guests of `places`. Nothing is read or started before `start`."""
    return DomainDriver(places, settings or _settings(places))


def _settings(places: Places) -> DomainSettings:
    """What the files of the daemon's configuration say. Raises `QemuConfError` and `ConfSyntaxError`."""
    conf = qemu_conf.read(places.config)
    limits = virtlogd_conf.read(places.config) if conf.rotates_logs else LogLimits(max_size=0)
    return DomainSettings(defaults=_host_defaults(places, conf), log_limits=limits)


def _host_defaults(places: Places, conf: QemuConf) -> Defaults:
    """What the host contributes to definitions, for the guests of `places`."""
    found = {arch: path for arch, name in _EMULATORS.items() if (path := shutil.which(name))}
    descriptors = firmware.directories(places.config.parent if places.mode == "session" else None)
    return Defaults(
        emulators=found,
        # Read each time that a definition asks: a firmware package may be installed while the daemon runs.
        choose_firmware=lambda wish: firmware.chooser(firmware.read(descriptors))(wish),
        nvram=places.nvram,
        parts=parts.at_definition(places),
        channel_dir=str(places.guest_state / "channel"),
        vnc_listen=conf.vnc_listen,
        settings=conf.settings,
    )
