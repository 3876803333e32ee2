"""Straight to QEMU and to the guest agent: `qemu-monitor-command`, `qemu-monitor-event`, `qemu-agent-command`; and
`qemu-attach`, `dom-fd-associate`.
"""

from __future__ import annotations

import json
import os

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.numerals import INT_MAX, decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain
    from guesthouse.client.monitor_events import MonitorEvent

MONITOR_HMP = 1

#: `virDomainFDAssociateFlags`.
ASSOCIATE = {"seclabel-restore": 1, "seclabel-writable": 2}

#: `virConnectDomainQemuMonitorEventRegisterFlags`.
EVENT_REGEX, EVENT_NO_CASE = 1, 2

#: Waiting for the agent (`virDomainQemuAgentCommandTimeoutValues`).
AGENT_BLOCK, AGENT_DEFAULT, AGENT_NOWAIT = -2, -1, 0


def run_monitor_command(context: Context, args: Arguments) -> None:
    """Send a command to QEMU's monitor and print the answer."""
    args.exclusive("hmp", "pretty")
    args.exclusive("hmp", "return-value")
    found = context.domain(args.need("domain"))
    words = args.words("cmd")
    if args.has("hmp"):
        context.print(_send(found, args, " ".join(words), MONITOR_HMP) + "\n")
        return
    result = _send(found, args, qmp(words), 0)
    if not (args.has("pretty") or args.has("return-value")):
        context.print(result + "\n")
        return
    try:
        answer = json.loads(result)
    except ValueError:
        raise CommandError("failed to parse JSON returned by qemu") from None
    if args.has("return-value"):
        if "return" not in answer:
            raise CommandError("'return' member missing")
        answer = answer["return"]
    context.print(_json(answer, pretty=args.has("pretty")))


def _send(found: Domain, args: Arguments, command: str, flags: int) -> str:
    """The answer to a command, with which open files of ours may go."""
    text = args.text("pass-fds")
    if text is None:
        return found.monitor_command(command, flags)
    return found.monitor_command_with_files(command, _descriptors(text), flags)


def _descriptors(text: str) -> list[int]:
    """Numbers of open files, with commas between them. Raises CommandError also for one that is not open."""
    numbers = []
    for word in text.split(","):
        number = decimal(word)
        if number is None or not -INT_MAX - 1 <= number <= INT_MAX:
            raise CommandError(f"Unable to parse FD number '{word}'")
        numbers.append(number)
    for number in numbers:
        try:
            os.fstat(number)
        except OSError as error:
            raise CommandError(f"Cannot duplicate FD {number}: {error.strerror}") from None
    return numbers


def run_fd_associate(context: Context, args: Arguments) -> None:
    """Hand open files over for a guest's disks, as long as the connection stands."""
    flags = sum(bit for name, bit in ASSOCIATE.items() if args.has(name))
    found = context.domain(args.need("domain"))
    found.associate_descriptors(args.need("name"), _descriptors(args.need("pass-fds")), flags)


def run_attach(context: Context, args: Arguments) -> None:
    """Manage a QEMU that somebody else started, where the daemon can."""
    from guesthouse.client.host import adopt

    pid = args.unsigned("pid") or 0
    with context.during(f"Failed to attach to pid {pid}"):
        found = adopt(context.connection, pid)
    context.remark(f"Domain '{found.name}' attached to pid {pid}\n")


def run_monitor_event(context: Context, args: Arguments) -> None:
    """Wait for QEMU's own events and print them."""
    from guesthouse.client.monitor_events import deregister, register

    flags = (EVENT_REGEX if args.has("regex") else 0) | (EVENT_NO_CASE if args.has("no-case") else 0)
    timeout = args.unsigned("timeout")
    if timeout is not None and not 0 < timeout <= INT_MAX // 1000:
        raise CommandError(f"Numeric value '{timeout}' for <timeout> option is malformed or out of range")
    found = context.domain(args.need("domain")) if args.has("domain") else None
    connection = context.connection
    number = register(connection, found, args.text("event"), flags)
    try:
        count, why = _collect(context, args, timeout)
    finally:
        if connection.alive:
            deregister(connection, number)
    context.print(f"{why}events received: {count}\n")
    if not count:
        raise CommandError


def _collect(context: Context, args: Arguments, timeout: int | None) -> tuple[int, str]:
    """Print events until enough have come; returns their number, and why it ended if not for that."""
    from guesthouse.cli.hearing import hear
    from guesthouse.client.hearing import heard
    from guesthouse.client.monitor_events import read

    events = heard(context.connection, lambda _, message: read(message), timeout)
    return hear(events, lambda event: _print_event(context, args, event), loop=args.has("loop"))


