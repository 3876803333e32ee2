"""A guest's I/O threads: `iothreadadd`, `iothreaddel`, `iothreadinfo`, `iothreadset`."""

from __future__ import annotations

from guesthouse.cli.bitmaps import ranges
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.tuned import IMPACT, impact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

POLLING = ("poll-grow", "poll-shrink")
POOL = ("thread-pool-min", "thread-pool-max")


def run_iothreadinfo(context: Context, args: Arguments) -> None:
    """Print a guest's I/O threads."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    with context.during("Unable to get domain IOThreads information"):
        threads = tuning.iothreads(found, flags)
    if args.has("json"):
        context.dump([{"id": number, "cpus": ranges(cpus)} for number, cpus in threads])
    elif not threads:
        context.remark("No IOThreads found for the domain")
    else:
        rows = [(str(number), ranges(cpus)) for number, cpus in threads]
        context.table(("IOThread ID", "CPU Affinity"), rows)


def _id(args: Arguments) -> int:
    number = args.number("id") or 0
    if number <= 0:
        raise CommandError(f"Invalid IOThread id value: '{number}'")
    return number


def run_iothreadadd(context: Context, args: Arguments) -> None:
    """Add an I/O thread."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    tuning.add_iothread(found, _id(args), flags)


def run_iothreaddel(context: Context, args: Arguments) -> None:
    """Take an I/O thread away."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    tuning.remove_iothread(found, _id(args), flags)


def run_iothreadset(context: Context, args: Arguments) -> None:
    """Change how an I/O thread works."""
    from guesthouse.client import tuning
    from guesthouse.client.params import int_param, uint_param, ullong_param

    flags = impact(args)
    found = context.domain(args.need("domain"))
    number = _id(args)
    longest = args.unsigned("poll-max-ns", 2**64 - 1)
    params = [ullong_param("poll_max_ns", longest)] if longest is not None else []
    for name in POLLING:
        factor = args.unsigned(name)
        if factor is not None:
            params.append(uint_param(name.replace("-", "_"), factor))
    for name in POOL:
        bound = args.number(name)
        if bound is not None:
            params.append(int_param(name.replace("-", "_"), bound))
    if not params:
        raise CommandError("Not enough arguments passed, nothing to set")
    tuning.set_iothread(found, number, params, flags)


_NUMBER = Option("id", "int", "the thread's id, from 1", required=True, positional=True)

COMMANDS = (
    Command("iothreadadd", "domain", "add an I/O thread to a guest", run_iothreadadd, (domain(), _NUMBER, *IMPACT)),
    Command("iothreaddel", "domain", "take an I/O thread from a guest", run_iothreaddel, (domain(), _NUMBER, *IMPACT)),
    Command(
        "iothreadinfo",
        "domain",
        "print a guest's I/O threads",
        run_iothreadinfo,
        (domain(), *IMPACT),
        shape="[{id: number, cpus: text}]",
    ),
    Command(
        "iothreadset",
        "domain",
        "change how an I/O thread works",
        run_iothreadset,
        (
            domain(),
            _NUMBER,
            Option("poll-max-ns", "int", "look for work so long before it sleeps, in nanoseconds", loose=True),
            Option("poll-grow", "int", "by what that grows; 0 is QEMU's choice", loose=True),
            Option("poll-shrink", "int", "by what that shrinks; 0 is QEMU's choice", loose=True),
            Option("thread-pool-min", "int", "at least so many workers", loose=True),
            Option("thread-pool-max", "int", "at most so many workers", loose=True),
            *IMPACT,
        ),
    ),
)
