"""Editing a text in the person's editor, and what to do when the result is refused.

The editor is `$VISUAL`, else `$EDITOR`, else `vi`; the text lies in a temporary file that only the person can read.
When the change is refused, or someone else changed the same thing meanwhile, the person is asked what to do with it
and the text is kept, as virsh does (libvirt's manual page virsh(1), `edit`).
"""

from __future__ import annotations

import os
import sys

from guesthouse.cli.failure import CommandError
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.cli.context import Context

CHANGED_MEANWHILE = "The XML configuration was changed by another user."
REFUSED = "Failed."


def edit_text(context: Context, text: str) -> str:
    """The text after one visit to the editor, without the newline at its end that editors add."""
    with _Draft(context, text) as draft:
        draft.edit()
        return draft.read().removesuffix("\n")


def edit_document(
    context: Context,
    get: Callable[[], str],
    put: Callable[[str], None],
    relax: Callable[[], None] | None = None,
) -> bool:
    """Let the person edit what `get` gives, and hand the result to `put`; False when nothing was changed.

    `relax` turns validation off, where that is possible. Raises CommandError when the person gives up.
    """
    original = get()
    with _Draft(context, original) as draft:
        draft.edit()
        while True:
            edited = draft.read()
            if edited == original:
                return False
            current = get()
            question, error = (CHANGED_MEANWHILE, None) if current != original else _tried(put, edited)
            if not question:
                return True
            original = current
            if _decide(context, draft, question, error, relax):
                relax = None


def _tried(put: Callable[[str], None], text: str) -> tuple[str, LibvirtError | None]:
    """Hand the text over; what to ask the person, and why, when it was refused."""
    try:
        put(text)
    except LibvirtError as error:
        return REFUSED, error
    return "", None


def _decide(
    context: Context, draft: _Draft, question: str, error: LibvirtError | None, relax: Callable[[], None] | None
) -> bool:
    """Ask, and do what the person wants; True when validation is off from now on. Raises to give up."""
    answer = _ask(context, question, error, can_relax=relax is not None)
    if answer == "y":
        draft.edit()
    elif answer == "i" and relax is not None:
        relax()
        return True
    elif answer == "n":
        raise CommandError
    elif answer != "f":
        context.error(question)
        if error is not None:
            raise error
        raise CommandError
    return False


def _ask(context: Context, question: str, error: LibvirtError | None, *, can_relax: bool) -> str:
    """One of the letters of the choice; empty where there is nobody to ask."""
    if not sys.stdin.isatty():
        return ""
    if error is not None:
        context.report(error)
    letters = "y,n,i,f,?" if can_relax else "y,n,f,?"
    with _Keys() as keys:
        while True:
            context.print(f"\r{question} Try again? [{letters}]: ")
            sys.stdout.flush()
            answer = keys.next()
            if answer == "?":
                _explain(context, can_relax=can_relax)
            elif answer in letters.split(","):
                context.print("\r\n")
                return answer
            elif not answer:
                return ""


def _explain(context: Context, *, can_relax: bool) -> None:
    """Print what the letters of the choice mean."""
    lines = ["", "y - yes, start editor again", "n - no, throw away my changes"]
    if can_relax:
        lines.append("i - turn off validation and try to redefine again")
    lines += ["f - force, try to redefine again", "? - print this help"]
    context.print("".join(f"{line}\r\n" for line in lines))


class _Keys:
    """A block in which keys come one by one, without the return key. What was typed before it is not lost."""

    def __enter__(self) -> _Keys:
        import termios
        import tty

        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        import termios

        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def next(self) -> str:
        """The next key, as a small letter; empty at the end of the input."""
        return os.read(self._descriptor, 1).decode("ascii", "replace").lower()


class _Draft:
    """The temporary file, removed at the end of the block."""

    def __init__(self, context: Context, text: str) -> None:
        import tempfile

        environment = context.settings.environment
        self._editor = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
        try:
            descriptor, self._path = tempfile.mkstemp(".xml", "guest", environment.get("TMPDIR") or "/tmp")  # noqa: S108
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(text)
        except OSError as error:
            raise CommandError(f"failed to create temporary file: {error.strerror}") from None

    def __enter__(self) -> _Draft:
        return self

    def __exit__(self, *_: object) -> None:
        try:  # noqa: SIM105 - the editor may have removed it
            os.unlink(self._path)
        except OSError:
            pass

    def edit(self) -> None:
        """Run the editor, and wait for it as long as the person needs. Raises CommandError when it fails."""
        import shlex
        import subprocess

        words = [*shlex.split(self._editor), self._path]
        sys.stdout.flush()
        try:
            code = subprocess.run(words, check=False).returncode
        except OSError as error:
            raise CommandError(f"cannot run the editor '{words[0]}': {error.strerror}") from None
        if code:
            raise CommandError(f"the editor '{words[0]}' ended with exit code {code}; nothing was changed")

    def read(self) -> str:
        """What the file holds now."""
        from guesthouse.cli.files import read_document

        return read_document(self._path)
