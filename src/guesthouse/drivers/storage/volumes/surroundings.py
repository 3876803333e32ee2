"""What volumes need of the daemon's other drivers, which tell it when they meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guesthouse.drivers.storage.volumes.journal import Journal
from guesthouse.model.domain.secrets import SecretLookup


@dataclass(frozen=True, slots=True)
class User:
    """A guest that has a volume: its name, its UUID, the target of its disk, and whether it runs."""

    name: str
    uuid: str
    target: str
    running: bool


#: Where an image is (a path, or the names of a pool and a volume) to the guests that have it.
Users: TypeAlias = Mapping[str | tuple[str, str], list[User]]


def _nobody() -> Users:
    return {}


@dataclass(slots=True)
class Surroundings:
    """`secret` finds values of secrets, `secret_uuid` the secret for a path, `users` who has which image, `running` who
    runs with it.

    `known` is the last answer about users, and when it was given.
    """

    journal: Journal
    secret: SecretLookup | None = None
    secret_uuid: Callable[[str], str | None] | None = None
    users: Callable[[], Users] = _nobody
    running: Callable[[], Users] = _nobody
    known: tuple[float, Users] | None = None
