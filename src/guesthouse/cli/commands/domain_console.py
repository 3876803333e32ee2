"""`console`: the person's terminal on a guest's serial console."""

from __future__ import annotations

import os
import sys

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.words import SHUTOFF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.connection import Connection
    from guesthouse.client.domain import Domain
    from guesthouse.client.stream import Stream

#: `virDomainConsoleFlags`.
FORCE, SAFE = 1, 2

ALL_OUTPUT = 1 << 20


def run_console(context: Context, args: Arguments) -> None:
    """Attach to a guest's console."""
    found = context.domain(args.need("domain"))
    device = args.text("devname")
    flags = (FORCE if args.has("force") else 0) | (SAFE if args.has("safe") else 0)
    attach(context, found, device, flags, resume=args.has("resume"))


def attach(context: Context, found: Domain, device: str | None, flags: int, *, resume: bool) -> None:
    """Connect the terminal to the console until the escape character is typed or the guest is gone."""
    with context.during("Unable to get domain status"):
        state = found.state()[0]
    if state == SHUTOFF:
        raise CommandError("The domain is not running")
    if not sys.stdin.isatty():
        raise CommandError("Cannot run interactive console without a controlling TTY")
    stream = found.open_console(device, flags)
    escape = context.settings.escape
    context.remark(f"Connected to domain '{found.name}'\n")
    control = f" (Ctrl + {escape[1]})" if len(escape) == 2 else ""
    context.remark(f"Escape character is {escape}{control}\n")
    sys.stdout.flush()
    with _RawTerminal():
        if resume:
            with context.during(f"Failed to resume domain '{found.name}'"):
                found.resume()
        left = _relay(found.connection, stream, escape_byte(escape))
    if left:
        stream.finish()
    elif not stream.ended:
        stream.abort()


def escape_byte(escape: str) -> bytes:
    """The byte that ends the session: `^]` stands for what Ctrl and `]` make."""
    return bytes([ord(escape[1].upper()) & 0x1F]) if len(escape) == 2 else escape.encode()[:1]


def _relay(connection: Connection, stream: Stream, escape: bytes) -> bool:
    """Move bytes both ways; True when the person left, False when the console ended."""
    keyboard = sys.stdin.fileno()
    while True:
        for chunk in stream.received():
            _write(chunk)
        if stream.ended:
            return True
        if not connection.wait_readable(keyboard):
            continue
        typed = os.read(keyboard, 1024)
        if not typed or typed.startswith(escape):
            return True
        stream.send(typed)


def _write(data: bytes) -> None:
    descriptor = sys.stdout.fileno()
    while data:
        data = data[os.write(descriptor, data[:ALL_OUTPUT]) :]


class _RawTerminal:
    """A block in which every key goes to the guest; the terminal is as before afterwards, whatever ends the block."""

    def __enter__(self) -> _RawTerminal:
        import signal
        import termios
        import tty

        self._before = termios.tcgetattr(sys.stdin.fileno())
        self._handlers = {
            number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
        }
        tty.setraw(sys.stdin.fileno(), termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        import signal
        import termios

        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: object) -> None:
    """A signal that ends the program: by way of the blocks that tidy up."""
    raise SystemExit(128 + number)


COMMANDS = (
    Command(
        "console",
        "domain",
        "attach to a guest's console",
        run_console,
        (
            domain(),
            Option("devname", "string", "this device", loose=True),
            flag("force", "and disconnect whoever is there"),
            flag("resume", "and let a paused guest go on then"),
            flag("safe", "only if nobody else can be there at the same time"),
        ),
        description="Put this terminal on a guest's serial console; Ctrl and ] leave it.",
    ),
)
