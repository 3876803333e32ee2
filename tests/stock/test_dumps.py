"""Dumps of a real guest: every format, whole or not at all, watched, aborted, and after a crash."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(180)]

GUEST = "dumped"
PT_NOTE = 4


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    need("virsh")
    daemon = Daemon(tmp_path_factory.mktemp("dumps")).start()
    (daemon.root / "guest.xml").write_text(tiny_xml(GUEST, extra="<on_crash>coredump-destroy</on_crash>"))
    daemon.virsh("define", str(daemon.root / "guest.xml"))
    daemon.virsh("start", GUEST)
    yield daemon
    daemon.virsh("destroy", GUEST, check=False)
    daemon.stop()


@pytest.fixture
def target(daemon: Daemon) -> Iterator[Path]:
    """Where to dump to; whatever happened, nothing half is beside it."""
    folder = daemon.root / "dumps"
    folder.mkdir()
    yield folder / "dump"
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert not left


def state(daemon: Daemon) -> str:
    return daemon.virsh("domstate", GUEST, "--reason").stdout.strip()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def notes(path: Path) -> list[bytes]:
    """The owners of the notes of an ELF core file of 64 bits."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<H", data, 16) == (4,)  # a core file
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = []
    for at in range(offset, offset + size * count, size):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
        place = start
        while kind == PT_NOTE and place < start + length:
            name_size, content_size, _ = struct.unpack_from("<III", data, place)
            found.append(data[place + 12 : place + 12 + name_size].rstrip(b"\0"))
            place += 12 + (name_size + 3 & -4) + (content_size + 3 & -4)
    return found


@pytest.mark.parametrize("tool", ["virsh", "guest"])
@pytest.mark.parametrize(
    ("options", "magic"),
    [
        (("--memory-only",), b"\x7fELF"),
        (("--memory-only", "--live", "--bypass-cache"), b"\x7fELF"),
        (("--memory-only", "--format", "kdump-zlib"), b"makedumpfile"),
        ((), b"QEVM"),
        (("--live",), b"QEVM"),
    ],
)
def test_formats(daemon: Daemon, target: Path, tool: str, options: tuple[str, ...], magic: bytes) -> None:
    done = getattr(daemon, tool)("dump", GUEST, str(target), *options)
    assert done.stdout == f"\nDomain '{GUEST}' dumped to {target}\n\n"
    assert target.read_bytes()[: len(magic)] == magic
    assert target.stat().st_mode & 0o777 == 0o600
    if magic == b"\x7fELF":
        assert b"CORE" in notes(target)  # the registers of the processors, for whoever looks into the dump
        assert target.stat().st_size > 192 << 20
    assert state(daemon) == "running (unpaused)"


def test_formats_that_are_not_there(daemon: Daemon, target: Path) -> None:
    for run in (daemon.virsh, daemon.guest):
        refused = run("dump", GUEST, str(target), "--memory-only", "--format", "win-dmp", check=False)
        assert refused.stderr.startswith(f"error: Failed to core dump domain '{GUEST}' to {target}\nerror: ")
        wrong = run("dump", GUEST, str(target), "--format", "elf", check=False)
        assert wrong.stderr == "error: --format only works with --memory-only\n"
    assert not target.exists()
    assert state(daemon) == "running (unpaused)"


def test_a_place_that_is_none(daemon: Daemon, target: Path) -> None:
    absent = target.parent / "absent/dump"
    refused = daemon.virsh("dump", GUEST, str(absent), check=False)
    assert f"Failed to create file '{absent}': No such file or directory" in refused.stderr
    full = daemon.virsh("dump", GUEST, "/dev/full", "--memory-only", check=False)
    assert "Failed to create file '/dev/full': No space left on device" in full.stderr
    assert state(daemon) == "running (unpaused)"


