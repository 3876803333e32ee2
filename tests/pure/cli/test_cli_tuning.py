"""Sets of host CPUs on the command line."""

from __future__ import annotations

import pytest

from guesthouse.cli.commands.domain_settings import _signal
from guesthouse.cli.failure import CommandError
from guesthouse.cli.tuned import cpu_map


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", b"\x01"), ("0-3,^2", b"\x0b"), ("r", b"\xff\x03"), ("9", b"\x00\x02"), ("1, 3", b"\x0a")],
)
def test_sets_of_cpus(text: str, expected: bytes) -> None:
    assert cpu_map(text, 10) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid cpulist ''"),
        ("a", "Invalid cpulist 'a'"),
        ("3-1", "Invalid cpulist '3-1'"),
        ("1,^1", "Invalid cpulist '1,^1'"),
        ("5000", "Invalid cpulist '5000'"),
        ("10", "CPU 10 in cpulist '10' exceed the maxcpu 10"),
    ],
)
def test_sets_that_are_none(text: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        cpu_map(text, 10)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "number"), [("kill", 9), ("SIGKILL", 9), ("sig_hup", 1), ("9", 9), ("nop", 0), ("rt3", 35)]
)
def test_signals(name: str, number: int) -> None:
    assert _signal(name) == number


def test_a_signal_that_is_none() -> None:
    with pytest.raises(CommandError, match="malformed signal name: loud"):
        _signal("loud")
