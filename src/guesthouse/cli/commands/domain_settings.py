"""Single settings of a guest: `send-process-signal`, `set-lifecycle-action`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.numerals import decimal
from guesthouse.cli.tuned import IMPACT, impact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: `virDomainLifecycle` and `virDomainLifecycleAction`.
EVENTS = ("poweroff", "reboot", "crash")
ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")

#: `virDomainProcessSignal`, whose first 32 numbers are Linux's.
SIGNALS = (
    "nop", "hup", "int", "quit", "ill", "trap", "abrt", "bus", "fpe", "kill", "usr1", "segv", "usr2", "pipe",
    "alrm", "term", "stkflt", "chld", "cont", "stop", "tstp", "ttin", "ttou", "urg", "xcpu", "xfsz", "vtalrm",
    "prof", "winch", "poll", "pwr", "sys",
)  # fmt: skip


def run_set_lifecycle_action(context: Context, args: Arguments) -> None:
    """Set what follows when a guest powers off, reboots or crashes."""
    from guesthouse.client import tuning

    flags = impact(args)
    event, action = args.need("type"), args.need("action")
    if event not in EVENTS:
        raise CommandError(f"Invalid lifecycle type '{event}'.")
    if action not in ACTIONS:
        raise CommandError(f"Invalid lifecycle action '{action}'.")
    found = context.domain(args.need("domain"))
    with context.during("Unable to change lifecycle action."):
        tuning.set_lifecycle_action(found, EVENTS.index(event), ACTIONS.index(action), flags)


def run_send_process_signal(context: Context, args: Arguments) -> None:
    """Send a signal to a process in a guest."""
    from guesthouse.client import tuning

    found = context.domain(args.need("domain"))
    pid = args.number("pid", -(2**63), 2**63 - 1) or 0
    tuning.send_signal(found, pid, _signal(args.need("signame")))


def _signal(name: str) -> int:
    number = decimal(name)
    if number is not None and 0 <= number <= 64:
        return number
    word = name.lower().removeprefix("sig_").removeprefix("sig")
    if word in SIGNALS:
        return SIGNALS.index(word)
    real_time = decimal(word.removeprefix("rt")) if word.startswith("rt") else None
    if real_time is not None and 0 <= real_time <= 32:
        return 32 + real_time
    raise CommandError(f"malformed signal name: {name}")


COMMANDS = (
    Command(
        "send-process-signal",
        "domain",
        "send a signal to a process in a guest",
        run_send_process_signal,
        (
            domain(),
            Option("pid", "string", "the process", required=True, positional=True),
            Option("signame", "string", "the signal's name or number", required=True, positional=True),
        ),
    ),
    Command(
        "set-lifecycle-action",
        "domain",
        "set what follows when a guest powers off, reboots or crashes",
        run_set_lifecycle_action,
        (
            domain(),
            Option("type", "string", "when", required=True, positional=True, complete=" ".join(EVENTS)),
            Option("action", "string", "what", required=True, positional=True, complete=" ".join(ACTIONS)),
            *IMPACT,
        ),
    ),
)
