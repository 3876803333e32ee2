"""The secret that a command is about."""

from __future__ import annotations

from guesthouse.cli.context import uuid_bytes
from guesthouse.cli.grammar import Option
from guesthouse.errors import InvalidArgumentError, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.secret import Secret


def secret() -> Option:
    """The option that names it."""
    return Option("secret", "string", "the secret: its UUID", required=True, positional=True, complete="secret")


def find(context: Context, args: Arguments) -> Secret:
    """The secret that `--secret` names. Raises LibvirtError where there is none, after having said so."""
    from guesthouse.client.secret import by_uuid

    name = args.need("secret")
    with context.during(f"failed to get secret '{name}'"):
        uuid = uuid_bytes(name)
        if uuid is None:
            raise InvalidArgumentError(
                "uuidstr in virSecretLookupByUUIDString must be a valid UUID", domain=Origin.SECRET, bare=True
            )
        return by_uuid(context.connection, uuid)
