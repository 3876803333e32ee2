"""The key of one run of a guest: what its secrets are sealed with."""

from __future__ import annotations

import os

from guesthouse.drivers.domain.files.places import Where
from guesthouse.host.files import write_atomic
from guesthouse.model.domain.secrets import MASTER_KEY_SIZE, Seal, sealer


def write_key(where: Where) -> None:
    """Make the key of a new run."""
    write_atomic(where.key, os.urandom(MASTER_KEY_SIZE), durable=False)


def seal_of(where: Where) -> Seal:
    """The seal of a run. The key is read when something is to be sealed: most guests have no secrets."""
    return lambda value: sealer(where.key.read_bytes())(value)
