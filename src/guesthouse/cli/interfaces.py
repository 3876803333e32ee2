"""The host interface that a command is about."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.interface import Interface

_HEX = frozenset("0123456789abcdefABCDEF")


def interface(text: str = "the interface: its name or MAC address", complete: str = "interface") -> Option:
    """The option that names it."""
    return Option("interface", "string", text, required=True, positional=True, complete=complete)


def is_mac(text: str) -> bool:
    """Whether a word is a MAC address, as libvirt reads one: six numbers with colons between them."""
    parts = text.split(":")
    return len(parts) == 6 and all(1 <= len(part) <= 2 and _HEX.issuperset(part) for part in parts)


def find(context: Context, args: Arguments, by: str = "nm", option: str = "interface") -> Interface:
    """The interface that an option names by its name (`n`) or MAC address (`m`); `by` leaves one out.

    Raises LibvirtError where there is none, after having said so, and CommandError for what is no such word.
    """
    from guesthouse.client.interface import by_mac, by_name

    word = args.need(option)
    mac = is_mac(word)
    if ("m" if mac else "n") not in by:
        raise CommandError(f"failed to get interface '{word}'")
    with context.during(f"failed to get interface '{word}'"):
        return by_mac(context.connection, word) if mac else by_name(context.connection, word)
