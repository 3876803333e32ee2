"""The life of a guest as a table."""

from __future__ import annotations

import pytest

from guesthouse.drivers.domain.states import (
    DETAILS,
    REASONS,
    TRANSITIONS,
    Cause,
    Happening,
    State,
    draw,
    reason_number,
    state_of,
)


def test_every_cause_has_a_row() -> None:
    assert set(TRANSITIONS) == set(Cause)


@pytest.mark.parametrize("row", TRANSITIONS.values())
def test_reasons_and_details_exist(row: object) -> None:
    transition = next(value for value in TRANSITIONS.values() if value is row)
    assert 0 <= transition.reason < len(REASONS[transition.target])
    for notice in transition.notices:
        assert 0 <= notice.detail < len(DETAILS[notice.happening])


def test_every_state_can_end() -> None:
    ends = {source for row in TRANSITIONS.values() if row.target is State.SHUTOFF for source in row.sources}
    assert ends >= {State.RUNNING, State.PAUSED, State.SHUTDOWN, State.CRASHED, State.PMSUSPENDED}


def test_a_start_is_told_as_libvirt_tells_it() -> None:
    told = [(notice.happening, notice.detail) for notice in TRANSITIONS[Cause.BOOT].notices]
    assert told == [(Happening.RESUMED, 0), (Happening.STARTED, 0)]


def test_words_are_read_back() -> None:
    for state in State:
        assert state_of(state.word) is state
        for number, word in enumerate(REASONS[state]):
            assert reason_number(state, word) == number
    assert reason_number(State.RUNNING, "no such reason") == 0
    with pytest.raises(ValueError, match="unknown domain state"):
        state_of("dreaming")


def test_the_drawing_has_every_cause() -> None:
    drawing = draw()
    assert drawing.startswith("digraph")
    assert all(f'label="{cause.value}"' in drawing for cause in Cause)
