"""What the commands about networks and pools share: both are defined, edited, started, stopped and named alike."""

from __future__ import annotations

from guesthouse.cli.documents import print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.connection import Connection

    class Kept(Protocol):
        """An object of the daemon's that has a definition."""

        @property
        def name(self) -> str:
            """Its name."""

        @property
        def uuid(self) -> str:
            """Its UUID in text form."""

        def xml(self, flags: int = 0, /) -> str:
            """Its document: of what is active, or with 1 its definition."""

        def undefine(self) -> None:
            """Remove its definition."""

        def set_autostart(self, on: bool, /) -> None:
            """Have it start with the daemon, or no longer."""

    Find = Callable[[Context, Arguments, str], Kept]
    Make = Callable[[Connection, str, int], Kept]

#: `VIR_NETWORK_XML_INACTIVE` and `VIR_STORAGE_XML_INACTIVE`.
XML_INACTIVE = 1


class Kind:
    """One kind of such objects: the noun that stands in texts and is the name of the option, and how one is found.

    `find` is told by what: by its UUID (`u`), by its name (`n`), or by both in this order.
    """

    def __init__(self, noun: str, find: Find) -> None:
        self.noun = noun
        self.find = find

    def made(self, context: Context, args: Arguments, verb: str, past: str, make: Make, flags: int) -> None:
        """Have an object made from the document that `--file` names."""
        path = args.need("file")
        text = read_document(path)
        with context.during(f"Failed to {verb} {self.noun} from {path}"):
            made = make(context.connection, text, flags)
        if args.has("json"):
            context.dump({"name": made.name, "uuid": made.uuid})
        else:
            context.remark(f"{self.noun.capitalize()} {made.name} {past} from {path}\n")

    def dumpxml(self, context: Context, args: Arguments) -> None:
        """Print its document."""
        found = self.find(context, args, "un")
        print_document(context, args, found.xml(XML_INACTIVE if args.has("inactive") else 0))

    def edit(self, context: Context, args: Arguments, define: Make) -> None:
        """Let the person edit its definition. Raises CommandError for one with another UUID."""
        from guesthouse.cli.editing import edit_document

        found = self.find(context, args, "un")

        def put(text: str) -> None:
            made = define(context.connection, text, 0)
            if made.uuid != found.uuid:
                made.undefine()
                raise CommandError(f"the UUID of a {self.noun} cannot be changed")

        changed = edit_document(context, lambda: found.xml(XML_INACTIVE), put)
        noun = self.noun.capitalize()
        context.remark(f"{noun} {found.name} XML configuration {'edited' if changed else 'not changed'}.\n")

    def act(self, context: Context, args: Arguments, verb: str, past: str, action: Callable[[], None]) -> None:
        """Do something with one, and say so."""
        name = args.need(self.noun)
        with context.during(f"Failed to {verb} {self.noun} {name}"):
            action()
        context.remark(f"{self.noun.capitalize()} {name} {past}\n")

    def undefine(self, context: Context, args: Arguments) -> None:
        """Remove its definition."""
        self.act(context, args, "undefine", "has been undefined", self.find(context, args, "un").undefine)

    def autostart(self, context: Context, args: Arguments) -> None:
        """Start it with the daemon, or no longer."""
        name, on = args.need(self.noun), not args.has("disable")
        found = self.find(context, args, "un")
        with context.during(f"failed to {'mark' if on else 'unmark'} {self.noun} {name} as autostarted"):
            found.set_autostart(on)
        context.remark(f"{self.noun.capitalize()} {name} {'marked' if on else 'unmarked'} as autostarted\n")

    def print_name(self, context: Context, args: Arguments) -> None:
        """Print the name of the one with a UUID."""
        name = self.find(context, args, "u").name
        if args.has("json"):
            context.dump({"name": name})
        else:
            context.print(f"{name}\n")

    def print_uuid(self, context: Context, args: Arguments) -> None:
        """Print the UUID of the one of a name."""
        uuid = self.find(context, args, "n").uuid
        if args.has("json"):
            context.dump({"uuid": uuid})
        else:
            context.print(f"{uuid}\n")
