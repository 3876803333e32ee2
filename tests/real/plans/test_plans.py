"""`guest plan` and `guest edit` tell what a new definition would do to a running guest, and do nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon
from tests.support.tiny import AGENT_CHANNEL

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

GUEST = """<domain type='qemu'><name>p</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <memory unit='MiB'>64</memory><vcpu current='1'>4</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/></interface>
    <graphics type='vnc' passwd='secret'/>
  </devices></domain>"""

CHANGES = {
    "current='1'": "current='2'",
    ">64<": ">96<",
    "<features>": "<title>told</title><features>",
    "<graphics": "<rng model='virtio'><backend model='builtin'/></rng><sound model='ich9'/><graphics",
    "'secret'": "'other'",
    "cdrom'>": "cdrom'><source file='{disk}'/>",
    "<model type='virtio'/>": "<model type='e1000e'/><link state='down'/>",
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    disk, guest = tmp_path / "disk.raw", tmp_path / "guest.xml"
    with disk.open("wb") as image:
        image.truncate(1 << 20)
    guest.write_text(GUEST.format(disk=disk))
    return disk, guest


def _plan(daemon: Daemon, document: Path, *, check: bool = True) -> dict[str, dict[str, str | None]]:
    answer = json.loads(daemon.guest("plan", "p", str(document), "--json", check=check).stdout)
    return {change["path"]: change for change in answer}


def test_a_plan_for_a_running_guest(daemon: Daemon, files: tuple[Path, Path], tmp_path: Path) -> None:
    disk, document = files
    document.write_text(document.read_text().replace("<graphics", f"{AGENT_CHANNEL}<graphics"))
    daemon.virsh("define", str(document))
    daemon.virsh("start", "p")
    assert _plan(daemon, document) == {}
    daemon.kill()
    daemon.start()
    assert _plan(daemon, document) == {}

    text = document.read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new.format(disk=disk), 1)
    (tmp_path / "new.xml").write_text(text)
    live, kept = (daemon.virsh("dumpxml", "p", *flags).stdout for flags in ((), ("--inactive",)))
    told = _plan(daemon, tmp_path / "new.xml")
    card = "devices/interface[52:54:00:00:00:07]"
    assert {path: (change["verdict"], change["how"]) for path, change in told.items()} == {
        "memory": ("restart", None),
        "currentMemory": ("restart", None),
        "vcpu/@current": ("now", "setvcpus 2 --live"),
        "title": ("now", "desc --live"),
        "devices/disk[sda]/driver/@type": ("now", "change-media --live"),
        "devices/disk[sda]/source": ("now", "change-media --live"),
        f"{card}/model/@type": ("restart", None),
        f"{card}/link": ("now", "domif-setlink"),
        "devices/graphics[vnc]/@passwd": ("now", "update-device --live"),
        "devices/rng": ("now", "attach-device --live"),
        "devices/sound": ("restart", None),
    }
    assert "other" not in json.dumps(told)
    assert "live attach of device 'sound' is not supported" in str(told["devices/sound"]["reason"])
    assert live == daemon.virsh("dumpxml", "p").stdout
    assert kept == daemon.virsh("dumpxml", "p", "--inactive").stdout

    table = daemon.guest("plan", "p", str(tmp_path / "new.xml")).stdout
    assert "needs a restart" in table
    assert "guest setvcpus p 2 --live" in table
    daemon.guest("setvcpus", "p", "2", "--live")
    assert "vcpu/@current" not in _plan(daemon, tmp_path / "new.xml")
    daemon.virsh("destroy", "p")
    assert {change["verdict"] for change in _plan(daemon, tmp_path / "new.xml").values()} == {"now"}


def test_what_cannot_be_is_impossible(daemon: Daemon, files: tuple[Path, Path], tmp_path: Path) -> None:
    _, document = files
    daemon.virsh("define", str(document))
    wrong = tmp_path / "wrong.xml"
    wrong.write_text(document.read_text().replace("'q35'", "'q36'"))
    [change] = _plan(daemon, wrong, check=False).values()
    assert change["verdict"] == "impossible"
    assert "does not support machine type 'q36'" in str(change["reason"])
    wrong.write_text(document.read_text().replace("c7a5", "d7a5").replace("<name>p<", "<name>q<"))
    told = _plan(daemon, wrong, check=False)
    assert {path: change["verdict"] for path, change in told.items()} == {"name": "impossible", "uuid": "impossible"}
    wrong.write_text("<domain")
    assert daemon.guest("plan", "p", str(wrong), check=False).returncode == 1


def test_edit_tells_before_it_stores(daemon: Daemon, files: tuple[Path, Path]) -> None:
    daemon.virsh("define", str(files[1]))
    daemon.virsh("start", "p")
    argv = [str(BIN / "guest"), "-c", daemon.uri, "edit", "p"]
    environment = {"PATH": "/usr/bin:/bin", "VISUAL": "sed -i s/type=.virtio./type=\\'e1000e\\'/"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("XML configuration edited")
    assert "needs a restart   devices/interface[52:54:00:00:00:07]/model/@type" in before
    assert "Verdict" not in after
