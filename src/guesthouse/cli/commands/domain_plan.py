"""`plan`: what becomes of each difference between a guest and a definition, before anything is done."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, domain, file
from guesthouse.cli.plan_table import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

SHAPE = "[{path, old, new, verdict, how, reason}]"


def run_plan(context: Context, args: Arguments) -> None:
    """Print the plan. Fails where something in the definition cannot be."""
    found = context.domain(args.need("domain"))
    changes = found.plan(read_document(args.need("file")))
    if args.has("json"):
        names = ("path", "old", "new", "verdict", "how", "reason")
        context.dump([{name: getattr(change, name) for name in names} for change in changes])
    elif changes:
        context.print(render(found.name, changes, quiet=context.settings.quiet))
    else:
        context.remark(f"The definition of domain '{found.name}' is what it is already.\n")
    if any(change.verdict == "impossible" for change in changes):
        raise CommandError


COMMANDS: tuple[Command, ...] = (
    Command(
        "plan",
        "domain",
        "tell what a new definition changes now, at a restart, or not at all",
        run_plan,
        (domain(), file("a file with the new definition")),
        shape=SHAPE,
        ours=True,
    ),
)
