"""What the commands share that wait for events: `event`, `net-event`, `secret-event` and their like."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Option, flag
from guesthouse.cli.numerals import INT_MAX
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.hearing import Source

    Event = TypeVar("Event")
    Subject = TypeVar("Subject")


def options(subject: Option, names: Sequence[str], *more: Option) -> tuple[Option, ...]:
    """The options of such a command: whose events, `--event` with its names, more, and how long."""
    return (
        subject,
        Option("event", "string", "this kind of event", loose=True, complete=" ".join(names)),
        *more,
        flag("loop", "and do not stop at the first"),
        Option("timeout", "int", "but stop after so many seconds", loose=True),
        flag("list", "print the kinds of events and do not wait"),
        flag("timestamp", "with the time of each"),
    )


def listed(context: Context, args: Arguments, names: Sequence[str]) -> bool:
    """Print the names of the events, if that is what `--list` wants; returns whether it is."""
    if not args.has("list"):
        return False
    if args.has("json"):
        context.dump([*names])
    else:
        context.print("".join(f"{name}\n" for name in names))
    return True


def wanted(args: Arguments, names: Sequence[str]) -> int | None:
    """The number of the event that `--event` names; None without it. Raises CommandError for another name."""
    name = args.text("event")
    if name is None:
        return None
    if name not in names:
        raise CommandError(f"unknown event type {name}")
    return names.index(name)


def wanted_one(args: Arguments, names: Sequence[str]) -> int:
    """The same where `--event` must be there."""
    number = wanted(args, names)
    if number is None:
        raise CommandError("either --list or --event <type> is required")
    return number


def wait(
    context: Context,
    args: Arguments,
    source: Source[Subject, Event],
    subject: Callable[[], Subject | None],
    numbers: Sequence[int],
    text: Callable[[Event], str],
    entry: Callable[[Event], dict[str, object]],
) -> None:
    """Wait for events and print each, as `text` or as JSON with the time and what `entry` says.

    Events that the daemon does not know are left out, unless it knows none. Raises CommandError where none came, and
    where `--timeout` is no number of seconds.
    """
    from guesthouse.cli.hearing import hear, now
    from guesthouse.client.hearing import heard

    def show(event: Event) -> None:
        if args.has("json"):
            import json

            context.print(json.dumps({"time": now(), **entry(event)}, ensure_ascii=False) + "\n")
        else:
            context.print((f"{now()}: " if args.has("timestamp") else "") + text(event))

    timeout = _timeout(args)
    found = subject()
    registrations: list[int] = []
    connection = context.connection
    try:
        for number in numbers:
            try:
                registrations.append(source.register(connection, number, found))
            except LibvirtError:
                if not registrations:
                    raise
        count, why = hear(heard(connection, source.read, timeout), show, loop=args.has("loop"))
    finally:
        if connection.alive:
            for registration in registrations:
                source.deregister(connection, registration)
    if not args.has("json"):
        context.print(why + f"events received: {count}\n")
    if not count:
        raise CommandError


def _timeout(args: Arguments) -> int | None:
    timeout = args.unsigned("timeout")
    if timeout is not None and not 0 < timeout <= INT_MAX // 1000:
        raise CommandError(f"Numeric value '{timeout}' for <timeout> option is malformed or out of range")
    return timeout
