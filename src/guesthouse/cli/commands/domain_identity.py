"""From one of a guest's names to another: `domid`, `domname`, `domuuid`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option, domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_domid(context: Context, args: Arguments) -> None:
    """Print the id of a guest, `-` while it is off."""
    found = context.domain(args.need("domain"), by="un")
    if args.has("json"):
        context.dump({"id": found.id if found.id >= 0 else None})
    else:
        context.print(f"{found.id if found.id >= 0 else '-'}\n")


def run_domname(context: Context, args: Arguments) -> None:
    """Print the name of a guest."""
    found = context.domain(args.need("domain"), by="iu")
    if args.has("json"):
        context.dump({"name": found.name})
    else:
        context.print(f"{found.name}\n")


def run_domuuid(context: Context, args: Arguments) -> None:
    """Print the UUID of a guest."""
    found = context.domain(args.need("domain"), by="in")
    if args.has("json"):
        context.dump({"uuid": found.uuid})
    else:
        context.print(f"{found.uuid}\n")


COMMANDS = (
    Command(
        "domid",
        "domain",
        "print a guest's id",
        run_domid,
        (domain("the guest: its name or UUID"),),
        shape="{id: number or null}",
    ),
    Command(
        "domname",
        "domain",
        "print a guest's name",
        run_domname,
        (Option("domain", "string", "the guest: its id or UUID", required=True, positional=True, complete="domain"),),
        shape="{name}",
    ),
    Command(
        "domuuid",
        "domain",
        "print a guest's UUID",
        run_domuuid,
        (domain("the guest: its name or id"),),
        shape="{uuid}",
    ),
)
