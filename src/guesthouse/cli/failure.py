"""How a command ends early: with a text for the person, or silently after it has said everything itself."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot go on; `text` is printed after `error: `.

    An empty text means that the command has said what was wrong, and only the exit code is left to set.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        super().__init__(text)
