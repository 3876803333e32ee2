"""Calls that are made twice, because they have to be told how much they may answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from guesthouse.client.room import all_of


@dataclass
class Answer:
    nparams: int
    params: list[str] = field(default_factory=list)


@pytest.mark.parametrize(("there", "asked"), [(["a", "b"], [0, 2]), ([], [0])])
def test_nothing_more_is_asked_where_there_is_nothing(there: list[str], asked: list[int]) -> None:
    rooms = []

    def ask(room: int) -> Answer:
        rooms.append(room)
        return Answer(len(there), there[:room])

    assert all_of(ask) == there
    assert rooms == asked