def _print_event(context: Context, args: Arguments, event: MonitorEvent) -> None:
    details = event.details or "(null)"
    if args.has("pretty") and (known := _loaded(details)) is not None:
        details = _json(known, pretty=True)
    if args.has("timestamp"):
        from guesthouse.cli.hearing import now

        context.print(f"{now()}: event {event.name} for domain '{event.domain}': {details}\n")
    else:
        moment = f"{event.seconds}.{event.microseconds:06d}"
        context.print(f"event {event.name} at {moment} for domain '{event.domain}': {details}\n")


def _json(value: object, *, pretty: bool) -> str:
    if pretty:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def qmp(words: list[str]) -> str:
    """The QMP command that the words make: a JSON object, or a command's name and its arguments as JSON members."""
    line = " ".join(words)
    if isinstance(_loaded(line), dict):
        return line
    name, rest = words[0], " ".join(words[1:])
    if not rest:
        return _json({"execute": name}, pretty=False)
    arguments = _loaded(rest)
    if not isinstance(arguments, dict):
        arguments = _loaded("{" + ",".join(words[1:]) + "}")
    if not isinstance(arguments, dict):
        raise CommandError(f"failed to wrap arguments '{rest}' into a QMP command wrapper")
    return _json({"execute": name, "arguments": arguments}, pretty=False)


def _loaded(text: str) -> object:
    """The JSON that a text is, or None."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return value


def run_agent_command(context: Context, args: Arguments) -> None:
    """Send a command to the guest agent and print the answer."""
    found = context.domain(args.need("domain"))
    timeout = args.number("timeout")
    if timeout is not None and timeout < 1:
        raise CommandError("timeout must be positive")
    if sum(args.has(name) for name in ("timeout", "async", "block")) > 1:
        raise CommandError("timeout, async and block options are exclusive")
    if args.has("async"):
        timeout = AGENT_NOWAIT
    elif args.has("block"):
        timeout = AGENT_BLOCK
    result = found.agent_command(" ".join(args.words("cmd")), AGENT_DEFAULT if timeout is None else timeout)
    if result is None:
        raise CommandError
    if args.has("pretty") and (answer := _loaded(result)) is not None:
        result = _json(answer, pretty=True) + "\n"
    context.print(result + "\n")


COMMANDS = (
    Command(
        "dom-fd-associate",
        "domain",
        "hand open files over for a guest's disks",
        run_fd_associate,
        (
            domain(),
            Option("name", "string", "the name by which disks know them", required=True, positional=True),
            Option("pass-fds", "string", "the open files: N,M,…", required=True, positional=True, complete=""),
            flag("seclabel-writable", "QEMU may write to them"),
            flag("seclabel-restore", "their labels are restored after use"),
        ),
        description=(
            "Hand open files over for the disks whose <source fdgroup='...'> names them. They stay as long as the "
            "connection does: use it in the shell."
        ),
    ),
    Command(
        "qemu-attach",
        "domain",
        "manage a QEMU that somebody else started",
        run_attach,
        (Option("pid", "string", "its process", required=True, positional=True),),
        description="Manage a QEMU that somebody else started. Guesthouse cannot: it has to know how a guest began.",
    ),
    Command(
        "qemu-agent-command",
        "host",
        "send the guest agent a command",
        run_agent_command,
        (
            domain(),
            Option("timeout", "int", "wait for so many seconds"),
            flag("async", "do not wait for the answer"),
            flag("block", "wait for as long as it takes"),
            flag("pretty", "print the answer on several lines"),
            Option("cmd", "argv", "the command, as JSON", required=True, positional=True),
        ),
    ),
    Command(
        "qemu-monitor-command",
        "host",
        "send QEMU a monitor command",
        run_monitor_command,
        (
            domain(),
            flag("hmp", "the command is one for people, not JSON"),
            flag("pretty", "print the answer on several lines"),
            flag("return-value", "print what is returned alone"),
            Option("pass-fds", "string", "hand over these open files: N,M,…", complete=""),
            Option("cmd", "argv", "the command", required=True, positional=True),
        ),
        description="Send a command to QEMU's monitor, past everything that the daemon knows. At your own risk.",
    ),
    Command(
        "qemu-monitor-event",
        "domain",
        "wait for QEMU's own events",
        run_monitor_event,
        (
            Option("domain", "string", "of this guest: its name, id or UUID", loose=True, complete="domain"),
            Option("event", "string", "with this name", loose=True),
            flag("pretty", "print what they say on several lines"),
            flag("loop", "and do not stop at the first"),
            Option("timeout", "int", "but stop after so many seconds", loose=True),
            flag("regex", "the name is a regular expression"),
            flag("no-case", "whatever the name's case"),
            flag("timestamp", "with the time at which each came"),
        ),
    ),
)
