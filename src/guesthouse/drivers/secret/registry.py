"""Which secrets there are, how one is found, and which definitions go together.

Rules and texts are libvirt's: the UUID of a secret says what it is for as long as it exists, what a secret is for
belongs to one secret alone, and a private secret stays one.
"""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Iterator
from dataclasses import dataclass

from guesthouse.errors import InternalError, LibvirtError, Origin
from guesthouse.model.domain.secrets import NoSecretError
from guesthouse.model.secret import Secret


@dataclass(slots=True)
class StoredSecret:
    """One secret. `sealed` is its value as the vault seals it; None where it has none."""

    definition: Secret
    sealed: bytes | None = None

    @property
    def uuid(self) -> str:
        """Its UUID, as text."""
        return str(self.definition.uuid)


class Registry:
    """All secrets."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, StoredSecret] = {}

    def __iter__(self) -> Iterator[StoredSecret]:
        return iter(list(self._secrets.values()))

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, secret: StoredSecret) -> None:
        """Know a secret from now on."""
        self._secrets[_uuid.UUID(secret.uuid).bytes] = secret

    def discard(self, secret: StoredSecret) -> None:
        """Forget a secret."""
        self._secrets.pop(_uuid.UUID(secret.uuid).bytes, None)

    def with_uuid(self, uuid: bytes) -> StoredSecret:
        """The secret with this UUID. Raises `NoSecretError`."""
        found = self._secrets.get(uuid)
        if found is None:
            raise NoSecretError(f"no secret with matching uuid '{_uuid.UUID(bytes=uuid)}'")
        return found

    def with_usage(self, usage_type: int, usage_id: str) -> StoredSecret:
        """The secret that is for exactly this; `usage_type` is a number. Raises `NoSecretError`."""
        found = self._for(usage_type, usage_id)
        if found is None:
            raise NoSecretError(f"no secret with matching usage '{usage_id}'")
        return found

    def check(self, definition: Secret) -> StoredSecret | None:
        """The secret that `definition` would change, if there is one.

        Raises `InternalError` where it must not be changed so, or where what it is for is another's.
        """
        known = self._secrets.get(_uuid.UUID(definition.uuid).bytes)
        if known is not None:
            if known.definition.usage_id != definition.usage_id:
                used_for = known.definition.usage_id or "(null)"
                raise _conflict(f"a secret with UUID {known.uuid} is already defined for use with {used_for}")
            if known.definition.private and not definition.private:
                raise _conflict("cannot change private flag on existing secret")
        other = self._for(definition.usage_type, definition.usage_id)
        if other is not None and other is not known:
            raise _conflict(f"a secret with UUID {other.uuid} already defined for use with {definition.usage_id}")
        return known

    def _for(self, usage_type: int, usage_id: str) -> StoredSecret | None:
        if usage_type == 0:  # for nothing in particular: of those there may be many
            return None
        for secret in self._secrets.values():
            if (secret.definition.usage_type, secret.definition.usage_id) == (usage_type, usage_id):
                return secret
        return None


def _conflict(text: str) -> LibvirtError:
    return InternalError(text, domain=Origin.SECRET)
