"""What QEMU is asked to watch: `domblkthreshold`, `domdirtyrate-calc`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.scaled import scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: `virDomainDirtyRateCalcFlags`.
MODES = {"page-sampling": 0, "dirty-bitmap": 1, "dirty-ring": 2}


def run_domblkthreshold(context: Context, args: Arguments) -> None:
    """Ask for an event when an image gets fuller than this."""
    threshold = scaled(args.need("threshold"), "threshold", 1)
    context.domain(args.need("domain")).set_block_threshold(args.need("dev"), threshold)


def run_domdirtyrate_calc(context: Context, args: Arguments) -> None:
    """Begin to measure how fast the guest writes to its memory."""
    mode = args.text("mode") or "page-sampling"
    if mode not in MODES:
        raise CommandError(f"Unknown calculation mode '{mode}'")
    seconds = args.number("seconds")
    context.domain(args.need("domain")).start_dirty_rate(1 if seconds is None else seconds, MODES[mode])
    context.remark("Start to calculate domain's memory dirty rate successfully.\n")


COMMANDS: tuple[Command, ...] = (
    Command(
        "domblkthreshold",
        "domain",
        "ask for an event when an image gets fuller",
        run_domblkthreshold,
        (
            domain(),
            Option("dev", "string", "the disk, or an image of its chain: vda[2]", required=True, positional=True),
            Option("threshold", "int", "where, in bytes or with a unit", required=True, positional=True),
        ),
    ),
    Command(
        "domdirtyrate-calc",
        "domain",
        "measure how fast a guest writes to its memory",
        run_domdirtyrate_calc,
        (
            domain(),
            Option("seconds", "int", "for how long: 1 to 60 seconds"),
            Option("mode", "string", "how", complete=" ".join(MODES)),
        ),
    ),
)
