"""Stock clients against `guesthoused`: virsh, and python3-libvirt under the system's own Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.server.serverkit import DEADLINE, Daemon, Wire

pytestmark = [
    pytest.mark.stock,
    pytest.mark.skipif(shutil.which("virsh") is None, reason="needs virsh (package libvirt-clients)"),
]
PYTHON = "/usr/bin/python3"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Daemon]:
    """The daemon as it is installed, with all its drivers."""
    started = Daemon(tmp_path / "r", program=[sys.executable, "-m", "guesthouse.server.main"]).wait_ready()
    try:
        yield started
        assert started.stop() == 0
        assert "Traceback" not in started.log.read_text()
    finally:
        started.kill()


def uri(daemon: Daemon, *, readonly: bool = False) -> str:
    return f"qemu+unix:///system?socket={daemon.readonly_socket if readonly else daemon.socket}"


def virsh(daemon: Daemon, *words: str, readonly: bool = False) -> subprocess.CompletedProcess[str]:
    command = ["virsh", *(["-r"] if readonly else []), "-c", uri(daemon, readonly=readonly), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("readonly", [False, True])
def test_virsh(house: Daemon, readonly: bool) -> None:
    version = virsh(house, "version", readonly=readonly)
    assert version.returncode == 0, version.stderr
    assert "Using API: QEMU 11.3.0" in version.stdout
    assert virsh(house, "uri", readonly=readonly).stdout.strip() == uri(house, readonly=readonly)
    assert virsh(house, "connect", readonly=readonly).returncode == 0
    assert virsh(house, "list", "--all", readonly=readonly).returncode == 0


def test_virsh_with_its_own_keepalive(house: Daemon) -> None:
    with subprocess.Popen(
        ["virsh", "-q", "-k", "1", "-K", "1", "-c", uri(house)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdin is not None
        shell.stdin.write("uri\n")
        shell.stdin.flush()
        time.sleep(3)  # without answers it would give up after two seconds
        out, errors = shell.communicate("version\n", timeout=DEADLINE)
    assert "Using API: QEMU" in out
    assert not errors


def python(daemon: Daemon, script: str) -> str:
    found = subprocess.run([PYTHON, "-c", "import libvirt"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip("needs python3-libvirt")
    done = subprocess.run([PYTHON, "-c", script, uri(daemon)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_libvirt(house: Daemon) -> None:
    script = """
import libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
conn = libvirt.open(sys.argv[1])
print(conn.getLibVersion(), conn.getURI() == sys.argv[1], conn.isSecure(), conn.isAlive())
try:
    conn.domainXMLFromNative("qemu-argv", "qemu")
except libvirt.libvirtError as error:
    print(error.get_error_code())
conn.close()
try:
    libvirt.open(sys.argv[1].replace("/system", "/foo"))
except libvirt.libvirtError as error:
    print(error.get_error_code(), error.get_error_message())
"""
    lines = python(house, script).splitlines()
    assert lines[0].split()[0] == "11003000"
    assert lines[0].split()[2:] == ["1", "1"]
    assert lines[1] == "3"
    assert lines[2].startswith("1 internal error: unexpected qemu URI path '/foo', try qemu:///")


def test_many_threads_on_one_connection(house: Daemon) -> None:
    script = """
import libvirt, sys, threading
conn = libvirt.open(sys.argv[1])
def ask():
    for _ in range(300):
        assert conn.getLibVersion() == 11003000
        assert conn.listAllDomains() == []
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("done")
"""
    assert python(house, script) == "done\n"


def test_the_server_pings_a_silent_client(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "etc").mkdir(parents=True)
    (root / "etc/libvirtd.conf").write_text("keepalive_interval = 1\nkeepalive_count = 1\n")
    daemon = Daemon(root).wait_ready()
    script = """
import libvirt, sys, time, threading
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True:
        libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
conn = libvirt.open(sys.argv[1])
time.sleep(2.5)
print(conn.getLibVersion())
"""
    try:
        assert python(daemon, script) == "11003000\n"
        stopped = subprocess.Popen(
            [PYTHON, "-c", script + "time.sleep(30)", uri(daemon)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        time.sleep(1.0)
        stopped.send_signal(19)  # SIGSTOP: it answers no pings
        assert daemon.logs("it does not answer keepalive messages")
        stopped.kill()
        stopped.communicate(timeout=DEADLINE)
        with Wire(daemon.socket) as wire:  # never asked for keepalive: is left alone
            wire.open().socket.settimeout(1.5)
            with pytest.raises(TimeoutError):
                wire.packet()
            assert wire.counters()
        assert daemon.stop() == 0
    finally:
        daemon.kill()
