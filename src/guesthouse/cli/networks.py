"""The network that a command is about."""

from __future__ import annotations

from guesthouse.cli.context import uuid_bytes
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option
from guesthouse.cli.persistent import Kind
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.network import Network


def network(help_text: str = "the network: its name or UUID") -> Option:
    """The option that names it."""
    return Option("network", "string", help_text, required=True, positional=True, complete="network")


def find(context: Context, args: Arguments, by: str = "un") -> Network:
    """The network that `--network` names by its UUID or name, tried in this order; `by` leaves one out.

    Raises LibvirtError where there is none, after having said so, and CommandError for what is no UUID.
    """
    from guesthouse.client.network import by_name, by_uuid

    name = args.need("network")
    uuid = uuid_bytes(name) if "u" in by and len(name) == 36 else None
    if uuid is not None:
        try:
            return by_uuid(context.connection, uuid)
        except LibvirtError as error:
            if error.code != Code.NO_NETWORK or "n" not in by:
                context.error(f"failed to get network '{name}'")
                raise
    if "n" not in by:
        raise CommandError(f"failed to get network '{name}'")
    with context.during(f"failed to get network '{name}'"):
        return by_name(context.connection, name)


#: What the commands about networks share with those about pools.
KIND = Kind("network", find)
