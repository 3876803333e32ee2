"""The interface driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.interface.configuration import Configuration
from guesthouse.drivers.interface.formats import Format
from guesthouse.drivers.interface.kernel import look
from guesthouse.drivers.interface.managers import choose, in_time
from guesthouse.drivers.interface.registry import Registry
from guesthouse.errors import LibvirtError
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class InterfaceDriver:
    """The host's interfaces. Nothing of them is kept in memory: others change them, too."""

    def __init__(self, places: Places, table: dict[Procedure, Handler[InterfaceDriver]]) -> None:
        self.places = places
        self.table = table
        #: Held by whoever changes something.
        self.changes = asyncio.Lock()
        self._folder = places.lib / "interface"
        self.transaction_file = self._folder / "transaction.json"
        self._choose()

    def _choose(self) -> None:
        form, self.manager = choose(self.places)
        self.configuration = self.configured_by(form)

    def configured_by(self, form: Format) -> Configuration:
        """The host's configuration in a format."""
        return Configuration(form, self.places.host_config, self._folder / "change.json")

    @property
    def busy(self) -> bool:
        """Nothing is lost with the daemon."""
        return False

    async def start(self) -> None:
        """Undo what was cut off. What cannot be undone is told in the log, and tried again next time."""
        from guesthouse.drivers.interface import transaction

        try:
            if await self.in_thread(self.configuration.recover):
                log.warning("a change of the network configuration that was cut off is undone")
            await transaction.resume(self)
        except (LibvirtError, OSError, ValueError) as error:
            log.error("the network configuration of the host could not be brought back: %s", error)

    async def reload(self) -> None:
        """Nothing is kept that could be old."""

    async def stop(self) -> None:
        """Nothing is held open."""

    async def look(self) -> Registry:
        """What there is now. Raises `ConfigurationError`, `OperationTimeoutError`, and error 38 of the kernel."""
        return await in_time(self._look)

    def _look(self) -> Registry:
        from guesthouse.drivers.interface.realising import LinkError

        self._choose()  # who configures the host may have come up after us
        files = self.configuration.files()
        try:
            devices = look()
        except OSError as error:
            raise LinkError(f"failed to get list of interfaces on host: {error.strerror}") from error
        return Registry(devices, self.configuration.format.parse(files), files, self.configuration.format.name)

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> InterfaceDriver:
    """A driver for the interfaces of the host, with the configuration that is in force at `places`."""
    from guesthouse.drivers.interface.procedures import TABLE

    return InterfaceDriver(places, TABLE)
