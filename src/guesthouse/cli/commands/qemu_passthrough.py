"""Straight to QEMU and to the guest agent: `qemu-monitor-command`, `qemu-agent-command`."""

from __future__ import annotations

import json

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

MONITOR_HMP = 1

#: Waiting for the agent (`virDomainQemuAgentCommandTimeoutValues`).
AGENT_BLOCK, AGENT_DEFAULT, AGENT_NOWAIT = -2, -1, 0


def run_monitor_command(context: Context, args: Arguments) -> None:
    """Send a command to QEMU's monitor and print the answer."""
    args.exclusive("hmp", "pretty")
    args.exclusive("hmp", "return-value")
    found = context.domain(args.need("domain"))
    if args.has("pass-fds"):
        raise CommandError("--pass-fds is not supported yet")
    words = args.words("cmd")
    if args.has("hmp"):
        context.print(found.monitor_command(" ".join(words), MONITOR_HMP) + "\n")
        return
    result = found.monitor_command(qmp(words), 0)
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
)
