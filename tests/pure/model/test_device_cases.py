"""Every device, from libvirt's XML to QEMU's objects in both forms, and back to XML."""

from __future__ import annotations

import json

import pytest

from guesthouse.model.binding import Style
from tests.pure.model import device_cases as cases
from tests.support import golden


@pytest.mark.parametrize("name", cases.CASES)
def test_what_is_read_is_written(name: str) -> None:
    assert cases.text_of(cases.parse(cases.source(name)), Style(live=True, status=True)) == cases.source(name)


@pytest.mark.parametrize("name", cases.REALISED)
def test_command_line(name: str) -> None:
    golden.compare(cases.FOLDER / f"{name}.args", cases.arguments(name))


@pytest.mark.parametrize("name", cases.REALISED)
def test_monitor_commands(name: str) -> None:
    golden.compare(cases.FOLDER / f"{name}.qmp", cases.commands(name))


@pytest.mark.parametrize("name", cases.REALISED)
def test_both_forms_say_the_same(name: str) -> None:
    """The JSON of an option is the monitor's argument."""
    sent = [json.loads(line)["arguments"] for line in cases.commands(name).splitlines()]
    for line in cases.arguments(name).splitlines():
        _, _, value = line.partition(" ")
        if value.startswith("{"):
            assert json.loads(value) in sent


@pytest.mark.parametrize("name", cases.REALISED)
def test_undo_names_what_was_made(name: str) -> None:
    for identity, undo in cases.undone(name):
        if undo is not None:
            assert identity in undo.arguments.values()
