"""The network filter, or the binding of one, that a command is about."""

from __future__ import annotations

from guesthouse.cli.context import uuid_bytes
from guesthouse.cli.grammar import Option
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.nwfilter import Binding, Filter


def nwfilter() -> Option:
    """The option that names a filter."""
    return Option(
        "nwfilter", "string", "the filter: its name or UUID", required=True, positional=True, complete="nwfilter"
    )


def binding() -> Option:
    """The option that names a binding."""
    return Option(
        "binding", "string", "the device that has a filter", required=True, positional=True, complete="nwfilter-binding"
    )


def find(context: Context, args: Arguments) -> Filter:
    """The filter that `--nwfilter` names by its UUID or name, tried in this order.

    Raises LibvirtError where there is none, after having said so.
    """
    from guesthouse.client.nwfilter import by_name, by_uuid

    name = args.need("nwfilter")
    uuid = uuid_bytes(name) if len(name) == 36 else None
    with context.during(f"failed to get nwfilter '{name}'"):
        if uuid is not None:
            try:
                return by_uuid(context.connection, uuid)
            except LibvirtError as error:
                if error.code != Code.NO_NWFILTER:
                    raise
        return by_name(context.connection, name)


def find_binding(context: Context, args: Arguments) -> Binding:
    """The binding of the device that `--binding` names. Raises LibvirtError where it has none, after having said so."""
    from guesthouse.client.nwfilter import on_device

    name = args.need("binding")
    with context.during(f"failed to get nwfilter binding '{name}'"):
        return on_device(context.connection, name)
