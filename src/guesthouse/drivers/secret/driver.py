"""The secret driver as a whole: what the daemon creates, starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from guesthouse.drivers.api import DaemonSettings, Handler
from guesthouse.drivers.secret.events import Events
from guesthouse.drivers.secret.registry import Registry
from guesthouse.drivers.secret.store import SecretStore
from guesthouse.drivers.secret.vault import Vault
from guesthouse.host.threads import DISK
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure

P = ParamSpec("P")
T = TypeVar("T")


class SecretDriver:
    """All secrets of one daemon. `registry` knows them, `store` keeps their files, `vault` their values."""

    def __init__(self, places: Places, table: dict[Procedure, Handler[SecretDriver]]) -> None:
        self.store = SecretStore(places)
        self.vault = Vault(places.secrets_key)
        self.registry = Registry()
        self.events = Events()
        self.table = table
        #: Held by whoever changes a secret, so that memory and files stay together.
        self.changes = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether there are secrets that would be lost with the daemon."""
        return any(secret.definition.ephemeral for secret in self.registry)

    async def start(self) -> None:
        """Take up the secrets that are on disk."""
        from guesthouse.drivers.secret import actions

        await actions.load(self)

    async def reload(self) -> None:
        """Take up what has come to disk since."""
        await self.start()

    async def stop(self) -> None:
        """Nothing is held open."""

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run what waits for a local disk, or takes its time to compute."""
        return await DISK.run(function, *arguments, **keywords)


def create(places: Places, _daemon: DaemonSettings | None = None) -> SecretDriver:
    """A driver for the secrets of `places`. Nothing is read before `start`."""
    from guesthouse.drivers.secret.procedures import TABLE

    return SecretDriver(places, TABLE)
