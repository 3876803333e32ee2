"""The `guest` command's entry: options, then one command, a string of commands, or the interactive shell.

Started under the name `virsh` it shows itself as virsh: without the commands, options and hints of our own.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` costs an enumeration that we do not need
import os
import sys

from guesthouse.cli.context import Context
from guesthouse.cli.failure import CommandError
from guesthouse.cli.running import run_words
from guesthouse.cli.settings import Settings, parse


def main() -> int:
    """Run the program with the process's arguments and environment; returns the exit code."""
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # a text stream at a program's start
    try:
        code = run(sys.argv, dict(os.environ))
    except KeyboardInterrupt:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)
        raise
    sys.stdout.flush()
    if "guesthouse.cli.shell" not in sys.modules:
        os._exit(code)  # what is left is the interpreter's own tidying, which takes as long as the command itself
    return code


def run(argv: list[str], environment: dict[str, str]) -> int:
    """Run the program with these arguments and this environment; returns the exit code."""
    try:
        settings, words = parse(argv, environment)
    except CommandError as error:
        sys.stderr.write(f"error: {error.text}\n")
        return 1
    if settings.task:
        return _task(settings)
    context = Context(settings)
    try:
        if words:
            return 0 if run_words(context, words) else 1
        context.interactive = True
        from guesthouse.cli.shell import interact

        return interact(context)
    except KeyboardInterrupt:
        context.drop()
        raise
    finally:
        context.disconnect()


def _task(settings: Settings) -> int:
    """Print what `--help` and `--version` ask for."""
    from guesthouse.cli import about

    about.show(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
