"""Descriptors that a client handed over for a disk, and closed before QEMU had them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guesthouse.drivers.domain.disks import descriptors
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.guests import Guests
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationFailedError
from guesthouse.model.domain.devices.handed_files import HandedFiles
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.qemu_objects import FdSet, Option

GUEST = """<domain type='qemu'><name>g</name><uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file'>
  <source file='/d.img' fdgroup='mine'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


def guest_with(group: HandedFiles) -> tuple[Guests, Run]:
    """A guest whose disk is this group."""
    live = parse_domain(GUEST)
    assert live.devices.disks[0].source is not None
    live.devices.disks[0].source.handed = group
    driver = cast(Guests, SimpleNamespace(handed={live.uuid: {"mine": group}}))
    return driver, Run(live, Where(*[Path(os.devnull)] * 4))


def test_a_group_that_was_closed_or_replaced_is_not_given_to_qemu() -> None:
    driver, run = guest_with(HandedFiles((40, 41)))
    live = run.live
    assert descriptors.descriptors_of(driver, run) == [40, 41]
    driver.handed[live.uuid]["mine"] = HandedFiles((40, 41))
    with pytest.raises(OperationFailedError, match="are closed"):
        descriptors.descriptors_of(driver, run)
    driver.handed.clear()
    with pytest.raises(OperationFailedError, match="are closed"):
        descriptors.descriptors_of(driver, run)


def test_a_disk_that_is_plugged_in_has_the_files_that_were_meant(tmp_path: Path) -> None:
    """Whatever becomes of the group while QEMU is told, one command after the other."""
    (tmp_path / "meant").touch()
    passed = os.open(tmp_path / "meant", os.O_RDONLY)
    driver, run = guest_with(HandedFiles((passed,)))
    node = Option("-blockdev", "x")
    with descriptors.kept(driver, run, run.live.devices.disks, [node, FdSet(1, passed, "one")]) as made:
        os.close(passed)
        kept, other = made[1], made[0]
        assert other is node
        assert isinstance(kept, FdSet)
        assert os.readlink(f"/proc/self/fd/{kept.fd}") == str(tmp_path / "meant")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kept.fd)
    driver.handed[run.live.uuid]["mine"] = HandedFiles((passed,))
    with (
        pytest.raises(OperationFailedError, match="are closed"),
        descriptors.kept(driver, run, run.live.devices.disks, []),
    ):
        pass
