"""A daemon that is killed in the middle of a change of devices: the next one knows exactly what QEMU has."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]

DEVICES = """<controller type='scsi' index='0' model='virtio-scsi'/>
<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"""

#: How long after the client began the daemon is killed, in seconds: before, amidst and behind the change.
MOMENTS = (0.022, 0.027, 0.032, 0.038, 0.046)


class Host:
    """A daemon with one paused guest, which SCSI devices come to and go from without the guest's consent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon = Daemon(folder / "root").start()
        document = folder / "guest.xml"
        document.write_text(tiny_xml("guest", devices=DEVICES))
        self.daemon.virsh("define", str(document))
        self.daemon.virsh("start", "guest", "--paused")

    def image(self, name: str) -> str:
        path = self.folder / name
        with path.open("wb") as stream:
            stream.truncate(1 << 20)
        return str(path)

    def ask(self, command: str, **arguments: str) -> str:
        text = json.dumps({"execute": command, "arguments": arguments})
        return self.daemon.virsh("qemu-monitor-command", "guest", text).stdout

    def plugged(self) -> str:
        return self.ask("qom-list", path="/machine/peripheral")

    def nodes(self) -> list[str]:
        return re.findall(r'"node-name": ?"(libvirt-[^"]+)"', self.ask("query-named-block-nodes"))

    def live(self) -> str:
        return self.daemon.virsh("dumpxml", "guest").stdout

    def defined(self) -> str:
        return self.daemon.virsh("dumpxml", "--inactive", "guest").stdout

    def killed_during(self, moment: float, *argv: str) -> None:
        """Begin a command, kill the daemon, and start another."""
        client = subprocess.Popen(
            ["virsh", "-c", self.daemon.uri, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moment)
        self.daemon.kill()
        client.wait(30)
        self.daemon.start()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Host(Path(folder))
        try:
            yield made
        finally:
            made.daemon.stop()


def test_killed_while_a_disk_comes_or_goes(host: Host) -> None:
    image = host.image("disk.img")
    seen = set()
    for moment in MOMENTS:
        for action in ("attach", "detach"):
            if action == "attach":
                host.killed_during(moment, "attach-disk", "guest", image, "sdb", "--targetbus", "scsi", "--persistent")
            else:
                host.killed_during(moment, "detach-disk", "guest", "sdb", "--persistent")
            there = "scsi0-0-0-1" in host.plugged()
            assert (image in host.live()) == there, (action, moment)
            assert bool(host.nodes()) == there, (action, moment)
            assert (image in host.defined()) == there, (action, moment)
            assert "<change" not in (host.daemon.root / "run/qemu/guest.xml").read_text()
            seen.add((action, there))
            wanted = action == "attach"
            if there != wanted:
                verb = (
                    ["attach-disk", "guest", image, "sdb", "--targetbus", "scsi"]
                    if wanted
                    else ["detach-disk", "guest", "sdb"]
                )
                host.daemon.virsh(*verb, "--persistent")
    assert len(seen) > 1  # some changes were cut off, or came about, at least


def test_killed_while_a_disc_is_changed(host: Host) -> None:
    discs = [host.image("one.iso"), host.image("two.iso")]
    for number, moment in enumerate(MOMENTS):
        disc = discs[number % 2]
        host.killed_during(moment, "change-media", "guest", "sda", disc, "--update", "--live")
        shown = re.findall(
            r"<source file='([^']+)' index='(\d+)'/>\s*(?:<backingStore/>\s*)?<target dev='sda'", host.live()
        )
        inside = json.loads(host.ask("query-block"))["return"]
        drive = next(entry for entry in inside if entry.get("qdev", "") == "scsi0-0-0-0")
        medium = drive.get("inserted", {})
        assert [path for path, _index in shown] == ([medium["file"]] if medium else []), moment
        assert [f"libvirt-{index}-storage" for _path, index in shown] == host.nodes()


def test_released_while_nobody_listened(host: Host) -> None:
    image = host.image("gone.img")
    host.daemon.virsh("attach-disk", "guest", image, "sdc", "--targetbus", "scsi")
    monitor = next(host.daemon.root.glob("lib/qemu/domain-*/monitor.sock"))
    host.daemon.kill()
    _device_del(monitor, "scsi0-0-0-2")
    host.daemon.start()
    assert image not in host.live()
    assert not [node for node in host.nodes() if image in host.ask("query-named-block-nodes") and node]


def test_qemu_that_does_not_answer(host: Host) -> None:
    """The call fails in time; what QEMU does with it afterwards is taken back."""
    image = host.image("frozen.img")
    (pid,) = host.daemon.guest_processes()
    os.kill(pid, signal.SIGSTOP)
    try:
        done = host.daemon.virsh("attach-disk", "guest", image, "sdd", "--targetbus", "scsi", check=False)
        assert "Timed out" in done.stderr
        assert image not in host.live()
        assert "<change" in (host.daemon.root / "run/qemu/guest.xml").read_text()
        refused = host.daemon.virsh("attach-disk", "guest", image, "sde", "--targetbus", "scsi", check=False)
        assert "is not settled yet" in refused.stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 10
    while "<change" in (host.daemon.root / "run/qemu/guest.xml").read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert image not in host.live()
    assert image not in host.ask("query-named-block-nodes")
    host.daemon.virsh("attach-disk", "guest", image, "sdd", "--targetbus", "scsi")
    assert image in host.live()


def _device_del(monitor: Path, alias: str) -> None:
    """Tell QEMU what a daemon would tell it."""
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(monitor))
        stream = connection.makefile("rw")
        stream.readline()
        for command in ({"execute": "qmp_capabilities"}, {"execute": "device_del", "arguments": {"id": alias}}):
            stream.write(json.dumps(command) + "\n")
            stream.flush()
            while '"return"' not in stream.readline():
                pass
