"""What is done to volumes in their own place, written down, so that the next daemon knows what was cut off.

An entry is a file, made before the work begins and removed when its end is known. Where the daemon dies in between, the
next one finds it: what was being made is removed, what was being overwritten is told as interrupted until it is written
as a whole, wiped or deleted.

What is made under a hidden name needs no entry: it is gone by itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from guesthouse.errors import LibvirtError
from guesthouse.host.files import read_limited, remove, write_atomic
from guesthouse.host.threads import DISK
from guesthouse.qemu.json_value import Json, as_object, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.storage.registry import StoragePool

log = logging.getLogger(__name__)

_SIZE_LIMIT = 4096
_NAME_MAX = 200
MAKING = "make"


class Journal:
    """The entries of all pools, in one directory of the daemon's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, uuid: str, name: str) -> Path:
        """The file of an entry. A name that is too long for a file's shares its file with others that begin alike."""
        return self._directory / f"{uuid}.{quote(name, safe='')[:_NAME_MAX]}.json"

    async def note(self, uuid: str, name: str, what: str) -> None:
        """Write an entry. It need not outlive the host."""
        text = json.dumps({"name": name, "what": what}).encode()
        await DISK.run(self._write, self.path(uuid, name), text)

    def _write(self, path: Path, text: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, text, durable=False)

    async def clear(self, uuid: str, name: str) -> None:
        """Remove an entry."""
        await DISK.run(remove, self.path(uuid, name))

    async def read(self, uuid: str) -> dict[str, str]:
        """The entries of one pool: name of the volume to what was done to it."""
        return await DISK.run(self._read, uuid)

    def _read(self, uuid: str) -> dict[str, str]:
        found = {}
        for path in sorted(self._directory.glob(f"{uuid}.*.json")):
            with suppress(OSError, ValueError, LibvirtError):
                parsed: Json = json.loads(read_limited(path, _SIZE_LIMIT))
                entry = as_object(parsed, "an entry of the journal")
                found[text_of(entry, "name")] = text_of(entry, "what")
        return found


@asynccontextmanager
async def entry(pool: StoragePool, journal: Journal, name: str, what: str) -> AsyncIterator[None]:
    """Keep an entry while something is done to a volume in its own place; its end is told to whoever asked for it."""
    await journal.note(pool.definition.uuid or "", name, what)
    try:
        yield
    finally:
        await journal.clear(pool.definition.uuid or "", name)


async def recover(pool: StoragePool, journal: Journal) -> None:
    """Before a pool is looked at: remove what a dead daemon was making in it, and know what it was overwriting."""
    uuid = pool.definition.uuid or ""
    pool.interrupted = {}
    for name, what in (await journal.read(uuid)).items():
        if name in pool.claims.making:
            continue
        if what != MAKING:
            pool.interrupted[name] = what
            continue
        try:
            await pool.volume_backend.discard(name)
        except LibvirtError as error:
            log.warning("volume '%s' of pool '%s' was not whole, and cannot be removed: %s", name, pool.name, error)
            pool.interrupted[name] = what
        else:
            await journal.clear(uuid, name)


async def settled(pool: StoragePool, journal: Journal, name: str) -> None:
    """A volume is whole again, or gone."""
    if pool.interrupted.pop(name, None) is not None:
        await journal.clear(pool.definition.uuid or "", name)
