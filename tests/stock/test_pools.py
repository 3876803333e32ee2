"""Pools of files with stock virsh: what virt-install and virt-manager need to use an image where it lies."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET  # our own daemon's documents
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need

pytestmark = pytest.mark.stock


@pytest.fixture
def images(short_path: Path) -> Path:
    need("virsh", "qemu-img")
    folder = short_path / "images"
    folder.mkdir()
    for arguments in (["base.qcow2", "64M"], ["-b", "base.qcow2", "-F", "qcow2", "over.qcow2"]):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *arguments], check=True, cwd=folder)
    (folder / "raw.img").write_bytes(bytes(1024))
    return folder


def define(daemon: Daemon, path: Path, name: str = "p") -> None:
    daemon.virsh("pool-define-as", name, "dir", "--target", str(path))


def refusal(daemon: Daemon, *command: str) -> str:
    done = daemon.virsh(*command, check=False)
    assert done.returncode == 1
    return done.stderr


def test_the_life_of_a_pool(daemon: Daemon, images: Path) -> None:
    define(daemon, images)
    assert "inactive" in daemon.virsh("pool-info", "p").stdout
    assert "storage pool 'p' is not active" in refusal(daemon, "vol-list", "p")
    daemon.virsh("pool-start", "p")
    assert "storage pool 'p' is already active" in refusal(daemon, "pool-start", "p")
    assert "storage pool 'p' is still active" in refusal(daemon, "pool-undefine", "p")
    assert "Storage source conflict with pool: 'p'" in refusal(
        daemon, "pool-define-as", "q", "dir", "--target", str(images)
    )
    (images / "new.img").write_bytes(bytes(10))
    assert "new.img" not in daemon.virsh("vol-list", "p").stdout
    daemon.virsh("pool-refresh", "p")
    assert "new.img" in daemon.virsh("vol-list", "p").stdout
    daemon.virsh("pool-destroy", "p")
    daemon.virsh("pool-undefine", "p")
    assert "no storage pool with matching name 'p'" in refusal(daemon, "pool-info", "p")
    assert (images / "raw.img").exists()


def test_volumes(daemon: Daemon, images: Path) -> None:
    define(daemon, images)
    daemon.virsh("pool-start", "p")
    over = str(images / "over.qcow2")
    root = ET.fromstring(daemon.virsh("vol-dumpxml", "over.qcow2", "p").stdout)
    assert root.findtext("capacity") == str(64 * 1024 * 1024)
    assert root.findtext("key") == root.findtext("target/path") == over
    assert root.findtext("backingStore/path") == str(images / "base.qcow2")
    assert daemon.virsh("vol-path", "over.qcow2", "--pool", "p").stdout.strip() == over
    assert daemon.virsh("vol-pool", over).stdout.strip() == "p"
    assert "1.00 KiB" in daemon.virsh("vol-info", "raw.img", "p").stdout
    assert "no storage vol with matching path '/nope'" in refusal(daemon, "vol-info", "/nope")
    (images / "raw.img").unlink()
    assert "no storage vol with matching path" in refusal(daemon, "vol-info", "raw.img", "p")


def test_a_pools_directory_is_made_and_removed(daemon: Daemon, short_path: Path) -> None:
    path = short_path / "made"
    define(daemon, path)
    assert f"cannot open directory '{path}': No such file or directory" in refusal(daemon, "pool-start", "p")
    daemon.virsh("pool-build", "p")
    assert path.stat().st_mode & 0o777 == 0o711
    daemon.virsh("pool-delete", "p")
    assert not path.exists()


def test_pools_outlive_the_daemon(daemon: Daemon, images: Path, short_path: Path) -> None:
    define(daemon, images)
    daemon.virsh("pool-start", "p")
    other = short_path / "other"
    shutil.copytree(images, other)
    daemon.virsh("pool-create-as", "transient", "dir", "--target", str(other))
    marked = short_path / "marked"
    marked.mkdir()
    define(daemon, marked, "marked")
    daemon.virsh("pool-autostart", "marked")
    daemon.kill()
    daemon.start()
    rows = [line.split() for line in daemon.virsh("pool-list", "--all", "--details").stdout.splitlines()[2:] if line]
    assert [row[:4] for row in rows] == [
        ["marked", "running", "yes", "yes"],
        ["p", "running", "no", "yes"],
        ["transient", "running", "no", "no"],
    ]
    assert "over.qcow2" in daemon.virsh("vol-list", "transient").stdout


def test_a_read_only_client_may_look_and_not_touch(daemon: Daemon, images: Path) -> None:
    define(daemon, images)
    assert "p" in daemon.virsh("pool-list", "--all", readonly=True).stdout
    done = daemon.virsh("pool-start", "p", readonly=True, check=False)
    assert "read only access prevents virStoragePoolCreate" in done.stderr


def test_volumes_are_made_copied_and_removed(daemon: Daemon, images: Path) -> None:
    define(daemon, images)
    daemon.virsh("pool-start", "p")
    daemon.virsh("vol-create-as", "p", "new.qcow2", "32M", "--format", "qcow2")
    daemon.virsh("vol-create-as", "p", "full.img", "1M")
    daemon.virsh("vol-create-as", "p", "sparse.img", "1M", "--allocation", "0")
    daemon.virsh("vol-clone", "new.qcow2", "copy.qcow2", "--pool", "p")
    info = subprocess.run(["qemu-img", "info", str(images / "copy.qcow2")], capture_output=True, text=True, check=True)
    assert "virtual size: 32 MiB" in info.stdout
    assert "file format: qcow2" in info.stdout
    blocks = [(images / name).stat().st_blocks * 512 for name in ("full.img", "sparse.img")]
    assert blocks[0] >= 1024 * 1024 > blocks[1]
    assert (images / "full.img").stat().st_mode & 0o777 == 0o600
    assert "storage volume 'new.qcow2' exists already" in refusal(daemon, "vol-create-as", "p", "new.qcow2", "1M")
    assert "volume name 'a/b' cannot contain '/'" in refusal(daemon, "vol-create-as", "p", "a/b", "1M")
    assert "unknown volume format type foo" in refusal(daemon, "vol-create-as", "p", "x", "1M", "--format", "foo")
    daemon.virsh("vol-delete", "copy.qcow2", "p")
    assert sorted(path.name for path in images.iterdir()) == [
        "base.qcow2", "full.img", "new.qcow2", "over.qcow2", "raw.img", "sparse.img",
    ]  # fmt: skip


def test_an_image_that_is_there_is_not_replaced(daemon: Daemon, images: Path) -> None:
    """Even when the pool does not know of it yet."""
    define(daemon, images)
    daemon.virsh("pool-start", "p")
    (images / "late.img").write_text("mine")
    assert "late.img' already exists" in refusal(daemon, "vol-create-as", "p", "late.img", "1M")
    assert (images / "late.img").read_text() == "mine"
    assert not list(images.glob(".guesthouse-*"))


def test_a_volume_on_another(daemon: Daemon, images: Path) -> None:
    define(daemon, images)
    daemon.virsh("pool-start", "p")
    layer = ["--backing-vol", "base.qcow2", "--backing-vol-format", "qcow2"]
    daemon.virsh("vol-create-as", "p", "layer.qcow2", "64M", "--format", "qcow2", *layer)
    root = ET.fromstring(daemon.virsh("vol-dumpxml", "layer.qcow2", "p").stdout)
    assert root.findtext("backingStore/path") == str(images / "base.qcow2")
