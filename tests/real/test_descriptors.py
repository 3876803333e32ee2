"""Calls that fail leave no descriptor open in the daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.daemon import SYSTEM_PYTHON, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

ASK = """
dom = conn.defineXML(open(sys.argv[2]).read())
dom.undefine()
codes = set()
for number in range(30):
    try:
        dom.openGraphicsFD(0)
    except libvirt.libvirtError as error:
        codes.add(error.get_error_code())
print(codes == {libvirt.VIR_ERR_NO_DOMAIN})
"""


def test_a_display_of_a_guest_that_is_gone(daemon: Daemon, tmp_path: Path) -> None:
    need("virsh", SYSTEM_PYTHON)
    document = tmp_path / "gone.xml"
    document.write_text(tiny_xml("gone"))
    daemon.virsh("list")
    before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    assert daemon.python(ASK, str(document)).stdout.strip() == "True"
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < before + 10
