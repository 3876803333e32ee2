from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from guesthouse.places import Places
from guesthouse.server.activation import FIRST_DESCRIPTOR, Notifier, inherited
from guesthouse.server.listeners import ListenError, Plan, close_all, listen, plan
from guesthouse.server.lock import OccupiedError, PlaceLock, program_name
from guesthouse.server.settings import Settings, SettingsError


def modes(places: Places, settings: Settings) -> dict[str, int]:
    return {each.path.name: each.mode for each in plan(places, settings)}


def test_which_sockets_there_are() -> None:
    assert modes(Places.system(), Settings()) == {
        "libvirt-sock": 0o700,
        "libvirt-sock-ro": 0o777,
        "virtqemud-sock": 0o700,
        "virtqemud-sock-ro": 0o777,
    }
    assert modes(Places.under(Path("/x")), Settings()) == {"libvirt-sock": 0o700, "libvirt-sock-ro": 0o700}
    assert modes(Places.session({"HOME": "/x"}), Settings()) == {"libvirt-sock": 0o700, "virtqemud-sock": 0o700}
    assert [each.readonly for each in plan(Places.system(), Settings())] == [False, True, False, True]


def test_a_group_opens_the_socket_to_it() -> None:
    plans = plan(Places.system(), Settings(unix_sock_group="root"))
    assert [(each.mode, each.group) for each in plans[:2]] == [(0o770, 0), (0o777, 0)]
    assert plan(Places.system(), Settings(unix_sock_group="+123"))[0].group == 123
    with pytest.raises(SettingsError, match="no group 'nobody-has-this'"):
        plan(Places.system(), Settings(unix_sock_group="nobody-has-this"))


def test_modes_and_directory_can_be_set() -> None:
    settings = Settings(unix_sock_rw_perms="0760", unix_sock_ro_perms="0740", unix_sock_dir="/elsewhere")
    plans = plan(Places.under(Path("/x")), settings)
    assert [(str(each.path), each.mode) for each in plans] == [
        ("/elsewhere/libvirt-sock", 0o760),
        ("/elsewhere/libvirt-sock-ro", 0o740),
    ]


def test_made_with_its_mode_and_removed(tmp_path: Path) -> None:
    [made] = listen([Plan(tmp_path / "s", False, 0o750, os.getgid())], 5)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o750
    close_all([made])
    assert not (tmp_path / "s").exists()


def test_a_dead_socket_is_replaced_and_a_live_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    made = listen([Plan(path, False, 0o700, -1)], 5)
    with pytest.raises(OccupiedError, match=rf"\(process {os.getpid()}\) listens on {path}"):
        listen([Plan(path, False, 0o700, -1)], 5)
    close_all(made)


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "s").symlink_to(tmp_path / "victim")
    with pytest.raises(ListenError, match="is not a socket"):
        listen([Plan(tmp_path / "s", False, 0o700, -1)], 5)
    assert (tmp_path / "victim").read_text() == "precious"
    with pytest.raises(ListenError, match="longer than 107 bytes"):
        listen([Plan(tmp_path / ("x" * 120), False, 0o700, -1)], 5)


def test_all_sockets_or_none(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(ListenError):
        listen([Plan(tmp_path / "a", False, 0o700, -1), Plan(tmp_path / "b", False, 0o700, -1)], 5)
    assert not (tmp_path / "a").exists()


def test_only_our_own_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    made = listen([Plan(path, False, 0o700, -1)], 5)
    path.unlink()
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(path))
    close_all(made)
    assert path.exists()
    other.close()


def test_the_lock_is_given_back(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    lock = PlaceLock(places)
    lock.acquire()
    for name in ("libvirtd.pid", "virtqemud.pid", "qemu/driver.pid"):
        assert (places.state / name).read_text() == str(os.getpid())
    lock.release()
    assert not list(places.state.glob("*.pid"))
    session = Places.session({"HOME": str(tmp_path)})
    again = PlaceLock(session)
    again.acquire()
    assert (session.state / "qemu/run/driver.pid").exists()
    again.release()


def test_the_lock_survives_others_who_read_its_file(tmp_path: Path) -> None:
    lock = PlaceLock(Places.under(tmp_path))
    lock.acquire()
    (tmp_path / "run/qemu/driver.pid").read_text()
    script = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1)"
    command = [sys.executable, "-c", script, str(tmp_path / "run/qemu/driver.pid")]
    taken = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert b"BlockingIOError" in taken.stderr
    with pytest.raises(OccupiedError, match=rf"\(process {os.getpid()}\) holds"):
        PlaceLock(Places.under(tmp_path)).acquire()
    lock.release()
    assert subprocess.run(command, capture_output=True, timeout=10, check=False).returncode != 0  # the file is gone


def test_program_names(tmp_path: Path) -> None:
    script = tmp_path / "watcher.py"
    script.write_text("print('ready', flush=True)\ninput()\n")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        assert program_name(running.pid) == "watcher.py"
        running.communicate(b"\n", timeout=10)
    assert program_name(2**22 - 1) == "a program"


def test_nothing_is_inherited_without_the_right_number() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "OTHER": "x"}
    assert inherited(environment) == []
    assert environment == {"OTHER": "x"}
    assert inherited({}) == []
    assert FIRST_DESCRIPTOR == 3


def test_notifications(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "n"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "n")})
        notifier.ready()
        notifier.reloading()
        notifier.stopping()
        assert there.recv(100) == b"READY=1"
        assert there.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert there.recv(100) == b"STOPPING=1"
    notifier.ready()
    Notifier({}).ready()
