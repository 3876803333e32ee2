"""A daemon that is killed in the middle of a block job: the next one picks it up, or finishes what followed from it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]

UUID = "7d0a4b93-3c7d-4c92-8867-f2f24371871f"
#: Slow enough that no job ends by itself: bytes a second for images that hold 2 MiB.
SLOW = "65536"
#: QEMU's ids of the jobs, and what it says of one that has ended.
COPY, PULL = "copy-vda-libvirt-1-format", "pull-vda-libvirt-1-format"
CONCLUDED = '"status": "concluded"'
#: How long after a client began the daemon is killed, in seconds: before, amidst or behind what was asked.
MOMENTS = (0.03, 0.05)


class Host:
    """A daemon with one paused guest, whose disk lies on a chain of three images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon = Daemon(folder / "root").start()
        kept = folder / "kept"
        kept.mkdir()
        for name, below, place in (("base", None, "0"), ("middle", "base", "2M"), ("top", "middle", "4M")):
            path = kept / f"{name}.qcow2"
            under = ["-b", f"{below}.qcow2", "-F", "qcow2"] if below else []
            _run("qemu-img", "create", "-q", "-f", "qcow2", *under, path, *([] if below else ["8M"]))
            _run("qemu-io", "-f", "qcow2", "-c", f"write -P {ord(name[0])} {place} 2M", path)
        (folder / "guest.xml").write_text(
            f"<domain type='qemu'><name>guest</name><uuid>{UUID}</uuid><memory unit='MiB'>32</memory>"
            "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
            "<controller type='scsi' model='virtio-scsi'/><disk type='file'>"
            f"<driver name='qemu' type='qcow2'/><source file='{folder}/top.qcow2'/><target dev='vda'/></disk>"
            "</devices></domain>"
        )

    def renew(self) -> None:
        """The guest and its images as they were at the beginning."""
        if self.daemon.process is None:
            self.daemon.start()
        self.daemon.virsh("destroy", "guest", check=False)
        for name in ("base", "middle", "top"):
            shutil.copy(self.folder / "kept" / f"{name}.qcow2", self.folder)
        (self.folder / "copy.qcow2").unlink(missing_ok=True)
        self.daemon.virsh("define", str(self.folder / "guest.xml"))
        self.daemon.virsh("start", "guest", "--paused")

    def copy(self, *options: str) -> None:
        target = str(self.folder / "copy.qcow2")
        self.daemon.virsh("blockcopy", "guest", "vda", target, "--transient-job", *options)

    @property
    def status(self) -> Path:
        """The guest's status file."""
        return next(self.daemon.root.rglob("run/**/guest.xml"))

    def images(self, *flags: str) -> list[str]:
        """The names of the images that the disk's XML names."""
        text = self.daemon.virsh("dumpxml", "guest", *flags).stdout
        return re.findall(r"<source file='[^']*/([a-z]+)\.qcow2'", re.sub(r"(?s)<mirror.*?</mirror>", "", text))

    def nodes(self) -> list[str]:
        """The images that QEMU has open."""
        return sorted(
            _name(node["file"])
            for node in self.ask("query-named-block-nodes")
            if str(node["node-name"]).endswith("-format")
        )

    def drive(self) -> str:
        """The image that the drive is on."""
        inserted = self.ask("query-block")[0]["inserted"]
        assert isinstance(inserted, dict)
        return _name(inserted["file"])

    def ask(self, command: str) -> list[dict[str, object]]:
        told = self.daemon.virsh("qemu-monitor-command", "guest", json.dumps({"execute": command})).stdout
        answer = json.loads(told)["return"]
        assert isinstance(answer, list)
        return answer

    def job(self) -> dict[str, object] | None:
        found = json.loads(self.daemon.guest("blockjob", "guest", "vda", "--json").stdout)
        assert found is None or isinstance(found, dict)
        return found

    def until(self, ready: str) -> None:
        """Wait until the disk's mirror says this of its state, or is gone (empty)."""
        deadline = time.monotonic() + 30
        while True:
            text = self.daemon.virsh("dumpxml", "guest").stdout
            if f" ready='{ready}'" in text if ready else "<mirror" not in text:
                return
            assert time.monotonic() < deadline, text
            time.sleep(0.05)

    def qemu(self, *commands: tuple[str, dict[str, object]], until: str) -> None:
        """Say this to the QEMU whose daemon is dead, and wait until `until` is in what it tells of its jobs."""
        path = next(self.daemon.root.rglob("monitor.sock"))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            stream = connection.makefile("rw")
            stream.readline()
            for name, arguments in (("qmp_capabilities", {}), *commands):
                _say(stream, name, arguments)
            deadline = time.monotonic() + 30
            while until not in (told := _say(stream, "query-jobs", {})):
                assert time.monotonic() < deadline, told
                time.sleep(0.02)


