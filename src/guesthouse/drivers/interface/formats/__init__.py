"""The formats in which hosts keep their network configuration: text to links and back, without any I/O.

Files are handed over as a mapping of paths below `/etc` to texts. `parse` reads what a format's programs would do with
them as far as documents can say it; `change` returns only the files that become others, None for those that go. What a
file says beyond that stays as it is: an edit loses nothing that somebody else wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from guesthouse.drivers.interface.link import Link, Links

Files = Mapping[str, str]
Changes = dict[str, str | None]


class Format(Protocol):
    """One format."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Which files it consists of, as patterns below `/etc`."""

    @property
    def mode(self) -> int:
        """Permission bits of new files."""

    def parse(self, files: Files) -> dict[str, Link]:
        """What is configured. Files that make no sense are left out: their programs leave them out, too."""

    def change(self, files: Files, put: Links, removed: Collection[str]) -> Changes:
        """The files that change when `put` is configured, and `removed` no longer.

        Raises `UnsupportedConfigError` for what the format cannot say.
        """
