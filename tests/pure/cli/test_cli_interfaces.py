"""`domiftune`: what rates mean, in virsh's form `average,peak,burst,floor`."""

from __future__ import annotations

import pytest

from guesthouse.cli.commands.domain_interfaces import COMMANDS, inbound, outbound
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Arguments

TUNE = next(command for command in COMMANDS if command.name == "domiftune")


def given(option: str, text: str) -> Arguments:
    """The command with one option."""
    args = Arguments(TUNE)
    args.values[option] = text
    return args


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1000", {"inbound.average": 1000}),
        ("1000,2000,30", {"inbound.average": 1000, "inbound.peak": 2000, "inbound.burst": 30}),
        ("1000,,30", {"inbound.average": 1000, "inbound.burst": 30}),
        ("0,0,0,200", {"inbound.average": 0, "inbound.floor": 200}),
        ("0", {"inbound.average": 0}),
    ],
)
def test_rates_of_what_is_received(text: str, values: dict[str, int]) -> None:
    assert inbound(given("inbound", text)) == values


def test_rates_of_what_is_sent() -> None:
    assert outbound(given("outbound", "10,20")) == {"outbound.average": 10, "outbound.peak": 20}
    assert outbound(given("inbound", "10")) == {}


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("inbound", "1,2,3,4,5", "Rate string '1,2,3,4,5' has too many fields"),
        ("inbound", "x", "malformed average field"),
        ("inbound", "1,-2", "malformed peak field"),
        ("inbound", "0,5", "either inbound average or floor is mandatory"),
        ("inbound", "4294967296", "inbound rate larger than maximum 4294967295"),
        ("outbound", "0,5", "outbound average is mandatory"),
        ("outbound", "1,1,1,1", "outbound floor is unsupported yet"),
    ],
)
def test_rates_that_are_none(option: str, text: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        (inbound if option == "inbound" else outbound)(given(option, text))
    assert str(caught.value) == message
