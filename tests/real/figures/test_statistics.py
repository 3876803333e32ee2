"""Statistics of real guests: every group, of guests that run, that are off, and that do not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon
from tests.support.terminal import Terminal
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


def _stats(daemon: Daemon, *argv: str) -> dict[str, str]:
    text = daemon.virsh("domstats", *argv).stdout
    return dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "8M"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(top)], check=True)
    return base, top


def _define(daemon: Daemon, top: Path, tmp_path: Path) -> None:
    disk = f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>
      <target dev='vda' bus='virtio'/></disk>
      <interface type='user'><mac address='52:54:00:00:00:33'/><model type='virtio'/></interface>"""
    document = tmp_path / "guest.xml"
    document.write_text(tiny_xml("figures", devices=disk, extra="<iothreads>2</iothreads>"))
    daemon.virsh("define", str(document))


def test_a_guest_that_is_off_tells_how_large_its_images_are(
    daemon: Daemon, images: tuple[Path, Path], tmp_path: Path
) -> None:
    _, top = images
    _define(daemon, top, tmp_path)
    told = _stats(daemon, "figures")
    assert told["state.state"] == "5"
    assert told["block.count"] == "1"
    assert told["block.0.path"] == str(top)
    assert told["block.0.capacity"] == str(8 << 20)
    assert told["block.0.physical"] == str(top.stat().st_size)
    assert int(told["block.0.allocation"]) == top.stat().st_blocks * 512
    subprocess.run(["qemu-img", "resize", "-q", str(top), "16M"], check=True)
    assert _stats(daemon, "figures", "--block")["block.0.capacity"] == str(16 << 20)
    top.unlink()
    assert "block.0.capacity" not in _stats(daemon, "figures", "--block")


def test_a_running_guest_tells_everything(daemon: Daemon, images: tuple[Path, Path], tmp_path: Path) -> None:
    base, top = images
    _define(daemon, top, tmp_path)
    events = subprocess.Popen(
        [str(BIN / "guest"), "-c", daemon.uri, "event", "--all", "--loop", "--timeout", "100"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with Terminal(str(BIN / "guest"), "-c", daemon.uri, "start", "figures", "--console") as shell:
            shell.expect("login:", 90)
            shell.type("root\n")
            shell.expect("# ")
            daemon.virsh("domblkthreshold", "figures", "vda", "1MiB")
            assert _stats(daemon, "figures", "--block")["block.0.threshold"] == str(1 << 20)
            shell.type("dd if=/dev/urandom of=/dev/vda bs=64k count=40 2>/dev/null; sync; echo WROTE$?\n")
            shell.expect("WROTE0")
            daemon.guest("domdirtyrate-calc", "figures", "--seconds", "1")
            shell.type(
                "ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:44; ip link set eth0 up; echo M$?\n"
            )
            shell.expect("M0")
            time.sleep(1.5)
        told = _stats(daemon, "figures")
        assert int(told["block.0.wr.bytes"]) >= 40 * 65536
        assert int(told["block.0.allocation"]) > 1 << 20
        assert told["block.0.backingIndex"] == "1"
        assert told["iothread.count"] == "2"
        assert told["iothread.1.poll-max-ns"] == "32768"
        assert told["dirtyrate.calc_status"] == "2"
        assert told["dirtyrate.calc_mode"] == "page-sampling"
        assert "dirtyrate.megabytes_per_second" in told
        assert int(told["vcpu.0.time"]) > 0
        assert int(told["balloon.rss"]) > 0
        assert "stats.age" not in told
        threads = daemon.virsh("iothreadinfo", "figures").stdout
        assert daemon.virsh("domblkerror", "figures").stdout == "No errors found\n\n"
        chain = _stats(daemon, "figures", "--block", "--backing")
        assert chain["block.count"] == "2"
        assert chain["block.1.path"] == str(base)
        assert chain["block.1.backingIndex"] == "2"
        assert "block.1.rd.reqs" not in chain
        assert "currentAddress='52:54:00:00:00:44'" in daemon.virsh("dumpxml", "figures").stdout

        qemu = daemon.guest_processes()[0]
        os.kill(qemu, signal.SIGSTOP)
        try:
            before = time.monotonic()
            late = _stats(daemon, "figures")
            assert time.monotonic() - before < 2
            assert late["block.0.wr.bytes"] == told["block.0.wr.bytes"]
            first = int(late["stats.age"])
            time.sleep(0.3)
            assert int(_stats(daemon, "figures")["stats.age"]) >= first + 300
            assert daemon.virsh("iothreadinfo", "figures").stdout == threads
            assert daemon.virsh("domblkerror", "figures").stdout == "No errors found\n\n"
        finally:
            os.kill(qemu, signal.SIGCONT)
        assert "stats.age" not in _stats(daemon, "figures")
        daemon.virsh("destroy", "figures")
    finally:
        events.terminate()
        heard = events.communicate(timeout=20)[0]
    assert "'block-threshold' for domain 'figures': dev: vda(" in heard
    assert "dev: vda[1](" in heard
    assert "52:54:00:00:00:33" in heard
    assert "52:54:00:00:00:44" in heard


def test_what_cannot_be_watched_is_refused(daemon: Daemon, images: tuple[Path, Path], tmp_path: Path) -> None:
    _define(daemon, images[1], tmp_path)
    assert "domain is not running" in daemon.virsh("domdirtyrate-calc", "figures", check=False).stderr
    daemon.virsh("start", "figures", "--paused")
    for argv, text in (
        (
            ("domdirtyrate-calc", "figures", "--seconds", "61"),
            "seconds=61 is invalid, please choose value within [1, 60]",
        ),
        (("domdirtyrate-calc", "figures", "--mode", "dirty-ring"), "mode dirty-ring is not enabled"),
        (("domblkthreshold", "figures", "vdx", "1"), "failed to find disk 'vdx'"),
        (("domblkthreshold", "figures", "vda[9]", "1"), "can't be set for block device 'vda[9]'"),
    ):
        assert text in daemon.virsh(*argv, check=False).stderr
