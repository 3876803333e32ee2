"""The values of secrets, for guests that name one."""

from __future__ import annotations

import uuid as _uuid
from typing import TYPE_CHECKING

from guesthouse.drivers.secret.actions import value_of
from guesthouse.errors import InvalidArgumentError
from guesthouse.model.domain.secrets import SecretLookup, SecretReference
from guesthouse.model.secret import USAGES

if TYPE_CHECKING:
    from guesthouse.drivers.secret.driver import SecretDriver


def secret_lookup(driver: SecretDriver) -> SecretLookup:
    """The lookup among these secrets, private ones too. A secret for nothing in particular is good for everything.

    It raises `NoSecretError`, `InvalidArgumentError` for a secret that is for something else, and
    `OperationFailedError` where the value cannot be read.
    """

    def find(usage_type: str, reference: SecretReference) -> bytes:
        if reference.uuid is not None:
            secret = driver.registry.with_uuid(_uuid.UUID(reference.uuid).bytes)
        else:
            secret = driver.registry.with_usage(USAGES.index(usage_type), reference.usage or "")
        found = USAGES[secret.definition.usage_type]
        if found not in ("none", usage_type):
            raise InvalidArgumentError(
                f"secret with uuid {secret.uuid} is of type '{found}' not expected '{usage_type}' type"
            )
        return value_of(driver, secret)

    return find
