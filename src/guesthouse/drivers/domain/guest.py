"""A guest: its definitions, its state, its job, and the life of its QEMU while it has one.

Rules:

1. `definition` is what the guest boots from next time, None for a transient guest; `run.live` is what runs. A
   definition is replaced, never changed in place, so that whoever holds one may read on.
2. `state` and `reason` change in `turn`, and only there.
3. Whoever replaces a definition, or changes what its XML shows, calls `changed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from guesthouse.drivers.domain.job import Job
from guesthouse.drivers.domain.states import REASONS, TRANSITIONS, Cause, Notice, State
from guesthouse.errors import OperationInvalidError, Origin

if TYPE_CHECKING:
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.definition import Domain


class Guest:
    """One guest of the registry. `uuid` is its 16 bytes; `id` is -1 while it is off.

    `texts` caches formatted XML by its flags, and `wire` the encoded answers of `procedures`; both are dropped by
    `changed`.
    """

    __slots__ = (
        "_first",
        "autostart",
        "autostart_once",
        "definition",
        "id",
        "job",
        "name",
        "reason",
        "removed",
        "run",
        "state",
        "texts",
        "uuid",
        "uuid_text",
        "wire",
    )

    def __init__(self, definition: Domain, *, persistent: bool) -> None:
        self.name = definition.name
        self.uuid_text = definition.uuid
        self.uuid = UUID(definition.uuid).bytes
        self.id = -1
        self.definition: Domain | None = definition if persistent else None
        self._first = definition  # what a transient guest is about to run
        self.run: Run | None = None
        self.state = State.SHUTOFF
        self.reason = 0
        self.autostart = False
        self.autostart_once = False
        self.removed = False
        self.job = Job()
        self.texts: dict[object, str] = {}
        self.wire: dict[str, object] = {}

    @property
    def active(self) -> bool:
        """Whether it has a QEMU, be it still starting."""
        return self.id != -1

    @property
    def persistent(self) -> bool:
        """Whether it stays when it is off."""
        return self.definition is not None

    @property
    def current(self) -> Domain:
        """What runs, or what is defined where nothing runs."""
        if self.run is not None:
            return self.run.live
        return self.definition if self.definition is not None else self._first

    @property
    def next_boot(self) -> Domain:
        """What the guest boots from next time; of a transient guest, what runs."""
        return self.definition if self.definition is not None else self.current

    @property
    def state_words(self) -> tuple[str, str]:
        """State and reason by name."""
        return self.state.word, REASONS[self.state][self.reason]

    def changed(self) -> None:
        """Forget what was derived from the definitions or the state."""
        self.texts.clear()
        self.wire.clear()

    def turn(self, cause: Cause) -> tuple[Notice, ...]:
        """Change the state as `cause` says. Returns the events that tell of it; none where it does not apply."""
        row = TRANSITIONS[cause]
        if self.state not in row.sources:
            return ()
        self.state = row.target
        self.reason = row.reason
        self.wire.clear()
        return row.notices

    def live(self) -> Run:
        """The running QEMU. Raises `OperationInvalidError` (`domain is not running`)."""
        if self.run is None:
            raise OperationInvalidError("domain is not running", domain=Origin.DOMAIN)
        return self.run
