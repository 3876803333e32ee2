"""One program that helps a run's QEMU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from guesthouse.drivers.domain.helpers.traces import HelperTrace
from guesthouse.host.processes import Process
from guesthouse.model.helper_programs import HelperProgram


@dataclass(slots=True)
class Helper:
    """A helper that runs. `deaths` are when it died, for the rule of restarts; `forget` ends the watch."""

    program: HelperProgram
    process: Process
    log: Path
    deaths: list[float] = field(default_factory=list)
    forget: Callable[[], None] | None = None

    @property
    def trace(self) -> HelperTrace:
        """What the status file says of it."""
        return HelperTrace(self.program.name, self.process.pid, self.process.start_time, self.program.restart)
