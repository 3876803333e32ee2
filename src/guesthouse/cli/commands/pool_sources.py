"""What there is for pools: `find-storage-pool-sources`, `find-storage-pool-sources-as`, `pool-capabilities`."""

from __future__ import annotations

from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option
from guesthouse.cli.pools import TYPES, escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_find(context: Context, args: Arguments) -> None:
    """Print the sources that a document asks for."""
    path = args.text("srcSpec")
    _find(context, args, None if path is None else read_document(path))


def run_find_as(context: Context, args: Arguments) -> None:
    """Print the sources that options ask for."""
    _find(context, args, _spec(args))


def _find(context: Context, args: Arguments, spec: str | None) -> None:
    from guesthouse.client.pools import find_sources

    kind = args.need("type")
    with context.during(f"Failed to find any {kind} pool sources"):
        text = find_sources(context.connection, kind, spec)
    print_document(context, args, text)


def _spec(args: Arguments) -> str | None:
    """The source to ask; without a host there is none."""
    if not args.has("host"):
        return None
    port = f" port='{_value(args, 'port')}'" if args.has("port") else ""
    lines = ["<source>", f"  <host name='{_value(args, 'host')}'{port}/>"]
    if args.has("initiator"):
        lines += ["  <initiator>", f"    <iqn name='{_value(args, 'initiator')}'/>", "  </initiator>"]
    return "\n".join([*lines, "</source>", ""])


def _value(args: Arguments, name: str) -> str:
    return escaped(args.need(name))


def run_capabilities(context: Context, args: Arguments) -> None:
    """Print what the daemon can do for which type of pool."""
    from guesthouse.client.pools import capabilities

    with context.during("failed to get storage pool capabilities"):
        text = capabilities(context.connection)
    print_document(context, args, text if args.has("json") else f"{text}\n")


_TYPE = Option("type", "string", "the type of the pools", required=True, positional=True, complete=TYPES)

COMMANDS = (
    Command(
        "find-storage-pool-sources",
        "pool",
        "find what pools can be made of",
        run_find,
        (_TYPE, Option("srcSpec", "string", "a file with the source to ask", loose=True, complete="file")),
        description="Look for what pools of a type can be made of: volume groups, exports of a server, targets…",
        shape=SHAPE,
    ),
    Command(
        "find-storage-pool-sources-as",
        "pool",
        "find what pools can be made of, from options",
        run_find_as,
        (
            _TYPE,
            Option("host", "string", "the server to ask", loose=True),
            Option("port", "string", "its port", loose=True),
            Option("initiator", "string", "the name of the iSCSI initiator to ask as", loose=True),
        ),
        description="Look for what pools of a type can be made of, on this host or on a server.",
        shape=SHAPE,
    ),
    Command(
        "pool-capabilities",
        "pool",
        "print what the daemon can do for pools",
        run_capabilities,
        description="Print which types of pools the daemon can run on its host, and their formats.",
        shape=SHAPE,
    ),
)
