"""A filter with all that it takes in: its rules in one list, the variables that have no value, loops.

A filter refers to others, so a filter is the root of a tree. A reference gives values to variables; those that come
from above win.

Source: https://libvirt.org/formatnwfilter.html#concepts
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import InternalError, OperationFailedError, Origin
from guesthouse.model.nwfilter.filter import Filter
from guesthouse.model.nwfilter.rule import Rule
from guesthouse.model.nwfilter.variables import Values, missing, values_of

#: The filter of a name; None where there is none.
Lookup = Callable[[str], Filter | None]

#: A tree is not deeper, and does not come to more rules: each reference to a filter brings all of its rules anew.
_DEEPEST: Final = 64
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule in the `chain` that its filter has, at that chain's `priority`, with the values of its variables."""

    chain: str
    priority: int
    rule: Rule
    values: Values


def flatten(root: Filter, values: Values, lookup: Lookup) -> list[Placed]:
    """The rules of a tree, depth first. Raises `InternalError` for a filter that is missing or a tree too large."""
    found = []
    for number, placed in enumerate(_walk(root, values, lookup, 0)):
        if number >= _MOST:
            raise InternalError(f"filter '{root.name}' comes to more than {_MOST} rules", domain=Origin.NWFILTER)
        found.append(placed)
    return found


def _walk(root: Filter, values: Values, lookup: Lookup, depth: int) -> Iterator[Placed]:
    if depth > _DEEPEST:
        raise InternalError(f"filter '{root.name}' is more than {_DEEPEST} references deep", domain=Origin.NWFILTER)
    for entry in root.entries:
        if isinstance(entry, Rule):
            yield Placed(root.chain, root.priority, entry, values)
            continue
        yield from _walk(required(entry.filter, lookup), {**values_of(entry.parameters), **values}, lookup, depth + 1)


def required(name: str, lookup: Lookup) -> Filter:
    """The filter of a name that somebody refers to. Raises `InternalError`."""
    found = lookup(name)
    if found is None:
        raise InternalError(
            f"referenced filter '{name}' is missing", domain=Origin.NWFILTER, hint="define it with nwfilter-define"
        )
    return found


def unresolved(placed: list[Placed]) -> set[str]:
    """The variables that have no value, as rules name them, without the sign."""
    return {name for one in placed for name in missing(one.rule, one.values)}


def names_in(root: str, lookup: Lookup) -> set[str]:
    """The names of all filters of a tree, of missing ones too."""
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found = lookup(name)
            waiting += found.references if found is not None else ()
    return seen


def check_loops(candidate: Filter, lookup: Lookup) -> None:
    """Refuse a filter that takes itself in. Raises `OperationFailedError`."""

    def with_candidate(name: str) -> Filter | None:
        return candidate if name == candidate.name else lookup(name)

    if any(candidate.name in names_in(name, with_candidate) for name in candidate.references):
        raise OperationFailedError(
            "filter would introduce a loop",
            domain=Origin.NWFILTER,
            hint=f"'{candidate.name}' is among the filters that it refers to",
        )
