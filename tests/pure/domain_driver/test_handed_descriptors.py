"""Descriptors that a client handed over for a disk, and closed before QEMU had them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guesthouse.drivers.domain.disks import descriptors
from guesthouse.drivers.domain.guests import Guests
from guesthouse.drivers.domain.run import Run, Where
from guesthouse.errors import OperationFailedError
from guesthouse.model.domain.devices.handed_files import HandedFiles
from guesthouse.model.domain.document import parse_domain

GUEST = """<domain type='qemu'><name>g</name><uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file'>
  <source file='/d.img' fdgroup='mine'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


def test_a_group_that_was_closed_or_replaced_is_not_given_to_qemu() -> None:
    live = parse_domain(GUEST)
    run = Run(live, Where(*[Path(os.devnull)] * 4))
    group = HandedFiles((40, 41))
    assert live.devices.disks[0].source is not None
    live.devices.disks[0].source.handed = group
    driver = cast(Guests, SimpleNamespace(handed={live.uuid: {"mine": group}}))
    assert descriptors.descriptors_of(driver, run) == [40, 41]
    driver.handed[live.uuid]["mine"] = HandedFiles((40, 41))
    with pytest.raises(OperationFailedError, match="are closed"):
        descriptors.descriptors_of(driver, run)
    driver.handed.clear()
    with pytest.raises(OperationFailedError, match="are closed"):
        descriptors.descriptors_of(driver, run)
