"""The device of the host that a command is about."""

from __future__ import annotations

import re

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option
from guesthouse.errors import InternalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.nodedev import NodeDevice


def device(text: str = "the device: its name") -> Option:
    """The option that names it."""
    return Option("device", "string", text, required=True, positional=True, complete="nodedev")


def find(context: Context, args: Arguments) -> NodeDevice:
    """The device that `--device` names. Raises LibvirtError where there is none, after having said so."""
    from guesthouse.client.nodedev import by_name

    name = args.need("device")
    with context.during(f"Could not find matching device '{name}'"):
        return by_name(context.connection, name)


def find_any(context: Context, args: Arguments) -> NodeDevice:
    """The same; a host adapter for Fibre Channel can be named by its two names, `WWNN,WWPN`."""
    name = args.need("device")
    if "," not in name:
        return find(context, args)
    from guesthouse.client.nodedev import by_wwn

    parts = name.split(",")
    if len(parts) != 2:
        raise CommandError(f"Malformed device value '{name}'")
    for part in parts:
        if not re.fullmatch("(0x)?[0-9a-fA-F]{16}", part):
            raise InternalError(f"Malformed wwn: {part}", hint="16 hexadecimal digits")
    with context.during(f"Could not find matching device '{name}'"):
        return by_wwn(context.connection, *parts)
