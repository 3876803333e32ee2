"""How the daemon comes up, goes down, and keeps others out of its places."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guesthouse.rpc.procedures.domain import DOMAIN_CREATE, DomainCreateArgs
from guesthouse.rpc.procedures.domain_save import DOMAIN_SAVE, DomainSaveArgs
from tests.real.server.serverkit import DEADLINE, DOMAIN, SCRIPT, Daemon, Failed, Wire


def configured(root: Path, text: str) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "etc/libvirtd.conf").write_text(text)
    return root


def test_files_while_it_runs_and_afterwards(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o700
    assert (daemon.root / "run/libvirtd.pid").read_text() == str(daemon.process.pid)
    assert Path(f"/proc/{daemon.process.pid}/comm").read_text() == "guesthoused\n"
    assert daemon.stop() == 0
    assert [path.name for path in (daemon.root / "run").rglob("*") if not path.is_dir()] == []
    assert (daemon.root / "lib/stopped").exists()


def test_a_second_daemon_names_the_first(daemon: Daemon) -> None:
    second = Daemon(daemon.root)
    assert second.process.wait(DEADLINE) == 1
    assert f"guesthoused (process {daemon.process.pid}) holds {daemon.root}/run/libvirtd.pid" in second.log.read_text()
    with Wire(daemon.socket) as wire:
        assert wire.open().counters()


def test_a_foreign_lock_and_a_foreign_socket_are_named(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "run/qemu").mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX,1); print(flush=True); input()",
            str(root / "run/qemu/driver.pid"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    daemon = Daemon(root)
    assert daemon.process.wait(DEADLINE) == 1
    assert f"(process {holder.pid}) holds {root}/run/qemu/driver.pid" in daemon.log.read_text()
    holder.communicate(b"\n", timeout=DEADLINE)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(root / "run/libvirt-sock"))
        other.listen()
        daemon = Daemon(root)
        assert daemon.process.wait(DEADLINE) == 1
        assert f"(process {os.getpid()}) listens on {root}/run/libvirt-sock" in daemon.log.read_text()
    daemon = Daemon(root).wait_ready()
    assert daemon.stop() == 0


def test_after_sigkill_the_next_one_takes_over(daemon: Daemon) -> None:
    with Wire(daemon.socket) as wire:
        wire.open()
        daemon.kill()
        assert wire.ended()
    assert daemon.socket.exists()
    again = Daemon(daemon.root).wait_ready()
    assert again.stop() == 0
    daemon.process.returncode = 0


def test_ends_while_calls_are_under_way(daemon: Daemon) -> None:
    with Wire(daemon.socket) as wire:
        wire.open()
        serial = wire.post(DOMAIN_SAVE, DomainSaveArgs(DOMAIN, "/x"))
        wire.counters()
        daemon.process.send_signal(signal.SIGTERM)
        header, _ = wire.packet()
        assert (header.serial, header.status) == (serial, 1)
        assert wire.ended()
    assert daemon.process.wait(DEADLINE) == 0


def test_timeout(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "lib").mkdir(parents=True)
    (root / "lib/running").touch()  # the sample driver is busy while this is there
    daemon = Daemon(root, "--timeout", "1").wait_ready()
    with Wire(daemon.socket) as wire:
        wire.open()
        (root / "lib/running").unlink()
        time.sleep(1.3)
        assert wire.counters()
    (root / "lib/running").touch()
    time.sleep(1.3)
    assert daemon.process.poll() is None
    (root / "lib/running").unlink()
    assert daemon.process.wait(DEADLINE) == 0


def test_reload(tmp_path: Path) -> None:
    root = configured(tmp_path / "r", "log_level = 4\n")
    daemon = Daemon(root, "--json").wait_ready()
    conf = root / "etc/libvirtd.conf"
    conf.write_text("log_level = 4\nmax_clients = nonsense\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.logs("the old configuration stays")
    conf.write_text("log_level = 2\nmax_client_requests = 9\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.logs("max_client_requests has changed, and takes effect when the daemon starts again")
    with Wire(daemon.socket) as wire:
        assert wire.open().counters()
    assert daemon.stop() == 0
    assert (root / "lib/reloaded").exists()
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert {line["level"] for line in lines} >= {"error", "warning", "info"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen_tcp = 1", "libvirtd.conf:1: listen_tcp = 1 cannot be honoured"),
        ('auth_unix_rw = "polkit"', 'libvirtd.conf:1: auth_unix_rw "polkit" is not there yet'),
        ("\nfoo = 1", "libvirtd.conf:2: unknown key 'foo'"),
        ("a b", "libvirtd.conf:1: expecting an assignment"),
        ('log_outputs = "1:paper"', "log_outputs: '1:paper' is not"),
        ('unix_sock_group = "no-such-group"', "there is no group 'no-such-group'"),
    ],
)
def test_wrong_settings_keep_it_from_starting(tmp_path: Path, text: str, message: str) -> None:
    daemon = Daemon(configured(tmp_path / "r", text))
    assert daemon.process.wait(DEADLINE) == 7
    assert message in daemon.log.read_text()
    assert "Traceback" not in daemon.log.read_text()


def test_settings_of_sockets_and_logs(tmp_path: Path) -> None:
    text = f'unix_sock_dir = "{tmp_path}/s"\nunix_sock_ro_perms = "0777"\nlog_outputs = "1:file:{tmp_path}/log"'
    daemon = Daemon(configured(tmp_path / "r", text + "\nlog_level = 2"))
    daemon.socket = tmp_path / "s/libvirt-sock"
    daemon.wait_ready()
    assert stat.S_IMODE((tmp_path / "s/libvirt-sock-ro").stat().st_mode) == 0o777
    assert daemon.stop() == 0
    assert "serving clients" in (tmp_path / "log").read_text()
    assert daemon.log.read_text() == ""


def test_in_the_background(tmp_path: Path) -> None:
    root, pid_file = tmp_path / "r", tmp_path / "pid"
    command = [sys.executable, str(SCRIPT), "--root", str(root), "-d", "-v", "-p", str(pid_file)]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=True)
    pid = int(pid_file.read_text())
    try:
        with Wire(root / "run/libvirt-sock") as wire:  # it answers as soon as the command returns
            assert wire.open().counters()
        again = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=False, text=True)
        assert again.returncode == 1
        assert f"process {pid}" in again.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + DEADLINE
    while pid_file.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not pid_file.exists()
    assert (done.stdout, done.stderr) == (b"", b"")
    assert "serving clients" in (root / "log/guesthoused.log").read_text()


def test_sockets_from_systemd(tmp_path: Path) -> None:
    """What systemd does: listening sockets from descriptor 3 on, and a socket that is told how things are."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(DEADLINE)
    helper = (
        "import os, socket, sys\n"
        "for path in sys.argv[1:3]:\n"
        "    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); s.set_inheritable(True); s.detach()\n"
        "names = 'libvirtd.socket:libvirtd-ro.socket'\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES=names)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[3:]])\n"
    )
    paths = [tmp_path / "a", tmp_path / "b"]
    process = subprocess.Popen(
        [sys.executable, "-c", helper, *map(str, paths), str(SCRIPT), "--root", str(tmp_path / "r")],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
    )
    try:
        assert told.recv(100) == b"READY=1"
        for path in paths:
            with Wire(path) as wire:
                assert readonly(wire.open()) == (path is paths[1])
        process.send_signal(signal.SIGHUP)
        assert told.recv(100).startswith(b"RELOADING=1")
        assert told.recv(100) == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert told.recv(100) == b"STOPPING=1"
        assert process.wait(DEADLINE) == 0
        assert all(path.exists() for path in paths)  # they are systemd's
    finally:
        process.kill()
        process.wait()
        told.close()


def readonly(wire: Wire) -> bool:
    try:
        wire.call(DOMAIN_CREATE, DomainCreateArgs(DOMAIN))
    except Failed as error:
        return error.code == 29
    return False
