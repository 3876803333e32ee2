"""A guest writes to its disks while they are copied, committed and pulled: the images then hold what it wrote."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.shell import GuestShell
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

MIB = 1 << 20
#: Bytes a second: no copy of an image with a MiB in it gets ready by itself.
SLOW = "16384"


def _run(*argv: object) -> str:
    return subprocess.run([*map(str, argv)], check=True, capture_output=True, text=True, timeout=60).stdout


def _chain(folder: Path, letter: str) -> None:
    """Three images, the lowest with data at its beginning."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", folder / f"{letter}1", "6M")
    _run("qemu-io", "-f", "qcow2", "-c", f"write -P {ord(letter)} 0 1M", folder / f"{letter}1")
    for number in (2, 3):
        below = folder / f"{letter}{number - 1}"
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", folder / f"{letter}{number}")


class Machine:
    """A tiny guest with three disks of three images each, and its shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon = Daemon(folder / "root").start()
        disks = ""
        for letter in "abc":
            _chain(folder, letter)
            disks += (
                f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/{letter}3'/>"
                f"<target dev='vd{letter}' bus='virtio'/></disk>"
            )
        (folder / "guest.xml").write_text(tiny_xml("guest", devices=disks))
        self.daemon.virsh("define", str(folder / "guest.xml"))
        self.daemon.virsh("start", "guest")
        self.shell = GuestShell(self.daemon.virsh("ttyconsole", "guest").stdout.strip())
        self.shell.until_ready(110.0)

    def close(self) -> None:
        self.shell.close()
        self.daemon.stop()

    def write(self, disk: str) -> None:
        """Let the guest write to a disk, again and again, until `rest`."""
        loop = f"echo $n > /tmp/n{disk}; dd if=/tmp/n{disk} of=/dev/{disk} bs=512 seek=$((n * 37 % 12000)) conv=sync"
        self.shell.run(
            f"(n=0; while [ ! -e /tmp/rest{disk} ]; do n=$((n + 1)); {loop} 2>/dev/null; done; touch /tmp/quiet{disk}) "
            "& true"
        )
        self.shell.until(f"cat /tmp/n{disk}", "5")

    def rest(self, disk: str) -> str:
        """Let the guest write no more; tells the sum of what it reads from the disk."""
        self.shell.run(f"touch /tmp/rest{disk}")
        self.shell.until("ls /tmp", f"quiet{disk}")
        flushed = f"sync; dd if=/dev/null of=/dev/{disk} conv=notrunc,fsync 2>/dev/null"  # so that QEMU writes headers
        return self.shell.run(f"{flushed}; echo 3 > /proc/sys/vm/drop_caches; md5sum /dev/{disk}").split()[0]

    def source(self, disk: str, *flags: str) -> str:
        """The name of the disk's image."""
        text = self.daemon.virsh("domblklist", "guest", *flags).stdout
        return next(Path(line.split()[1]).name for line in text.splitlines() if line.split()[:1] == [disk])

    def sum(self, name: str, *, alone: bool = True) -> str:
        """The sum of what is in an image, which lies on nothing if it is `alone`."""
        told = json.loads(_run("qemu-img", "info", "-U", "--output=json", self.folder / name))
        assert ("backing-filename" not in told) == alone
        raw = self.folder / "raw"
        _run("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", self.folder / name, raw)
        return hashlib.md5(raw.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    need("virsh", "qemu-img", "qemu-io")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Machine(Path(folder))
        try:
            yield made
        finally:
            made.close()


def test_a_copy_that_the_guest_goes_on_with(machine: Machine) -> None:
    machine.write("vda")
    target = machine.folder / "copy"
    told = machine.daemon.guest(
        "blockcopy", "guest", "vda", str(target), "--transient-job", "--wait", "--verbose", "--pivot"
    )
    assert told.stdout.strip() == "Successfully pivoted"
    assert told.stderr.endswith("\nBlock Copy: [100.00 %]"), "a carriage return, which is read as a line's end"
    assert machine.rest("vda") == machine.sum("copy")
    assert (machine.source("vda"), machine.source("vda", "--inactive")) == ("copy", "copy")
    assert machine.sum("copy") != machine.sum("a3", alone=False)


def test_what_is_told_of_a_job(machine: Machine) -> None:
    daemon = machine.daemon
    argv = [str(BIN / "guest"), "-c", daemon.uri, "event", "--event", "block-job-2", "--timeout", "60"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as listener:
        rounds = 0
        while listener.poll() is None:  # it may not listen yet when the first job ends
            target = machine.folder / f"heard{rounds}"
            daemon.virsh("blockcopy", "guest", "vdc", str(target), SLOW, "--bytes", "--transient-job")
            daemon.virsh("blockjob", "guest", "vdc", "--abort")
            rounds += 1
            assert rounds < 100
        heard = listener.communicate(timeout=30)[0]
    assert heard.splitlines()[0] == "event 'block-job-2' for domain 'guest': Block Copy for vdc canceled"


def test_a_commit_of_what_the_guest_writes(machine: Machine) -> None:
    machine.write("vdb")
    told = machine.daemon.virsh("blockcommit", "guest", "vdb", "--active", "--delete", "--wait", "--verbose", "--pivot")
    assert told.stdout.strip() == "Successfully pivoted"
    assert machine.rest("vdb") == machine.sum("b1")
    assert (machine.source("vdb"), machine.source("vdb", "--inactive")) == ("b1", "b1")
    assert not (machine.folder / "b2").exists()
    assert not (machine.folder / "b3").exists()


def test_a_pull_while_the_guest_writes(machine: Machine) -> None:
    machine.write("vdc")
    told = machine.daemon.guest("blockpull", "guest", "vdc", "--wait", "--verbose")
    assert told.stdout.strip() == "Pull complete"
    written = machine.rest("vdc")
    assert written == machine.sum("c3")
    assert machine.daemon.virsh("dumpxml", "guest").stdout.count("<backingStore type=") == 0
    target = machine.folder / "finished"
    told = machine.daemon.virsh("blockcopy", "guest", "vdc", str(target), "--transient-job", "--finish", "--wait")
    assert told.stdout.strip() == "Successfully copied"
    assert "Images are identical" in _run("qemu-img", "compare", "-U", target, machine.folder / "c3")
    assert machine.source("vdc") == "c3"


def test_what_a_disk_with_a_job_refuses(machine: Machine) -> None:
    """And what is told of it, also while QEMU does not answer."""
    daemon, target = machine.daemon, str(machine.folder / "slow")
    daemon.virsh("blockcopy", "guest", "vdc", target, SLOW, "--bytes", "--transient-job", "--granularity", "65536")
    refused = daemon.virsh("detach-disk", "guest", "vdc", "--live", check=False)
    assert "block copy still active: disk 'vdc' already in active block job" in refused.stderr
    refused = daemon.virsh("blockjob", "guest", "vdc", "--pivot", check=False)
    assert "block copy still active: block job 'copy-vdc-" in refused.stderr
    statistics = daemon.virsh("domstats", "guest", "--block", "--backing").stdout
    assert f"path={target}\n" in statistics
    assert f"path={target}\n" not in daemon.virsh("domstats", "guest", "--block").stdout
    before = json.loads(daemon.guest("blockjob", "guest", "vdc", "--json").stdout)
    assert (before["type"], before["bandwidth"]) == ("copy", int(SLOW))
    (pid,) = daemon.guest_processes()
    os.kill(pid, signal.SIGSTOP)
    try:
        told = daemon.guest("blockjob", "guest", "vdc")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "Bandwidth limit: 16384 bytes/s (16.000 KiB/s)" in told.stdout
    daemon.virsh("blockjob", "guest", "vdc", "--abort", "--async")
    deadline = time.monotonic() + 30
    while daemon.guest("blockjob", "guest", "vdc", "--json").stdout.strip() != "null":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert machine.source("vdc") == "c3"
    late = daemon.guest(
        "blockcopy", "guest", "vdc", str(machine.folder / "late"), SLOW, "--bytes", "--transient-job",
        "--timeout", "1", check=False,
    )  # fmt: skip
    assert (late.returncode, late.stdout.strip()) == (1, "Copy aborted")
    nodes = daemon.virsh("qemu-monitor-command", "guest", '{"execute": "query-named-block-nodes"}').stdout
    assert "late" not in nodes
    assert "slow" not in nodes
