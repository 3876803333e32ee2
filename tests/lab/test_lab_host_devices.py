"""Other devices of the host that guests get: a USB stick, a SCSI disk, a card under a VLAN; and the kernel's KVM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.support import create_paused, idle_guest, output, until
from tests.support.daemon import Daemon


@pytest.fixture
def vlan() -> Iterator[str]:
    """A VLAN on the second card."""
    [card] = [
        path.parent.parent.name
        for path in Path("/sys/class/net").glob("*/device/driver")
        if path.resolve().name == "e1000e"
    ]
    output("ip", "link", "set", card, "up")
    output("ip", "link", "add", "link", card, "name", f"{card}.7", "type", "vlan", "id", "7")
    output("ip", "link", "set", f"{card}.7", "up")
    yield f"{card}.7"
    output("ip", "link", "delete", f"{card}.7")


def test_usb_stick(host: Daemon, tmp_path: Path) -> None:
    controller = "<controller type='usb' model='qemu-xhci'/>"
    stick = (
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x46f4'/><product id='0x0001'/></source></hostdev>"
    )
    create_paused(host, tmp_path, idle_guest("stick", controller + stick))
    try:
        assert "usb-host" in host.virsh("qemu-monitor-command", "stick", "--hmp", "info qtree").stdout
        assert "QEMU USB" in host.virsh("qemu-monitor-command", "stick", "--hmp", "info usb").stdout
    finally:
        host.virsh("destroy", "stick")


def test_scsi_disk(host: Daemon, tmp_path: Path) -> None:
    output("modprobe", "scsi_debug", "dev_size_mb=8")
    disks = Path("/sys/bus/pseudo/drivers/scsi_debug/adapter0")
    until(lambda: any(disks.glob("host*/target*/*:*:*:*/scsi_generic/*")), "the disk is there")
    [disk] = [path.name for path in disks.glob("host*/target*/*:*:*:*")]
    number, bus, target, unit = disk.split(":")
    source = f"<adapter name='scsi_host{number}'/><address bus='{bus}' target='{target}' unit='{unit}'/>"
    device = f"<hostdev mode='subsystem' type='scsi'><source>{source}</source></hostdev>"
    create_paused(host, tmp_path, idle_guest("disk", "<controller type='scsi' model='virtio-scsi'/>" + device))
    try:
        assert "scsi-generic" in host.virsh("qemu-monitor-command", "disk", "--hmp", "info qtree").stdout
    finally:
        host.virsh("destroy", "disk")


def test_macvtap_on_a_vlan(host: Daemon, tmp_path: Path, vlan: str) -> None:
    interface = f"<interface type='direct'><source dev='{vlan}' mode='bridge'/><target dev='tagged0'/></interface>"
    create_paused(host, tmp_path, idle_guest("tagged", interface))
    try:
        assert f"tagged0@{vlan}" in output("ip", "link", "show", "type", "macvtap")
    finally:
        host.virsh("destroy", "tagged")
    assert "tagged0" not in output("ip", "link", "show")


def test_guest_under_kvm(host: Daemon, tmp_path: Path) -> None:
    if not Path("/dev/kvm").exists():
        pytest.skip("the lab's processor has no virtualization")
    if host.virsh("domcapabilities", "--virttype", "kvm", check=False).returncode:
        pytest.skip("KVM of a busy TCG is too slow for the trial that judges it")
    create_paused(host, tmp_path, idle_guest("accelerated", "", kind="kvm"))
    try:
        host.virsh("resume", "accelerated")
        assert "kvm support: enabled" in host.virsh("qemu-monitor-command", "accelerated", "--hmp", "info kvm").stdout
    finally:
        host.virsh("destroy", "accelerated")
