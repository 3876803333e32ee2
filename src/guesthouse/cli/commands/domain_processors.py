"""`cpu-stats`: processor time of a guest, on each processor of the host and in all."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.params import TypedParam

_NANOSECONDS = 1_000_000_000


def run_cpu_stats(context: Context, args: Arguments) -> None:
    """Print the times: per processor unless only the total is wanted, the total unless a range is."""
    found = context.domain(args.need("domain"))
    start, count = args.number("start"), args.number("count")
    for name, number in (("start", start), ("count", count)):
        if number is not None and number < 0:
            raise CommandError(f"Invalid value for {name}")
    some = start is not None or count is not None
    total = args.has("total") or not some
    each: list[list[TypedParam]] = []
    if some or not args.has("total"):
        most = found.processor_count()
        first = start or 0
        shown = min(most - first, most if count is None else count)
        if shown < (count or 0) and not args.has("json"):
            context.print(f"Only {most} CPUs available to show\n")
        params = found.processor_stats(first, max(shown, 0)) if shown > 0 else []
        width = len(params) // shown if shown > 0 else 0
        each = [params[place * width : (place + 1) * width] for place in range(max(shown, 0))]
    whole = found.processor_stats(-1, 1) if total else []
    if args.has("json"):
        context.dump(
            {
                "cpus": [{one.field: int(one.value) for one in params} for params in each],
                "total": {one.field: int(one.value) for one in whole},
            }
        )
        return
    for number, params in enumerate(each, start or 0):
        context.print(f"CPU{number}:\n" + "".join(_line(one) for one in params))
    if total:
        context.print("Total:\n" + "".join(_line(one) for one in whole))


def _line(param: TypedParam) -> str:
    seconds, rest = divmod(int(param.value), _NANOSECONDS)
    return f"\t{param.field:<12} {seconds:>9}.{rest:09d} seconds\n"


COMMANDS: tuple[Command, ...] = (
    Command(
        "cpu-stats",
        "domain",
        "print a guest's processor time on the host's processors",
        run_cpu_stats,
        (
            domain(),
            flag("total", "only of all processors together"),
            Option("start", "int", "from this processor on"),
            Option("count", "int", "of so many processors at most"),
        ),
        shape="{cpus: [{cpu_time, vcpu_time}], total: {cpu_time, user_time, system_time}}",
    ),
)
