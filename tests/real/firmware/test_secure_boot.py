"""A guest with secure boot and enrolled keys, chosen from the host's firmware, reaches the firmware's own menu."""

from __future__ import annotations

import contextlib
import os
import select
import time
import tty
from pathlib import Path

import pytest

from guesthouse.model.domain.defaults import FirmwareWish
from guesthouse.qemu import firmware
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

DOMAIN = """<domain type='qemu'>
  <name>sealed</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='q35'>hvm</type>
    <firmware>
      <feature enabled='yes' name='enrolled-keys'/>
      <feature enabled='yes' name='secure-boot'/>
    </firmware>
  </os>
  <features><acpi/></features>
  <devices>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
  </devices>
</domain>
"""


def _reaches_menu(daemon: Daemon) -> None:
    terminal = os.open(daemon.virsh("ttyconsole", "sealed").stdout.strip(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        tty.setraw(terminal)
        seen, end = "", time.monotonic() + 90
        while "Boot Manager" not in seen:
            assert time.monotonic() < end, f"the firmware shows no menu: {seen[-500:]!r}"
            if select.select([terminal], [], [], 1.0)[0]:
                with contextlib.suppress(BlockingIOError):
                    seen += os.read(terminal, 65536).decode(errors="replace")
            if "any key" in seen or "No bootable option" in seen:
                os.write(terminal, b"\r")
    finally:
        os.close(terminal)


def test_it_reaches_the_menu_and_keeps_its_variables(daemon: Daemon, tmp_path: Path) -> None:
    wish = FirmwareWish("efi", "x86_64", "pc-q35-10.0", {"secure-boot": True, "enrolled-keys": True})
    chosen = firmware.choose(firmware.read(), wish)
    if chosen is None:
        pytest.skip("no firmware with enrolled keys is installed (Debian: ovmf)")
    path = tmp_path / "sealed.xml"
    path.write_text(DOMAIN)
    daemon.virsh("define", str(path))
    kept = daemon.virsh("dumpxml", "sealed").stdout
    assert f"<loader readonly='yes' secure='yes' type='pflash' format='{chosen.format}'>{chosen.executable}<" in kept
    assert "<smm state='on'/>" in kept
    variables = Path(kept.partition("<nvram ")[2].partition(">")[2].partition("<")[0])
    assert not variables.exists()

    daemon.virsh("start", "sealed")
    _reaches_menu(daemon)
    daemon.virsh("destroy", "sealed")
    made, written = variables.stat().st_ino, variables.read_bytes()
    assert written != Path(chosen.template or "").read_bytes()

    daemon.virsh("start", "sealed")
    assert variables.stat().st_ino == made
    daemon.virsh("destroy", "sealed")
    assert daemon.virsh("dumpxml", "sealed").stdout == kept

    refused = daemon.virsh("undefine", "sealed", check=False)
    assert "cannot undefine domain with nvram" in refused.stderr
    daemon.guest("undefine", "sealed", "--nvram")
    assert not variables.exists()
