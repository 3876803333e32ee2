"""The daemon is killed while it takes a device of the host for a guest: the next one gives it back.

There is no such device here: `/sys/bus/pci` is a tree of files, and a pipe that nobody reads stands for a kernel that
takes its time.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.children import running_child
from tests.support.daemon import Daemon, need
from tests.support.host_tree import write
from tests.support.tiny import tiny_xml
from tests.support.tiny_console import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(100)]

CARD = "0000:7d:1f.6"
HOSTDEV = f"""<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0x{CARD[:4]}' bus='0x{CARD[5:7]}' slot='0x{CARD[8:10]}' function='0x{CARD[11]}'/></source>
</hostdev>"""


def bus(folder: Path) -> Path:
    """A bus with one card, which has its own driver."""
    device = folder / "devices" / CARD
    for name, text in (("class", "0x020000"), ("modalias", "pci:v00008086d000010C9"), ("driver_override", "(null)")):
        write(device / name, text)
    (device / "config").write_bytes(bytes(4096))
    write(folder / "drivers/igb/unbind", "")
    (device / "driver").symlink_to(folder / "drivers/igb")
    return folder


def test_killed_while_the_driver_changes(short_path: Path) -> None:
    need("virsh", "unshare")
    if os.geteuid() != 0:
        pytest.skip("needs root to have a bus of its own")
    made = bus(short_path / "bus")
    override = made / "devices" / CARD / "driver_override"
    probe = made / "drivers_probe"
    os.mkfifo(probe)
    mounted = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /sys/bus/pci && exec "$@"', str(made))
    daemon = Daemon(short_path / "root", prefix=mounted)
    (short_path / "web.xml").write_text(tiny_xml("web", devices=HOSTDEV, memory=64))
    status = short_path / "root/run/qemu/web.xml"
    try:
        daemon.start()
        daemon.virsh("define", str(short_path / "web.xml"))
        with running_child(["virsh", "-c", daemon.uri, "start", "web"]):
            eventually(lambda: override.read_text().startswith("vfio-pci"))
            assert "taken='yes'" in status.read_text()
            daemon.kill()
        probe.unlink()
        write(probe, "")
        daemon.start()
        eventually(lambda: override.read_text().startswith("\n"))
        assert probe.read_text() == "\n"  # its own driver still had it, and was left alone
        assert not status.exists()
        refused = daemon.virsh("start", "web", check=False)
        assert f"PCI device {CARD} could not be bound to driver 'vfio-pci'" in refused.stderr
        eventually(lambda: override.read_text().startswith("\n"))
        assert daemon.virsh("domstate", "web").stdout == "shut off\n\n"
    finally:
        daemon.stop()
