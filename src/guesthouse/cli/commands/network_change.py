"""Changes of networks that may be active: `net-update`, `net-desc`, `net-metadata`."""

from __future__ import annotations

from guesthouse.cli.described import describe, element, exclusive, impact
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.networks import find, network
from guesthouse.errors import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: The commands by number (`virNetworkUpdateCommand`), and the sections (`virNetworkUpdateSection`).
VERBS = ("none", "modify", "delete", "add-last", "add-first")
SECTIONS = (
    "none",
    "bridge",
    "domain",
    "ip",
    "ip-dhcp-host",
    "ip-dhcp-range",
    "forward",
    "forward-interface",
    "forward-pf",
    "portgroup",
    "dns-host",
    "dns-txt",
    "dns-srv",
)


def run_update(context: Context, args: Arguments) -> None:
    """Change one element of a network's definition."""
    flags = impact(args)
    found = find(context, args)
    word = args.need("command")
    verb = _number(VERBS, "add-last" if word == "add" else word, "command")
    section = _number(SECTIONS, args.need("section"), "section")
    index = args.number("parent-index")
    given = args.need("xml")
    text = given if given.startswith("<") else read_document(given)
    with context.during(f"Failed to update network {found.name}"):
        found.update(verb, section, -1 if index is None else index, text, flags)
    stored, running = args.has("config"), args.has("live")
    if not stored and not running:
        running = found.is_active()
        stored = not running
    what = " and ".join(word for word, is_meant in (("persistent config", stored), ("live state", running)) if is_meant)
    context.remark(f"Updated network {found.name} {what}")


def _number(names: tuple[str, ...], name: str, kind: str) -> int:
    if name not in names[1:]:
        raise CommandError(f"unrecognized {kind} name '{name}'")
    return names.index(name)


def run_desc(context: Context, args: Arguments) -> None:
    """Print or set a network's description or title."""
    flags = impact(args)
    describe(context, args, find(context, args), "network", flags, flags)


def run_metadata(context: Context, args: Arguments) -> None:
    """Print, set, edit or remove one element of a network's metadata."""
    flags = impact(args)
    exclusive(args)
    element(context, args, find(context, args), flags, Code.NO_NETWORK_METADATA)


IMPACT = (
    flag("live", "of what is active"),
    flag("config", "of the stored definition"),
    flag("current", "of whichever is there"),
)

COMMANDS = (
    Command(
        "net-desc",
        "network",
        "print or set a network's description",
        run_desc,
        (
            network(),
            *IMPACT,
            flag("title", "the title, not the description"),
            flag("edit", "in an editor"),
            Option("new-desc", "argv", "the new text", positional=True),
        ),
        description="Print a network's description, or its title, or set it.",
        shape="{description or title: text or null}",
    ),
    Command(
        "net-metadata",
        "network",
        "print or set a network's own metadata",
        run_metadata,
        (
            network(),
            Option("uri", "string", "the namespace of the element", required=True, positional=True),
            *IMPACT,
            flag("edit", "in an editor"),
            Option("key", "string", "the prefix for the namespace", loose=True),
            Option("set", "string", "the new element", loose=True),
            flag("remove", "the element"),
        ),
        description="Print, set, edit or remove one element of the metadata that programs keep in a definition.",
        shape="{uri, element: text or null}",
    ),
    Command(
        "net-update",
        "network",
        "change a part of a network, also while it is active",
        run_update,
        (
            network(),
            Option(
                "command",
                "string",
                "add-first, add-last (or add), delete or modify",
                required=True,
                positional=True,
                complete="add-first add-last add delete modify",
            ),
            Option(
                "section",
                "string",
                "the part: " + ", ".join(SECTIONS[1:]),
                required=True,
                positional=True,
                complete=" ".join(SECTIONS[1:]),
            ),
            Option(
                "xml", "string", "the element, or a file that holds it", required=True, positional=True, complete="file"
            ),
            Option("parent-index", "int", "of the <ip> element with this number, from 0", loose=True),
            flag("config", "from the next start on"),
            flag("live", "of what is active"),
            flag("current", "of whichever is there"),
        ),
        description="Add, modify or delete one element of a network. Guests on it stay connected.",
    ),
)
