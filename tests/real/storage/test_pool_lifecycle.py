"""Pools with real storage: a file system on a loop device, daemons that are killed, clients that wait for news."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need

MEBIBYTE = 1 << 20
DEADLINE = 60.0


@pytest.fixture
def mounting(short_path: Path) -> Iterator[Daemon]:
    """A daemon whose mounts nobody else sees, and that can mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    need("unshare", "nsenter", "losetup", "mkfs.ext4")
    daemon = Daemon(short_path / "root", prefix=("unshare", "--mount", "--propagation", "private"))
    try:
        yield daemon.start()
    finally:
        daemon.stop()


@contextlib.contextmanager
def loop_device(path: Path) -> Iterator[str]:
    """A block device of 32 MiB."""
    with path.open("xb") as image:
        image.truncate(32 * MEBIBYTE)
    done = subprocess.run(["losetup", "--find", "--show", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def refusal(daemon: Daemon, *command: str) -> str:
    """What our command says when it is refused."""
    done = daemon.guest(*command, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def until_logged(daemon: Daemon, text: str) -> None:
    """Wait until the daemon's log has a text: it is written beside the replies, not before them."""
    deadline = time.monotonic() + DEADLINE
    while text not in daemon.output:
        assert time.monotonic() < deadline, daemon.output
        time.sleep(0.02)


def mounts(daemon: Daemon) -> str:
    """What is mounted where the daemon lives."""
    return Path(f"/proc/{daemon.pid}/mounts").read_text()


def test_file_system(mounting: Daemon, short_path: Path) -> None:
    """Formatted only when asked, mounted while active, still mounted for who uses it, taken up after a crash."""
    place = short_path / "mounted"
    with loop_device(short_path / "disk") as device:
        mounting.guest(
            "pool-define-as", "fs", "fs", "--source-dev", device, "--source-format", "ext4", "--target", str(place)
        )
        mounting.guest("pool-build", "fs")
        assert "wrong fs type" in refusal(mounting, "pool-start", "fs")
        assert "inactive" in mounting.guest("pool-info", "fs").stdout
        mounting.guest("pool-build", "fs", "--no-overwrite")
        assert f"Device '{device}' already formatted using 'ext4'" in refusal(
            mounting, "pool-build", "fs", "--no-overwrite"
        )
        mounting.guest("pool-start", "fs")
        assert f"{device} {place} ext4 rw,nosuid,nodev,noexec" in mounts(mounting)
        mounting.guest("vol-create-as", "fs", "disk.img", "1M")
        assert "disk.img" in mounting.guest("vol-list", "fs").stdout

        # In use: the pool stops, and the file system stays for who has something open in it.
        user = subprocess.Popen(
            ["nsenter", "--target", str(mounting.pid), "--mount", "sh", "-c", f"exec 3<{place}/disk.img; echo; read x"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert user.stdout is not None
        user.stdout.readline()
        mounting.guest("pool-destroy", "fs")
        assert str(place) in mounts(mounting)
        until_logged(mounting, "stays mounted, because it is in use")
        user.communicate(b"\n")

        # A daemon is killed; what it mounted is gone with its view of the host here, and so the pool is not active.
        mounting.guest("pool-start", "fs")
        mounting.guest("pool-autostart", "fs")
        mounting.kill()
        mounting.start()
        assert "running" in mounting.guest("pool-info", "fs").stdout
        assert str(place) in mounts(mounting)
        mounting.guest("pool-destroy", "fs")
        assert str(place) not in mounts(mounting)
        mounting.guest("pool-delete", "fs")
        assert not place.exists()
        mounting.guest("pool-undefine", "fs")


def test_killed_between_attaching_and_knowing(daemon: Daemon, short_path: Path) -> None:
    """A status file of a pool whose start was cut off is taken up where its storage is there, and forgotten else."""
    for name in ("there", "gone"):
        (short_path / name).mkdir()
        daemon.guest("pool-create-as", name, "dir", "--target", str(short_path / name))
    daemon.kill()
    (short_path / "gone").rmdir()
    daemon.start()
    assert daemon.guest("pool-list", "--name").stdout.split() == ["there"]
    assert not (daemon.root / "run/storage/gone.xml").exists()
    assert (daemon.root / "run/storage/there.xml").exists()


def test_only_what_is_marked_starts_with_the_host(daemon: Daemon, short_path: Path) -> None:
    """After a reboot there are no status files."""
    for name in ("marked", "plain"):
        (short_path / name).mkdir()
        daemon.guest("pool-define-as", name, "dir", "--target", str(short_path / name))
        daemon.guest("pool-start", name)
    daemon.guest("pool-autostart", "marked")
    assert os.readlink(daemon.root / "etc/storage/autostart/marked.xml") == str(daemon.root / "etc/storage/marked.xml")
    daemon.terminate()
    for path in (daemon.root / "run/storage").glob("*.xml"):
        path.unlink()
    daemon.start()
    assert daemon.guest("pool-list", "--name").stdout.split() == ["marked"]


def test_definitions_that_come_to_disk(daemon: Daemon, short_path: Path) -> None:
    """A daemon that is asked to read its configuration again takes up what has come since."""
    (short_path / "late").mkdir()
    daemon.guest("pool-list")
    folder = daemon.root / "etc/storage"
    (folder / "late.xml").write_text(
        f"<pool type='dir'><name>late</name><target><path>{short_path}/late</path></target></pool>"
    )
    (folder / "autostart/late.xml").symlink_to(folder / "late.xml")
    (folder / "broken.xml").write_text("<pool type='dir'>")
    os.kill(daemon.pid, signal.SIGHUP)
    deadline = time.monotonic() + DEADLINE
    while "late" not in daemon.guest("pool-list", "--name").stdout.split():
        assert time.monotonic() < deadline, daemon.output
    until_logged(daemon, "the definition of storage pool 'broken' is not usable")


@pytest.mark.parametrize(("event", "news"), [("lifecycle", ": (Started|Stopped)"), ("refresh", "")])
def test_events(daemon: Daemon, short_path: Path, event: str, news: str) -> None:
    """Whoever waits for news of a pool hears what happens to it."""
    (short_path / "p").mkdir()
    daemon.guest("pool-define-as", "p", "dir", "--target", str(short_path / "p"))
    with subprocess.Popen(
        [str(BIN / "guest"), "-c", daemon.uri, "pool-event", "p", "--event", event], stdout=subprocess.PIPE, text=True
    ) as listener:
        deadline = time.monotonic() + DEADLINE
        while listener.poll() is None:
            assert time.monotonic() < deadline
            for command in ("start", "refresh", "destroy"):
                daemon.guest(f"pool-{command}", "p")
        assert listener.stdout is not None
        heard = listener.stdout.read()
    assert re.fullmatch(f"event '{event}' for storage pool p{news}\nevents received: 1\n+", heard)
