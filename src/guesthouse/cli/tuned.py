"""What commands that tune a guest share: which state they are for, and sets of host CPUs."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import flag
from guesthouse.cli.params import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.params import TypedParam

#: `virDomainModificationImpact`.
LIVE, CONFIG = 1, 2

IMPACT = (
    flag("config", "of the stored definition"),
    flag("live", "of the running guest"),
    flag("current", "of whichever is there"),
)

#: More than this virsh's own bit maps do not hold.
_MOST_CPUS = 1024


def impact(args: Arguments) -> int:
    """The flags of `--live`, `--config` and `--current`."""
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    return (LIVE if args.has("live") else 0) | (CONFIG if args.has("config") else 0)


def cpu_map(text: str, count: int) -> bytes:
    """The bit map of a set of host CPUs such as `0-3,^2`; `r` is all. Raises CommandError."""
    numbers = set(range(count)) if text.startswith("r") else _numbers(text)
    if max(numbers) >= count:
        raise CommandError(f"CPU {max(numbers)} in cpulist '{text}' exceed the maxcpu {count}")
    bits = sum(1 << number for number in numbers)
    return bits.to_bytes(max(numbers) // 8 + 1, "little")


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        word = part.strip()
        without = word.startswith("^")
        first, dash, last = word.removeprefix("^").partition("-")
        if not first.isdecimal() or not first.isascii() or (dash and not (last.isdecimal() and last.isascii())):
            raise CommandError(f"Invalid cpulist '{text}'")
        low, high = int(first), int(last or first)
        if low > high or high >= _MOST_CPUS or (without and dash):
            raise CommandError(f"Invalid cpulist '{text}'")
        found = found - {low} if without else found | set(range(low, high + 1))
    if not found:
        raise CommandError(f"Invalid cpulist '{text}'")
    return found


def show(context: Context, args: Arguments, params: Iterable[TypedParam], *, width: int = 15) -> None:
    """Print typed parameters, one a line, or as one JSON object."""
    from guesthouse.cli.params import value

    if args.has("json"):
        context.dump({one.field: value(one) for one in params})
        return
    for one in params:
        context.print(f"{one.field:<{width}}: {shown(one)}\n")
