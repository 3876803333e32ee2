"""Cutting a typed line into words, with virsh's quoting: like a shell's, without its expansions.

Blanks separate words; `;` and a line's end separate commands; `#` at the start of a word begins a comment. Between
single quotes everything stands for itself; between double quotes and outside, a backslash takes the next character's
meaning away. An unfinished single quote ends with the line, an unfinished double quote is an error.
"""

from __future__ import annotations

from guesthouse.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t"
ENDS = ";\n"


def split(line: str) -> Iterator[str | None]:
    """The words of `line`; None ends a command. Raises CommandError where a quote or a backslash is left open."""
    at = 0
    while True:
        at = _skip(line, at)
        if at >= len(line):
            return
        if line[at] in ENDS:
            at += 1
            yield None
        elif line[at] == "#":
            end = line.find("\n", at)
            at = len(line) if end < 0 else end + 1
            yield None
        else:
            word, at = _word(line, at)
            yield word


def _skip(line: str, at: int) -> int:
    """Where the next word begins; an escaped line end counts as a blank."""
    while at < len(line):
        if line[at] in BLANKS:
            at += 1
        elif line.startswith("\\\n", at):
            at += 2
        else:
            break
    return at


def _word(line: str, at: int) -> tuple[str, int]:
    word: list[str] = []
    quote = ""
    while at < len(line):
        char = line[at]
        if not quote and (char in BLANKS or char in ENDS):
            break
        at += 1
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        elif char == "\\" and quote != "'":
            if at >= len(line):
                raise CommandError("dangling \\")
            if line[at] != "\n":
                word.append(line[at])
            at += 1
        else:
            word.append(char)
    if quote == '"':
        raise CommandError('missing "')
    return "".join(word), at


def quote(word: str) -> str:
    """`word` so that `split` gives it back as one word."""
    plain = word and all(char.isalnum() or char in "-_./:+@%,=" for char in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"
