"""Calls that have to be told how much they may answer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeVar

    T = TypeVar("T", covariant=True)
    U = TypeVar("U")

    class Answer(Protocol[T]):
        """An answer with parameters, or with no more than their number where there was no room for them."""

        @property
        def nparams(self) -> int:
            """How many there are."""

        @property
        def params(self) -> Sequence[T]:
            """Those that had room."""


def all_of(ask: Callable[[int], Answer[U]]) -> list[U]:
    """All parameters: `ask` makes the call with room for so many. It is made without any, and then with enough."""
    many = ask(0).nparams
    return list(ask(many).params) if many else []
