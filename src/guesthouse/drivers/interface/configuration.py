"""The files of the host's own network configuration: read as a set, changed as a set.

A change of several files is written down before it begins (`journal`), and that is removed when it is whole: whoever
is killed in between finds it at the next start, and puts back what was there. Blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from guesthouse.drivers.interface.formats import Changes, Files, Format
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic

#: No file of this kind is near that, in bytes.
_LIMIT: Final = 1 << 20
_JOURNAL_LIMIT: Final = 64 << 20


class ConfigurationError(LibvirtError):
    """A file of the host's configuration could not be read or written."""

    code = Code.SYSTEM_ERROR
    domain = Origin.INTERFACE


class Configuration:
    """The files of one format below `etc`, with the journal at `journal`."""

    def __init__(self, form: Format, etc: Path, journal: Path) -> None:
        self.format = form
        self._etc = etc
        self._journal = journal

    def files(self) -> dict[str, str]:
        """Paths below `/etc` to texts. Raises `ConfigurationError`; what is no text is left out."""
        found = {}
        try:
            for pattern in self.format.patterns:
                for path in sorted(self._etc.glob(pattern)):
                    if path.is_file() and not path.name.startswith("."):
                        with contextlib.suppress(UnicodeDecodeError):
                            found[str(path.relative_to(self._etc))] = read_limited(path, _LIMIT).decode()
        except OSError as error:
            raise ConfigurationError(
                f"the configuration of {self.format.name} cannot be read: {error.strerror}"
            ) from error
        return found

    def apply(self, before: Files, changes: Changes) -> None:
        """Write the files that change; `before` is what was read. All or none of them, also for who is killed.

        Raises `ConfigurationError`.
        """
        if not changes:
            return
        former = {path: before.get(path) for path in changes}
        try:
            self._journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self._journal, json.dumps(former).encode())
            try:
                self._write(changes)
            except OSError:
                self._write(former)
                remove(self._journal, durable=True)
                raise
            remove(self._journal, durable=True)
        except OSError as error:
            raise ConfigurationError(
                f"the configuration of {self.format.name} cannot be written: {error.strerror}",
                hint="is the daemon allowed to write there?",
            ) from error

    def recover(self) -> bool:
        """Put back what a change that was cut off had begun; whether there was one. Raises OSError, ValueError."""
        try:
            former: Mapping[str, str | None] = json.loads(read_limited(self._journal, _JOURNAL_LIMIT))
        except FileNotFoundError:
            return False
        self._write(former)
        remove(self._journal, durable=True)
        return True

    def _write(self, texts: Mapping[str, str | None]) -> None:
        for name, text in texts.items():
            path = self._etc / name
            if text is None:
                remove(path, durable=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            sweep_temporaries(path.parent)
            write_atomic(path, text.encode(), self._mode(path))

    def _mode(self, path: Path) -> int:
        """The permission bits of a file that is replaced stay."""
        try:
            return os.stat(path).st_mode & 0o777
        except FileNotFoundError:
            return self.format.mode
