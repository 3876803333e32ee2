"""Which guests have a volume."""

from __future__ import annotations

import time
from typing import Final

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.volumes.surroundings import Surroundings, User, Users

#: Seconds for which an answer for looking at is good: a client that asks for many volumes does so in a row.
_FRESH: Final = 0.05


def of(surroundings: Surroundings, pool: str, volume: VolumeFacts) -> list[User]:
    """The guests that have a volume, those that run first. The answer may be a twentieth of a second old."""
    now = time.monotonic()
    known = surroundings.known
    if known is None or now - known[0] >= _FRESH:
        known = surroundings.known = now, surroundings.users()
    return sorted(_those(known[1], pool, volume), key=lambda user: (not user.running, user.name))


def running(surroundings: Surroundings, pool: str, volume: VolumeFacts) -> list[User]:
    """The guests that run with a volume, now."""
    return _those(surroundings.running(), pool, volume)


def _those(found: Users, pool: str, volume: VolumeFacts) -> list[User]:
    return list(dict.fromkeys([*found.get(volume.path, ()), *found.get((pool, volume.name), ())]))
