"""A change of a guest: of what runs, of what is defined, or of both, whole or not at all.

    async with changing(driver, guest, impact) as change:
        with change.undoing() as undo:
            ... what runs is changed, `undo.callback(...)` says how to take it back ...
        if change.config is not None: ... the copy of the definition is changed ...

The definition is stored when the block has ended; what an exception leaves behind in the running guest is written down.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions, metadata
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed: the run, if what runs is meant; a copy of the definition, if that is."""

    run: Run | None
    config: Domain | None

    @property
    def live(self) -> Domain | None:
        """The definition of what runs, where that is meant."""
        return self.run.live if self.run is not None else None

    @property
    def domains(self) -> list[Domain]:
        """All definitions that the change is for."""
        return [domain for domain in (self.live, self.config) if domain is not None]

    @contextlib.contextmanager
    def undoing(self) -> Iterator[contextlib.ExitStack]:
        """A list of steps back, which are taken, the last first, where the block fails."""
        with contextlib.ExitStack() as stack:
            yield stack
            stack.pop_all()


@contextlib.asynccontextmanager
async def changing(driver: Guests, guest: Guest, impact: int) -> AsyncIterator[Change]:
    """Hold the guest's job for a change with this impact (`VIR_DOMAIN_AFFECT_*`).

    Raises `OperationInvalidError` for what runs of a guest that is off, or the definition of one that has none.
    """
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        run = guest.live() if live else None
        edited = copy(guest.definition) if config and guest.definition is not None else None
        try:
            yield Change(run, edited)
        finally:
            if run is not None and not run.ended.is_set():
                guest.changed()
                statusfile.save(driver, guest, run)
        if edited is not None:
            await definitions.replace(driver, guest, edited)
