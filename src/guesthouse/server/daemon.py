"""The daemon's life: drivers come up, clients are served, and all goes down again in order, guests excepted.

This is the one place where drivers are made. `Daemon` gets the makers as a parameter, so that tests can run it with a
driver of their own.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import fields

from guesthouse.drivers.api import DaemonSettings, Driver
from guesthouse.drivers.connect import driver as connect_driver
from guesthouse.drivers.domain import driver as domain_driver
from guesthouse.drivers.interface import driver as interface_driver
from guesthouse.drivers.meeting import introduce
from guesthouse.drivers.network import driver as network_driver
from guesthouse.drivers.nodedev import driver as nodedev_driver
from guesthouse.drivers.nwfilter import driver as nwfilter_driver
from guesthouse.drivers.secret import driver as secret_driver
from guesthouse.drivers.storage import driver as storage_driver
from guesthouse.errors import LibvirtError
from guesthouse.places import Places
from guesthouse.rpc.procedure import Program
from guesthouse.rpc.programs import GUESTHOUSE, QEMU, REMOTE
from guesthouse.server import memory
from guesthouse.server.activation import Notifier
from guesthouse.server.builtin import EARLY, Builtin
from guesthouse.server.dispatch import Dispatch
from guesthouse.server.listeners import Listener, close_all
from guesthouse.server.service import Service
from guesthouse.server.settings import Settings

log = logging.getLogger(__name__)

DriverMaker = Callable[[Places, DaemonSettings], Driver]

#: The drivers of `guesthoused`, in the order in which they start; they stop in the opposite one.
DRIVERS: tuple[DriverMaker, ...] = (
    connect_driver.create,
    secret_driver.create,
    storage_driver.create,
    nodedev_driver.create,
    interface_driver.create,
    network_driver.create,
    nwfilter_driver.create,
    domain_driver.create,
)

#: Settings that SIGHUP changes in a running daemon; the others take effect at its next start.
_RELOADED = frozenset(
    {"keepalive_interval", "keepalive_count", "log_level", "log_filters", "log_outputs", "max_clients"}
)
#: Seconds that calls under way may take when the daemon ends, and that a driver may take to stop.
_FINISH_SECONDS = 3.0
_STOP_SECONDS = 10.0


class Daemon:
    """One running daemon. `timeout` is in seconds of idleness, 0 for never.

    `reload_settings` reads the settings again, applies those of the log and returns them; it raises `LibvirtError`.
    """

    def __init__(
        self,
        places: Places,
        settings: Settings,
        listeners: list[Listener],
        makers: Sequence[DriverMaker],
        *,
        timeout: int,
        notifier: Notifier,
        reload_settings: Callable[[], Settings],
    ) -> None:
        self._places = places
        self._settings = settings
        self._listeners = listeners
        self._makers = makers
        self._timeout = timeout
        self._notifier = notifier
        self._reload_settings = reload_settings
        self._drivers: list[Driver] = []
        self._ended = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._reloading: asyncio.Task[None] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal or idleness ends it. `ready` is called once, when clients are served."""
        loop = asyncio.get_running_loop()
        _raise_descriptor_limit()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._drivers = [maker(self._places, self._settings) for maker in self._makers]
        introduce(self._drivers)
        dispatch = Dispatch([Builtin(self._places), *self._drivers], EARLY, self._settings.max_client_requests)
        service = self._service(loop, dispatch)
        self._applied = service
        try:
            for driver in self._drivers:
                await driver.start()
            gc.collect()
            gc.set_threshold(50_000, 20, 100)
            gc.freeze()  # what is loaded now lives as long as the daemon; no need to look at it again
            memory.settle()
            service.serve(self._listeners)
            self._watch_idleness()
            self._notifier.ready()
            ready()
            log.info("serving clients")
            await self._ended.wait()
        finally:
            await self._stop(service)

    def _service(self, loop: asyncio.AbstractEventLoop, dispatch: Dispatch) -> Service:
        programs: dict[int, Program] = {program.number: program for program in (REMOTE, QEMU, GUESTHOUSE)}
        for program in programs.values():
            program.procedures()  # load all now: a client's odd number must not make the loop read files
        return Service(
            loop,
            programs,
            dispatch,
            self._settings,
            on_empty=self._watch_idleness,
            on_client=self._not_idle,
        )

    # -- the end ----------------------------------------------------------------------------------

    async def _stop(self, service: Service) -> None:
        log.info("ending")
        self._notifier.stopping()
        self._not_idle()
        service.stop_accepting()
        close_all(self._listeners)
        if service.tasks:
            await asyncio.wait(list(service.tasks), timeout=_FINISH_SECONDS)
        await service.disconnect_all()
        for driver in reversed(self._drivers):
            try:
                await asyncio.wait_for(driver.stop(), _STOP_SECONDS)
            except TimeoutError:
                log.error("%r did not stop within %.0f seconds", driver, _STOP_SECONDS)
            except Exception:
                log.exception("%r failed to stop", driver)

    # -- idleness ---------------------------------------------------------------------------------

    def _watch_idleness(self) -> None:
        if self._timeout and self._idle_timer is None and not self._ended.is_set():
            self._idle_timer = asyncio.get_running_loop().call_later(self._timeout, self._idle_long_enough)

    def _not_idle(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _idle_long_enough(self) -> None:
        self._idle_timer = None
        if any(driver.busy for driver in self._drivers) or self._applied.tasks:
            self._watch_idleness()
        else:
            log.info("idle for %d seconds", self._timeout)
            self._ended.set()

    # -- SIGHUP -----------------------------------------------------------------------------------

    def _reload(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.get_running_loop().create_task(self._reload_all())

    async def _reload_all(self) -> None:
        log.info("reading the configuration again")
        self._notifier.reloading()
        try:
            self._apply(await asyncio.to_thread(self._reload_settings))
            for driver in self._drivers:
                await driver.reload()
        except LibvirtError as error:
            log.error("the old configuration stays: %s", error.message)
        except Exception:
            log.exception("reading the configuration again failed")
        self._notifier.ready()

    def _apply(self, new: Settings) -> None:
        for field in fields(Settings):
            if getattr(new, field.name) != getattr(self._settings, field.name) and field.name not in _RELOADED:
                log.warning("%s has changed, and takes effect when the daemon starts again", field.name)
        self._applied.apply(new)


def _raise_descriptor_limit() -> None:
    """Allow as many descriptors as the system lets us: every client and every guest needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
