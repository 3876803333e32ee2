"""What the storage driver is told of its neighbours: the values of secrets, and which guests have which volume."""

from __future__ import annotations

from functools import partial

from guesthouse.drivers.domain.disks.users import users
from guesthouse.drivers.domain.driver import DomainDriver
from guesthouse.drivers.secret.driver import SecretDriver
from guesthouse.drivers.secret.lookup import secret_lookup
from guesthouse.drivers.storage.driver import StorageDriver
from guesthouse.drivers.storage.volumes.surroundings import User, Users
from guesthouse.model.domain.secrets import NoSecretError
from guesthouse.model.secret import USAGES


def tell(storage: StorageDriver, neighbours: list[object]) -> None:
    """Tell the storage driver of those that are in the same daemon."""
    for neighbour in neighbours:
        if isinstance(neighbour, SecretDriver):
            storage.host.secret = storage.surroundings.secret = secret_lookup(neighbour)
            storage.surroundings.secret_uuid = partial(_secret_uuid, neighbour)
        elif isinstance(neighbour, DomainDriver):
            storage.surroundings.users = partial(_users, neighbour)
            storage.surroundings.running = partial(_users, neighbour, running=True)


def _users(domain: DomainDriver, *, running: bool = False) -> Users:
    found: dict[str | tuple[str, str], list[User]] = {}
    for image, guest, target, runs in users(domain.registry, running=running):
        found.setdefault(image, []).append(User(guest.name, guest.uuid_text, target, runs))
    return found


def _secret_uuid(secrets: SecretDriver, path: str) -> str | None:
    """The secret that is for the volume at this path."""
    try:
        return str(secrets.registry.with_usage(USAGES.index("volume"), path).definition.uuid)
    except NoSecretError:
        return None
