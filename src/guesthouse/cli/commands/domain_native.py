"""A guest's definition in another program's form, and back: `domxml-to-native`, `domxml-from-native`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option
from guesthouse.client.host import from_native, to_native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: What is printed of a guest's definition: also what is secret, and of what runs.
_XML_SECURE = 1


def run_domxml_to_native(context: Context, args: Arguments) -> None:
    """Print the command line that a definition becomes."""
    args.exclusive("domain", "xml")
    path, name = args.text("xml"), args.text("domain")
    if path is None and name is None:
        raise CommandError("need either domain or domain XML")
    document = read_document(path) if path is not None else context.domain(name or "").xml(_XML_SECURE)
    context.print(to_native(context.connection, args.need("format"), document))


def run_domxml_from_native(context: Context, args: Arguments) -> None:
    """Print the definition that another program's form of a guest becomes."""
    config = read_document(args.need("config"))
    context.print(from_native(context.connection, args.need("format"), config))


COMMANDS: tuple[Command, ...] = (
    Command(
        "domxml-from-native",
        "domain",
        "print the definition that another program's form of a guest becomes",
        run_domxml_from_native,
        (
            Option("format", "string", "the form", required=True, positional=True),
            Option("config", "string", "a file with it", required=True, positional=True, complete="file"),
        ),
        description="Print the definition that another program's form of a guest becomes. No driver of QEMU can.",
    ),
    Command(
        "domxml-to-native",
        "domain",
        "print the command line that a guest's definition becomes",
        run_domxml_to_native,
        (
            Option("format", "string", "the form: qemu-argv", required=True, positional=True, complete="qemu-argv"),
            Option("domain", "string", "the guest: its name, id or UUID", complete="domain"),
            Option("xml", "string", "a file with a definition", loose=True, complete="file"),
        ),
    ),
)
