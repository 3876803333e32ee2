"""Pools on servers with stock virsh: NFS and iSCSI, both ends of which are in the lab."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.support import output, until
from tests.lab.test_lab_pools_of_devices import beginning, names, numbers, refusal
from tests.support.daemon import Daemon

MEBIBYTE = 1 << 20
TARGET = "iqn.2026-01.org.example:disks"


@pytest.fixture(scope="module", autouse=True)
def loopback() -> None:
    output("ip", "link", "set", "lo", "up")


@pytest.fixture(scope="module")
def exported() -> Iterator[Path]:
    """A directory that the lab's kernel exports by NFS."""
    folder = Path("/srv/export")
    folder.mkdir(parents=True)
    output("mount", "-t", "tmpfs", "-o", "mode=777", "none", str(folder))
    Path("/etc/exports").write_text(f"{folder} *(rw,sync,no_subtree_check,no_root_squash,fsid=1)\n")
    for place in ("/run/rpcbind", "/var/lib/nfs/sm", "/var/lib/nfs/v4recovery", "/var/lib/nfs/rpc_pipefs"):
        Path(place).mkdir(parents=True, exist_ok=True)
    output("rpcbind", "-w")
    output("modprobe", "nfsd")
    output("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    output("exportfs", "-ra")
    output("rpc.nfsd", "2")
    output("rpc.mountd")
    yield folder
    output("rpc.nfsd", "0")


def test_nfs(host: Daemon, exported: Path, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    sources = ET.fromstring(host.virsh("find-storage-pool-sources-as", "netfs", "--host", "127.0.0.1").stdout)
    assert [found.get("path") for found in sources.iterfind("source/dir")] == [str(exported)]
    host.virsh(
        "pool-define-as", "nfs", "netfs", "--source-host", "127.0.0.1", "--source-path", str(exported),
        "--target", str(place), "--source-format", "nfs", "--source-protocol-ver", "3",
    )  # fmt: skip
    host.virsh("pool-build", "nfs")
    host.virsh("pool-start", "nfs")
    assert "nfs" in output("findmnt", "--noheadings", "-o", "FSTYPE", str(place))
    host.virsh("vol-create-as", "nfs", "disk.qcow2", "16M", "--format", "qcow2")
    assert (exported / "disk.qcow2").exists()

    # Who has a volume open keeps it when the pool stops.
    with (place / "disk.qcow2").open("rb") as image:
        host.virsh("pool-destroy", "nfs")
        assert image.read(3) == b"QFI"
    host.virsh("pool-start", "nfs")
    host.kill()
    host.start()
    assert names(host, "nfs") == ["disk.qcow2"]

    # A server that is gone makes the pool unavailable, and nothing else waits for it.
    output("rpc.nfsd", "0")
    refreshing = subprocess.Popen(
        ["virsh", "-c", host.uri, "pool-refresh", "nfs"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    asked = 0
    while refreshing.poll() is None:
        host.virsh("pool-list", "--all")
        asked += 1
        time.sleep(0.2)
    assert asked > 1, "the daemon answered while it waited for the server"
    _, errors = refreshing.communicate()
    assert refreshing.returncode == 1
    assert "the storage did not answer within" in errors
    assert "inaccessible" in host.virsh("pool-info", "nfs").stdout
    output("rpc.nfsd", "2")

    def answers() -> bool:
        return host.virsh("pool-refresh", "nfs", check=False).returncode == 0

    until(answers, "the server answers again")
    assert "running" in host.virsh("pool-info", "nfs").stdout
    assert names(host, "nfs") == ["disk.qcow2"]
    host.virsh("pool-destroy", "nfs")
    assert not os.path.ismount(place)
    host.virsh("pool-undefine", "nfs")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A target with one disk of 32 MiB, which lets in who knows the password."""
    disk = tmp_path_factory.mktemp("iscsi") / "disk"
    with disk.open("xb") as image:
        image.truncate(32 * MEBIBYTE)
    server = subprocess.Popen(["tgtd", "--foreground"], start_new_session=True)
    until(lambda: subprocess.run(["tgtadm", "--op", "show", "--mode", "sys"], capture_output=True).returncode == 0,
          "the iSCSI server answers")  # fmt: skip
    admin = ("tgtadm", "--lld", "iscsi")
    output(*admin, "--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET)
    output(*admin, "--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(disk))
    output(*admin, "--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
    output(*admin, "--op", "new", "--mode", "account", "--user", "lab", "--password", "opensesame12")
    output(*admin, "--op", "bind", "--mode", "account", "--tid", "1", "--user", "lab")
    output("modprobe", "iscsi_tcp")
    Path("/etc/iscsi/initiatorname.iscsi").write_text("InitiatorName=iqn.2026-01.org.example:lab\n")
    Path("/run/lock/iscsi").mkdir(parents=True, exist_ok=True)
    client = subprocess.Popen(["iscsid", "--foreground"], start_new_session=True)
    yield TARGET
    client.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGKILL)
    client.wait(30)
    server.wait(30)


@pytest.fixture(scope="module")
def password(host: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The UUID of the secret for the target."""
    document = tmp_path_factory.mktemp("secret") / "secret.xml"
    document.write_text(
        "<secret ephemeral='no' private='yes'><usage type='iscsi'><target>lab-chap</target></usage></secret>"
    )
    uuid = host.virsh("secret-define", str(document)).stdout.split()[1]
    yield uuid
    host.virsh("secret-undefine", uuid)


def tell_password(host: Daemon, secret: str, word: str) -> None:
    """Give the secret its value."""
    host.virsh("secret-set-value", secret, "--base64", base64.b64encode(word.encode()).decode())


def test_iscsi_without_the_kernel(host: Daemon, target: str, password: str) -> None:
    tell_password(host, password, "opensesame12")
    host.virsh(
        "pool-define-as", "direct", "iscsi-direct", "--source-host", "127.0.0.1", "--source-dev", target,
        "--source-initiator", "iqn.2026-01.org.example:direct", "--auth-type", "chap", "--auth-username", "lab",
        "--secret-usage", "lab-chap",
    )  # fmt: skip
    host.virsh("pool-start", "direct")
    assert names(host, "direct") == ["unit:0:0:1"]
    path = host.virsh("vol-path", "unit:0:0:1", "--pool", "direct").stdout.strip()
    assert path == f"ip-127.0.0.1:3260-iscsi-{target}-lun-1"
    assert numbers(host, "direct")["Capacity"] == 32 * MEBIBYTE
    assert not list(Path("/sys/class").glob("iscsi_session/*")), "the kernel has no session"
    host.virsh("pool-destroy", "direct")
    host.virsh("pool-undefine", "direct")


def test_iscsi(host: Daemon, target: str, password: str, tmp_path: Path) -> None:
    sources = ET.fromstring(host.virsh("find-storage-pool-sources-as", "iscsi", "--host", "127.0.0.1").stdout)
    assert [device.get("path") for device in sources.iterfind("source/device")] == [target]
    host.virsh(
        "pool-define-as", "san", "iscsi", "--source-host", "127.0.0.1", "--source-dev", target, "--target",
        "/dev/disk/by-path", "--auth-type", "chap", "--auth-username", "lab", "--secret-usage", "lab-chap",
    )  # fmt: skip
    tell_password(host, password, "wrongpassword")
    refusal(host, "pool-start", "san")
    assert "inactive" in host.virsh("pool-info", "san").stdout
    tell_password(host, password, "opensesame12")
    host.virsh("pool-start", "san")
    assert names(host, "san") == ["unit:0:0:1"]
    path = host.virsh("vol-path", "unit:0:0:1", "--pool", "san").stdout.strip()
    assert path == f"/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-{target}-lun-1"
    assert numbers(host, "san")["Capacity"] == 32 * MEBIBYTE
    (tmp_path / "content").write_bytes(b"guesthouse" * 1000)
    host.virsh("vol-upload", "unit:0:0:1", str(tmp_path / "content"), "--pool", "san")
    assert beginning(path) == b"guesthouse"

    # A disk that somebody has is not torn away.
    with Path(path).open("rb"):
        host.virsh("pool-destroy", "san")
        assert Path(path).exists()
    host.virsh("pool-start", "san")
    host.kill()
    host.start()
    assert names(host, "san") == ["unit:0:0:1"]
    host.virsh("pool-destroy", "san")
    until(lambda: not Path(path).exists(), "the disk is gone")
    host.virsh("pool-undefine", "san")