@pytest.mark.parametrize("options", [("--memory-only",), ()])
@pytest.mark.parametrize("tool", ["virsh", "guest"])
def test_a_dump_is_watched_and_aborted(daemon: Daemon, target: Path, tool: str, options: tuple[str, ...]) -> None:
    os.mkfifo(target)  # which nobody reads: the dump stands still as on storage that hangs
    program = "virsh" if tool == "virsh" else str(BIN / "guest")
    command = [program, "-c", daemon.uri, "dump", GUEST, str(target), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as dumping:
        wait_for(lambda: "Operation:        Dump" in daemon.guest("domjobinfo", GUEST).stdout)
        assert state(daemon) == "paused (dumping)"
        job = daemon.virsh("domjobinfo", GUEST).stdout
        assert job.startswith("Job type:         Unbounded")
        assert "Memory total:" in job
        daemon.guest("domjobabort", GUEST)
        _, errors = dumping.communicate(timeout=20)
    assert dumping.returncode == 1
    assert "error: operation aborted: domain core dump job: canceled by client" in errors
    assert "Job type:         Cancelled" in daemon.virsh("domjobinfo", GUEST, "--completed").stdout
    wait_for(lambda: state(daemon).startswith("running"))


def test_the_next_daemon_ends_a_dump_that_was_cut_off(daemon: Daemon, target: Path) -> None:
    os.mkfifo(target)
    command = ["virsh", "-c", daemon.uri, "dump", GUEST, str(target)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as dumping:
        wait_for(lambda: state(daemon) == "paused (dumping)")
        daemon.kill()
        dumping.wait(20)
    daemon.start()
    wait_for(lambda: state(daemon).startswith("running"))


def test_a_dump_can_end_the_guest(daemon: Daemon, target: Path) -> None:
    daemon.virsh("dump", GUEST, str(target), "--crash", "--memory-only")
    assert state(daemon) == "shut off (crashed)"
    assert notes(target)


#: A guest of one sector that says to QEMU's panic device what a kernel says when it panics, and stands still.
PANIC = bytes.fromhex("ba0505 b001 ee f4 ebfd")

#: One that tells the iBASE 700 watchdog to bite after two seconds, and stands still.
BITE = bytes.fromhex("ba4304 b00e ee f4 ebfd")


def start_sector(daemon: Daemon, name: str, code: bytes, extra: str, devices: str) -> None:
    """Start a guest that boots from a disk with nothing but this code."""
    image = daemon.root / f"{name}.raw"
    image.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
    (daemon.root / f"{name}.xml").write_text(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><features><acpi/></features>"
        f"{extra}<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk>{devices}</devices></domain>"
    )
    daemon.virsh("create", str(daemon.root / f"{name}.xml"))


def dumps(daemon: Daemon, name: str) -> list[Path]:
    """The dumps that the daemon made by itself."""
    return list((daemon.root / "lib/qemu/dump").glob(f"*-{name}-????-??-??-??:??:??"))


def test_a_guest_that_panics_is_dumped(daemon: Daemon) -> None:
    extra = "<on_crash>coredump-destroy</on_crash>"
    start_sector(daemon, "panicked", PANIC, extra, "<panic model='isa'/>")
    wait_for(lambda: "panicked" not in daemon.virsh("list", "--name").stdout)
    (dump,) = dumps(daemon, "panicked")
    assert b"CORE" in notes(dump)
    assert dump.stat().st_mode & 0o777 == 0o600


def test_a_watchdog_dumps_and_lets_go_on(daemon: Daemon) -> None:
    start_sector(daemon, "bitten", BITE, "", "<watchdog model='ib700' action='dump'/>")
    wait_for(lambda: bool(dumps(daemon, "bitten")))
    wait_for(lambda: daemon.virsh("domstate", "bitten", "--reason").stdout == "running (unpaused)\n\n")
    (dump, *_) = dumps(daemon, "bitten")
    assert b"CORE" in notes(dump)
    daemon.virsh("destroy", "bitten")


def test_an_interrupt_aborts_a_dump_that_is_watched(daemon: Daemon, target: Path) -> None:
    start_sector(daemon, "idle", bytes.fromhex("f4 ebfd"), "", "")
    os.mkfifo(target)
    command = [str(BIN / "guest"), "-c", daemon.uri, "dump", "idle", str(target), "--verbose", "--memory-only"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as dumping:
        wait_for(lambda: "Operation:        Dump" in daemon.virsh("domjobinfo", "idle").stdout)
        time.sleep(1)
        dumping.send_signal(signal.SIGINT)
        _, errors = dumping.communicate(timeout=20)
    assert "Dump: [ " in errors
    assert errors.endswith("error: operation aborted: domain core dump job: canceled by client\n")
    assert daemon.virsh("domstate", "idle").stdout == "running\n\n"
    daemon.virsh("destroy", "idle")
