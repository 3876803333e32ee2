"""How much memory a guest has: `setmaxmem`, `setmem`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option, alias, domain
from guesthouse.cli.tuned import IMPACT, LIVE, impact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_setmem(context: Context, args: Arguments) -> None:
    """Have a guest keep so much memory."""
    from guesthouse.client import tuning

    flags = impact(args)
    if not flags and not args.has("current"):
        flags = LIVE
    found = context.domain(args.need("domain"))
    tuning.set_memory(found, _kib(args), flags)


def run_setmaxmem(context: Context, args: Arguments) -> None:
    """Give a guest so much memory at its next start."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    kib = _kib(args)
    with context.during("Unable to change MaxMemorySize"):
        tuning.set_memory(found, kib, flags | tuning.MAXIMUM)


def _kib(args: Arguments) -> int:
    from guesthouse.cli.scaled import scaled

    return -(-scaled(args.need("size"), "size", 1024) // 1024)


_OPTIONS = (
    domain(),
    alias("kilobytes", "size"),
    Option("size", "int", "how much, in KiB or with a unit", required=True, positional=True),
    *IMPACT,
)

COMMANDS = (
    Command("setmaxmem", "domain", "set how much memory a guest starts with", run_setmaxmem, _OPTIONS),
    Command("setmem", "domain", "set how much memory a guest may use now", run_setmem, _OPTIONS),
)
