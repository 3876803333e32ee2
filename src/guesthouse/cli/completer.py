"""prompt_toolkit's side of the completion."""

from __future__ import annotations

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from guesthouse.cli.completion import candidates
from guesthouse.cli.failure import CommandError
from guesthouse.cli.tokens import quote, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guesthouse.cli.context import Context


class ShellCompleter(Completer):
    """Completes the line of the interactive shell."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the word at the cursor can be."""
        line = document.text_before_cursor
        begun = "" if not line or line[-1] in " \t;" else line.replace(";", " ").split()[-1]
        try:
            tokens = list(split(line[: len(line) - len(begun)]))
        except CommandError:
            return
        while None in tokens:
            del tokens[: tokens.index(None) + 1]
        words = [token for token in tokens if token is not None]
        for candidate in candidates(self._context, words, begun):
            yield Completion(quote(candidate), start_position=-len(begun), display=candidate)
