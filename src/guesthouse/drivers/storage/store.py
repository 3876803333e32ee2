"""The files of storage pools, in libvirt's places.

    CONFIG/storage/NAME.xml             the definition of a persistent pool
    CONFIG/storage/autostart/NAME.xml   link to it: start with the daemon
    STATE/storage/NAME.xml              a pool that is active, so that the next daemon knows it

Every function blocks for the time that the daemon's own directories need; the driver runs them in a thread.

Source: https://libvirt.org/storage.html; libvirt 11.3.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic
from guesthouse.places import Places

_SIZE_LIMIT = 4 * 1024 * 1024
_STATE = ("<poolstate>\n", "</poolstate>\n")


class PoolFileError(LibvirtError):
    """A file of a pool could not be written or removed. The host's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.STORAGE


class PoolStore:
    """The files of all pools of one daemon."""

    def __init__(self, places: Places) -> None:
        self._definitions = places.config / "storage"
        self._autostart = self._definitions / "autostart"
        self._state = places.pool_state

    def prepare(self) -> None:
        """Make the directories, and sweep what dead writers left in them."""
        for directory, mode in ((self._definitions, 0o700), (self._autostart, 0o700), (self._state, 0o755)):
            directory.mkdir(mode=mode, parents=True, exist_ok=True)
            sweep_temporaries(directory)

    def definition_path(self, name: str) -> Path:
        """Where the definition of a pool of this name stands."""
        return self._definitions / f"{name}.xml"

    def read_definitions(self) -> dict[str, str]:
        """All definitions: name of the file without `.xml`, to its text."""
        return _read_all(self._definitions)

    def read_states(self) -> dict[str, str]:
        """The pools that were active: name to definition."""
        found = _read_all(self._state)
        return {name: _inside(text) for name, text in found.items()}

    def write_definition(self, name: str, xml: str) -> None:
        """Write a definition, durably."""
        with _reporting(f"cannot write the definition of pool '{name}'"):
            write_atomic(self.definition_path(name), xml.encode())

    def undefine(self, name: str) -> None:
        """Remove a definition and its link. The link goes first: alone it would be dangling."""
        with _reporting(f"cannot remove the definition of pool '{name}'"):
            remove(self._autostart / f"{name}.xml")
            remove(self.definition_path(name), durable=True)

    def is_autostart(self, name: str) -> bool:
        """Whether the link is there."""
        return (self._autostart / f"{name}.xml").is_symlink()

    def set_autostart(self, name: str, on: bool) -> None:
        """Make or remove the link."""
        link = self._autostart / f"{name}.xml"
        with _reporting(f"Failed to {'create' if on else 'delete'} symlink '{link}'"):
            remove(link)
            if on:
                link.symlink_to(self.definition_path(name))

    def set_active(self, name: str, xml: str | None) -> None:
        """Write down that a pool is active, or with None that it no longer is. Need not outlive the host's reboot."""
        path = self._state / f"{name}.xml"
        with _reporting(f"cannot write the state file '{path}'"):
            if xml is None:
                remove(path)
            else:
                write_atomic(path, f"{_STATE[0]}{xml}{_STATE[1]}".encode(), durable=False)


def _inside(text: str) -> str:
    """The definition in a status file, ours or one of libvirt's, which begins with a comment."""
    return text.partition("<poolstate>")[2].rpartition("</poolstate>")[0].strip()


def _read_all(directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.glob("*.xml")):
        with contextlib.suppress(OSError, LibvirtError):
            found[path.name.removesuffix(".xml")] = read_limited(path, _SIZE_LIMIT).decode("utf-8", "replace")
    return found


@contextlib.contextmanager
def _reporting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PoolFileError(f"{what}: {error.strerror or os.strerror(error.errno or 0)}") from error