def _name(file: object) -> str:
    """The image's name in a path, or in what QEMU tells as JSON."""
    return str(re.findall(r"([a-z]+)\.qcow2", str(file))[-1])


def _say(stream: object, name: str, arguments: dict[str, object]) -> str:
    stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")  # type: ignore[attr-defined] # a file
    stream.flush()  # type: ignore[attr-defined]
    while '"event"' in (line := str(stream.readline())):  # type: ignore[attr-defined]
        continue
    assert not line.startswith('{"error"'), line
    return line


def _run(*argv: object) -> None:
    subprocess.run([*map(str, argv)], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    need("virsh", "qemu-img", "qemu-io")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Host(Path(folder))
        try:
            yield made
        finally:
            made.daemon.stop()


def test_a_copy_goes_on(host: Host) -> None:
    host.renew()
    host.copy(SLOW, "--bytes")
    host.daemon.kill()
    host.daemon.start()
    job = host.job()
    assert job is not None
    assert (job["type"], job["bandwidth"]) == ("copy", int(SLOW))
    refused = host.daemon.virsh("blockpull", "guest", "vda", check=False).stderr
    assert "disk 'vda' already in active block job" in refused
    host.daemon.virsh("blockjob", "guest", "vda", "0")
    host.until("yes")
    host.daemon.virsh("blockjob", "guest", "vda", "--pivot")
    assert (host.images(), host.images("--inactive"), host.drive()) == (["copy"], ["copy"], "copy")
    assert host.nodes() == ["copy"]


def test_a_copy_becomes_ready_and_pivots_while_nobody_listens(host: Host) -> None:
    host.renew()
    host.copy("--wait")
    host.daemon.kill()
    host.qemu(("job-complete", {"id": COPY}), until=CONCLUDED)
    host.daemon.start()
    host.until("")
    assert (host.images(), host.images("--inactive"), host.drive()) == (["copy"], ["copy"], "copy")
    assert (host.nodes(), host.job(), host.ask("query-jobs")) == (["copy"], None, [])


@pytest.mark.parametrize(("word", "left"), [("pivoting", ["copy"]), ("aborting", ["top", "middle", "base"])])
def test_an_order_that_did_not_reach_qemu_is_given_again(host: Host, word: str, left: list[str]) -> None:
    host.renew()
    host.copy("--wait")
    host.daemon.kill()
    text = host.status.read_text()
    assert " state='ready' " in text
    host.status.write_text(text.replace(" state='ready' ", f" state='{word}' former='ready' "))
    host.daemon.start()
    host.until("")
    assert (host.images(), host.drive(), host.nodes()) == (left, left[0], sorted(left))


def test_a_pull_ends_while_nobody_listens(host: Host) -> None:
    host.renew()
    host.daemon.virsh("blockpull", "guest", "vda", SLOW, "--bytes", "--base", "vda[3]")
    host.daemon.kill()
    host.qemu(("block-job-set-speed", {"device": PULL, "speed": 0}), until=CONCLUDED)
    host.daemon.start()
    deadline = time.monotonic() + 20
    while host.job() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (host.images(), host.images("--inactive"), host.nodes()) == (["top", "base"], ["top"], ["base", "top"])


def test_a_job_that_qemu_never_had(host: Host) -> None:
    """The daemon dies when the copy's image is there and the job is not."""
    host.renew()
    host.copy("--wait")
    host.daemon.kill()
    text = host.status.read_text()
    host.qemu(("block-job-cancel", {"device": COPY, "force": True}), until=CONCLUDED)
    host.qemu(("job-dismiss", {"id": COPY}), until="[]")
    orders = "".join(
        f'<order name=\'blockdev-del\'>{{"node-name":"libvirt-4-{part}"}}</order>' for part in ("format", "storage")
    )
    left = f"<aftermath>{orders}<file>{host.folder}/copy.qcow2</file></aftermath>"
    host.status.write_text(
        text.replace(" state='ready' ", " state='new' ").replace(
            "<disk dst='vda' mirror='yes'/>", f"<disk dst='vda' mirror='yes'/>{left}"
        )
    )
    host.daemon.start()
    host.until("")
    assert (host.images(), host.nodes()) == (["top", "middle", "base"], ["base", "middle", "top"])
    assert not (host.folder / "copy.qcow2").exists()


def test_a_copy_whose_target_fails(host: Host) -> None:
    """The guest stays where it was, and nothing of the copy stays in QEMU."""
    need("qemu-nbd")
    host.renew()
    raw, path, document = host.folder / "target.raw", host.folder / "nbd.sock", host.folder / "target.xml"
    with raw.open("wb") as stream:
        stream.truncate(8 << 20)
    document.write_text(
        "<disk type='network'><driver type='raw'/><source protocol='nbd' name='target'>"
        f"<host transport='unix' socket='{path}'/></source></disk>"
    )
    server = subprocess.Popen(["qemu-nbd", "-f", "raw", "-k", str(path), "-x", "target", "-t", str(raw)])
    try:
        while not path.exists():
            assert server.poll() is None
            time.sleep(0.01)
        options = ("--transient-job", "--reuse-external", "--bandwidth", SLOW, "--bytes")
        host.daemon.virsh("blockcopy", "guest", "vda", "--xml", str(document), *options)
    finally:
        server.kill()
        server.wait(10)
    host.daemon.virsh("blockjob", "guest", "vda", "0", check=False)  # what was under way may have failed already
    host.until("")
    assert (host.images(), host.nodes()) == (["top", "middle", "base"], ["base", "middle", "top"])
    assert "of domain 'guest' failed: " in host.daemon.output


def test_a_disk_that_goes_while_it_is_copied(host: Host) -> None:
    host.renew()
    for name in ("plugged", "copied"):
        (host.folder / f"{name}.qcow2").unlink(missing_ok=True)
    image = host.folder / "plugged.qcow2"
    shutil.copy(host.folder / "base.qcow2", image)
    host.daemon.virsh("attach-disk", "guest", str(image), "sdb", "--targetbus", "scsi", "--subdriver", "qcow2")
    target = str(host.folder / "copied.qcow2")
    host.daemon.virsh("blockcopy", "guest", "sdb", target, SLOW, "--bytes", "--transient-job")
    assert {"plugged", "copied"} <= set(host.nodes())
    gone = {"execute": "device_del", "arguments": {"id": "scsi0-0-0-1"}}
    host.daemon.virsh("qemu-monitor-command", "guest", json.dumps(gone))
    deadline = time.monotonic() + 30
    while (host.nodes(), host.ask("query-jobs")) != (["base", "middle", "top"], []):
        assert time.monotonic() < deadline, (host.nodes(), host.ask("query-jobs"))
        time.sleep(0.1)
    assert "sdb" not in host.daemon.virsh("domblklist", "guest").stdout
    assert "<blockjob" not in host.status.read_text()


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_a_copy_begins(host: Host, moment: float) -> None:
    """There is a job, or there is nothing of it."""
    host.renew()
    argv = ["blockcopy", "guest", "vda", str(host.folder / "copy.qcow2"), "--transient-job"]
    client = subprocess.Popen(["virsh", "-c", host.daemon.uri, *argv], stderr=subprocess.DEVNULL)
    time.sleep(moment)
    host.daemon.kill()
    client.wait(30)
    host.daemon.start()
    deadline = time.monotonic() + 20
    while " state='new' " in host.status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if host.job() is not None:
        assert "copy" in host.nodes()
        host.daemon.virsh("blockjob", "guest", "vda", "--abort")
    else:
        assert not (host.folder / "copy.qcow2").exists()
    assert "<mirror" not in host.daemon.virsh("dumpxml", "guest").stdout
    assert (host.images(), host.nodes()) == (["top", "middle", "base"], ["base", "middle", "top"])
    assert host.ask("query-jobs") == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_it_pivots(host: Host, moment: float) -> None:
    host.renew()
    host.copy("--wait")
    client = subprocess.Popen(
        ["virsh", "-c", host.daemon.uri, "blockjob", "guest", "vda", "--pivot"], stderr=subprocess.DEVNULL
    )
    time.sleep(moment)
    host.daemon.kill()
    client.wait(30)
    host.daemon.start()
    deadline = time.monotonic() + 20
    while "ready='pivot'" in host.daemon.virsh("dumpxml", "guest").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if host.job() is not None:  # killed before the order came: it waits for another
        host.daemon.virsh("blockjob", "guest", "vda", "--pivot")
    assert (host.images(), host.images("--inactive"), host.drive()) == (["copy"], ["copy"], "copy")
    assert (host.nodes(), host.ask("query-jobs")) == (["copy"], [])
