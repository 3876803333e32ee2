"""Which guests have a volume."""

from __future__ import annotations

import time
from typing import Final

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.volumes.surroundings import Surroundings, User, Users

#: Seconds for which an answer for looking at is good: a client asks for many volumes in a row.
_FRESH: Final = 0.5


def of(surroundings: Surroundings, pool: str, volume: VolumeFacts, *, fresh: bool = False) -> list[User]:
    """The guests that have a volume, those that run first. Without `fresh` it may be half a second old."""
    found = everybody(surroundings, fresh=fresh)
    both = [*found.get(volume.path, ()), *found.get((pool, volume.name), ())]
    return sorted(dict.fromkeys(both), key=lambda user: (not user.running, user.name))


def everybody(surroundings: Surroundings, *, fresh: bool = False) -> Users:
    """Where images are, to the guests that have them."""
    now = time.monotonic()
    known = surroundings.known
    if known is not None and not fresh and now - known[0] < _FRESH:
        return known[1]
    found = surroundings.users()
    surroundings.known = now, found
    return found
