"""A plan as a table: one line a change."""

from __future__ import annotations

from guesthouse.cli.table import render as table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.client.domain import PlannedChange

_VERDICTS = {"now": "applies now", "restart": "needs a restart", "impossible": "impossible"}
#: How much of a value fits; a whole element is only said to come or go.
_WIDTH = 40


def render(name: str, changes: Sequence[PlannedChange], *, quiet: bool) -> str:
    """The changes of the guest `name`."""
    rows = [
        (
            _VERDICTS.get(change.verdict, change.verdict),
            change.path or "the definition",
            _what(change),
            _remark(name, change),
        )
        for change in changes
    ]
    return table(("Verdict", "Setting", "Change", "How, or why not"), rows, quiet=quiet)


def _what(change: PlannedChange) -> str:
    if change.old is None and change.new is None:
        return "-"
    if change.old is None:
        return "added" if _is_element(change.new) else f"set to {_short(change.new)}"
    if change.new is None:
        return "removed" if _is_element(change.old) else f"{_short(change.old)} is removed"
    return f"{_short(change.old)} -> {_short(change.new)}"


def _is_element(text: str | None) -> bool:
    return text is not None and text.startswith("<")


def _short(text: str | None) -> str:
    shown = " ".join((text or "").split())
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 3] + "..."


def _remark(name: str, change: PlannedChange) -> str:
    if change.how is None:
        return change.reason or ""
    command, _, rest = change.how.partition(" ")
    return f"guest {command} {name} {rest}".rstrip()
