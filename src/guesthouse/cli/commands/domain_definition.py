"""A guest's definition: `dumpxml`, `edit`, `desc`, `metadata`."""

from __future__ import annotations

from guesthouse.cli.described import describe, element, exclusive, impact
from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.errors import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

#: Option to flag of the XML (`virDomainXMLFlags`).
XML_FLAGS = {"security-info": 1, "inactive": 2, "update-cpu": 4, "migratable": 8}
XML_EDIT = 1 | 2
XML_INACTIVE = 2
DEFINE_VALIDATE = 1


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a guest's definition."""
    found = context.domain(args.need("domain"))
    text = found.xml(sum(bit for name, bit in XML_FLAGS.items() if args.has(name)))
    print_document(context, args, text)


def run_edit(context: Context, args: Arguments) -> None:
    """Let the person edit a guest's stored definition."""
    from guesthouse.cli.advance import tell_in_advance
    from guesthouse.cli.editing import edit_document
    from guesthouse.client.host import define

    found = context.domain(args.need("domain"))
    flags = [0 if args.has("skip-validate") else DEFINE_VALIDATE]
    defined: list[Domain] = []

    def put(text: str) -> None:
        if context.ours:
            tell_in_advance(context, found, text)
        defined[:] = [define(context.connection, text, flags[0])]

    def relax() -> None:
        flags[0] = 0

    if edit_document(context, lambda: found.xml(XML_EDIT), put, relax):
        context.remark(f"Domain '{defined[0].name}' XML configuration edited.\n")
    else:
        context.remark(f"Domain '{found.name}' XML configuration not changed.\n")


def run_desc(context: Context, args: Arguments) -> None:
    """Print or set a guest's description or title."""
    flags = impact(args)
    found = context.domain(args.need("domain"))
    describe(context, args, found, "domain", flags, XML_INACTIVE if args.has("config") else 0)


def run_metadata(context: Context, args: Arguments) -> None:
    """Print, set, edit or remove one element of a guest's metadata."""
    flags = impact(args)
    exclusive(args)
    element(context, args, context.domain(args.need("domain")), flags, Code.NO_DOMAIN_METADATA)


IMPACT = {
    "live": flag("live", "of the running guest"),
    "config": flag("config", "of the stored definition"),
    "current": flag("current", "of whichever is there"),
}

COMMANDS = (
    Command(
        "desc",
        "domain",
        "print or set a guest's description",
        run_desc,
        (
            domain(),
            IMPACT["live"],
            IMPACT["config"],
            IMPACT["current"],
            flag("title", "the title, not the description"),
            flag("edit", "in an editor"),
            Option("new-desc", "argv", "the new text", positional=True),
        ),
        description="Print a guest's description, or its title, or set it.",
        shape="{description or title: text or null}",
    ),
    Command(
        "dumpxml",
        "domain",
        "print a guest's definition",
        run_dumpxml,
        (
            domain(),
            flag("inactive", "the stored one"),
            flag("security-info", "with passwords"),
            flag("update-cpu", "with its CPU as this host makes it"),
            flag("migratable", "as it is sent to another host"),
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        shape=SHAPE,
        description="Print the definition of a guest as XML.",
    ),
    Command(
        "edit",
        "domain",
        "edit a guest's definition",
        run_edit,
        (domain(), flag("skip-validate", "without checking it against the schema")),
        description="Edit the stored definition of a guest in $VISUAL or $EDITOR; it holds from the next start on.",
    ),
    Command(
        "metadata",
        "domain",
        "print or set a guest's own metadata",
        run_metadata,
        (
            domain(),
            Option("uri", "string", "the namespace of the element", required=True, positional=True),
            IMPACT["live"],
            IMPACT["config"],
            IMPACT["current"],
            flag("edit", "in an editor"),
            Option("key", "string", "the prefix for the namespace", loose=True),
            Option("set", "string", "the new element", loose=True),
            flag("remove", "the element"),
        ),
        description="Print, set, edit or remove one element of the metadata that programs keep in a definition.",
        shape="{uri, element: text or null}",
    ),
)
