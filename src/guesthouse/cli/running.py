"""Running commands: from the words of a line to what each of them did."""

from __future__ import annotations

import sys

from guesthouse.cli import registry
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Arguments, Parser
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guesthouse.cli.context import Context


def run_words(context: Context, words: list[str]) -> bool:
    """Run what is on the command line: one word is a line with commands in it, several are one command."""
    tokens: Iterator[str | None]
    if len(words) == 1:
        from guesthouse.cli.tokens import split

        if not words[0]:
            return False
        tokens = split(words[0])
    else:
        tokens = iter(words)
    return run_tokens(context, tokens)


def run_tokens(context: Context, tokens: Iterator[str | None]) -> bool:
    """Parse all commands, then run them in turn; the last one's success counts."""
    ours = context.ours
    parser = Parser(lambda name: registry.find(name, ours=ours), lambda name: _unknown(name, ours=ours), ours=ours)
    try:
        commands = parser.parse(tokens)
    except CommandError as error:
        if error.text:
            context.error(error.text)
        return False
    if context.settings.uri_given and not context.interactive and any(one.command.connect for one in commands):
        try:
            _ = context.connection
        except CommandError:
            return False
    done = True
    for arguments in commands:
        done = run_command(context, arguments)
        if context.leaving:
            break
    return done


def run_command(context: Context, arguments: Arguments) -> bool:
    """Run one command, say what went wrong, and end its output as virsh does."""
    from time import perf_counter

    start = perf_counter()
    if context.settings.json and arguments.command.shape:
        arguments.values["json"] = True
    done = False
    try:
        if arguments.command.connect:
            _ = context.connection
        arguments.command.run(context, arguments)
        done = True
    except CommandError as error:
        if error.text:
            context.error(error.text)
    except LibvirtError as error:
        context.note(error)
        context.report(error)
    if context.leaving:
        return done
    if context.settings.timing:
        context.print(f"\n(Time: {(perf_counter() - start) * 1000:.3f} ms)\n\n")
    elif not arguments.has("json"):
        context.remark("\n")
    sys.stdout.flush()
    return done


def _unknown(name: str, *, ours: bool) -> str:
    """The error for a command that does not exist, with what may have been meant."""
    text = f"unknown command: '{name}'"
    if not ours:
        return text
    from difflib import get_close_matches

    from guesthouse.cli.index import MODULE_OF

    near = get_close_matches(name, [one for one in MODULE_OF if not one.startswith("__")], n=3, cutoff=0.6)
    return f"{text}; did you mean {' or '.join(near)}?" if near else text
