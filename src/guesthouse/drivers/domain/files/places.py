"""Where the files of one life of a guest are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Where:
    """The files of one run. `private` and `channels` are directories that go away with it."""

    private: Path
    channels: Path
    status: Path
    pid: Path

    @property
    def monitor(self) -> Path:
        """The monitor's socket."""
        return self.private / "monitor.sock"

    @property
    def key(self) -> Path:
        """The key that the run's secrets are sealed with."""
        return self.private / "master-key.aes"
