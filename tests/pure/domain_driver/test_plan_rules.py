"""The rules about what changes in a running guest name places and commands that there are."""

from __future__ import annotations

import re

import pytest

from guesthouse.cli import registry
from guesthouse.drivers.domain.plans import rules
from guesthouse.model.domain.differences import Difference


def _difference(name: str) -> Difference:
    return Difference(name, name, "1", "2")


def test_every_rule_names_a_command_that_is_there() -> None:
    for _pattern, command in rules._ROWS:
        for name in re.findall(r"(?:^|or )([a-z-]+)", command):
            assert registry.find(name) is not None, command


@pytest.mark.parametrize(
    ("name", "removable", "command"),
    [
        ("vcpu/@current", False, "setvcpus 2 --live"),
        ("vcpu", False, None),
        ("currentMemory", False, "setmem 2 --live"),
        ("memory", False, None),
        ("devices/disk/source/@file", True, "change-media --live"),
        ("devices/disk/source/@file", False, None),
        ("devices/disk/iotune/read_iops_sec", False, "blkdeviotune --live"),
        ("devices/interface/link/@state", False, "domif-setlink"),
        ("devices/interface/model/@type", False, None),
        ("cputune/vcpupin", False, "vcpupin --live"),
        ("os/type/@machine", False, None),
        ("metadata/app", False, "metadata --live"),
    ],
)
def test_what_applies_now(name: str, removable: bool, command: str | None) -> None:
    assert rules.command_for(_difference(name), removable=removable) == command
