"""The interactive shell: a prompt, a line, its commands, until `quit` or the end of the input.

At a terminal, prompt_toolkit edits the line, keeps the history and completes; from a file or a pipe, lines are read as
they come and shown after the prompt, as virsh shows them.
"""

from __future__ import annotations

import os
import sys

from guesthouse.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.cli.context import Context

#: Commands whose lines are not kept.
CONFIDENTIAL = ("secret-set-value", "set-user-password")


def interact(context: Context) -> int:
    """Run the shell; returns the exit code."""
    if context.settings.uri_given:
        try:
            _ = context.connection
        except CommandError:
            return 1
    if not context.settings.quiet:
        context.print(f"Welcome to {context.settings.program}, the virtualization interactive terminal.\n\n")
        context.print("Type:  'help' for help with commands\n       'quit' to quit\n\n")
    read = _terminal(context) if sys.stdin.isatty() and sys.stdout.isatty() else _pipe
    from guesthouse.cli.running import run_tokens
    from guesthouse.cli.tokens import split

    while not context.leaving:
        line = read(prompt(context))
        if line is None:
            break
        if line:
            try:
                run_tokens(context, split(line))
            except KeyboardInterrupt:
                context.print("\n")
    context.print("\n")
    return 0


def prompt(context: Context) -> str:
    """The prompt: `#` where things can be changed, `>` on a read-only connection."""
    name = "guest" if context.ours else "virsh"
    return f"{name} {'>' if context.readonly else '#'} "


def _pipe(text: str) -> str | None:
    """Read a line from what is no terminal."""
    sys.stdout.write(text)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        return None
    line = line.removesuffix("\n")
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return line


def history_file(environment: dict[str, str], program: str) -> str:
    """Where the lines are kept: below the user's cache directory, as virsh keeps them."""
    home = environment.get("HOME") or os.path.expanduser("~")
    cache = environment.get("XDG_CACHE_HOME") or f"{home}/.cache"
    name = "virsh" if program == "virsh" else "guesthouse"
    return f"{cache}/{name}/history"


def _terminal(context: Context) -> Callable[[str], str | None]:
    """A reader with line editing."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.shortcuts import CompleteStyle

    from guesthouse.cli.completer import ShellCompleter

    path = history_file(context.settings.environment, context.settings.program)

    class SecretKeepingHistory(FileHistory):
        """A history without the lines that may have a password in them."""

        def store_string(self, string: str) -> None:
            if not any(command in string for command in CONFIDENTIAL):
                super().store_string(string)

    history: History
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        history = SecretKeepingHistory(path)
    except OSError:
        history = InMemoryHistory()
    session: PromptSession[str] = PromptSession(
        history=history,
        completer=ShellCompleter(context),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
    )

    def read(text: str) -> str | None:
        while True:
            try:
                return session.prompt(text)
            except EOFError:
                return None
            except KeyboardInterrupt:
                continue

    return read
