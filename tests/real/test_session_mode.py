"""`qemu:///session`: any user, no root, a daemon that comes when it is needed and goes when it is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.daemon import need
from tests.support.tiny import tiny_xml
from tests.support.user import BIN, User, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

EMPTY = " Id   Name   State\n--------------------\n\n"
SLIRP = "<interface type='user'><model type='virtio'/></interface>"
PASST = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>"

READ_CONSOLE = """
dom = conn.lookupByName(sys.argv[2])
stream = conn.newStream()
dom.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
seen = b""
while b"login:" not in seen:
    data = stream.recv(1024)
    if not data:
        break
    seen += data
print(seen.decode(errors="replace"))
"""


@pytest.fixture
def user(short_path: Path) -> Iterator[User]:
    need("setpriv", "virsh")
    one = User(short_path)
    try:
        yield one
    finally:
        one.stop()


def paths_of(user: User) -> set[str]:
    """What lies in the user's home, without directories."""
    return {str(path.relative_to(user.home)) for path in user.home.rglob("*") if not path.is_dir()}


def test_the_command_starts_the_daemon(user: User) -> None:
    """The first command starts it; the stock client then finds the same one, by either name of its socket."""
    assert user.guest("list").stdout == EMPTY
    (daemon,) = user.daemons
    assert user.virsh("list").stdout == EMPTY
    assert user.virsh("uri").stdout == "qemu:///session\n\n"
    assert user.run("virsh", "uri").stdout == "qemu:///session\n\n"
    for mode in ("direct", "legacy"):
        assert user.run("virsh", "-r", "-c", f"qemu:///session?mode={mode}", "list").stdout == EMPTY
    assert user.daemons == [daemon]


def test_no_daemon_is_started_against_the_users_will(user: User) -> None:
    done = user.guest("list", check=False, LIBVIRT_AUTOSTART="0")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: failed to connect to the hypervisor\n"
        f"error: Failed to connect socket to '{user.state}/libvirt-sock': No such file or directory\n"
    )
    assert not user.daemons


@pytest.mark.parametrize("client", ["virsh", "guest"])
def test_a_client_starts_the_daemon_that_it_is_told_to(user: User, client: str) -> None:
    """libvirt's clients look for `libvirtd` in the directory that a variable names, and its options are ours too."""
    folder = user.home.parent / "sbin"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "libvirtd").symlink_to(BIN / "guesthoused")
    done = user.run(client, "-c", "qemu:///session?mode=legacy", "list", LIBVIRTD_PATH=str(folder))
    assert done.stdout == EMPTY
    assert len(user.processes("libvirtd")) == 1
    os.kill(user.processes("libvirtd")[0], signal.SIGTERM)
    wait_until(lambda: not user.processes("libvirtd"), 10)


@pytest.mark.parametrize("runtime", [True, False], ids=["runtime-dir", "no-runtime-dir"])
def test_places(short_path: Path, runtime: bool) -> None:
    """The files are where libvirt's session daemon has them, and nobody else can read them."""
    user = User(short_path, runtime=runtime)
    state = str(user.state.relative_to(user.home))
    try:
        user.guest("define", user.write("box.xml", tiny_xml("box", memory=64)))
        user.guest("autostart", "box")
        user.guest("start", "box")
        (user.home / "box.xml").unlink()
        paths = {path for path in paths_of(user) if "guesthoused" not in path}
        assert paths - {".config/libvirt/qemu/lib/host-uuid"} == {
            f"{state}/libvirt-sock",
            f"{state}/virtqemud-sock",
            f"{state}/libvirtd.pid",
            f"{state}/virtqemud.pid",
            f"{state}/qemu/run/driver.pid",
            f"{state}/qemu/run/box.xml",
            f"{state}/qemu/run/box.pid",
            f"{state}/qemu/run/autostarted",
            f"{state}/qemu/run/guesthouse-instance",
            ".config/libvirt/qemu/box.xml",
            ".config/libvirt/qemu/autostart/box.xml",
            ".config/libvirt/qemu/lib/domain-1-box/monitor.sock",
            ".config/libvirt/qemu/lib/domain-1-box/master-key.aes",
            ".cache/libvirt/qemu/log/box.log",
            *(path for path in paths if path.startswith(".cache/libvirt/") and "capabilities" in path),
        }
        for directory in (user.state, user.config, user.home / ".cache/libvirt"):
            assert directory.stat().st_mode & 0o777 == 0o700
        assert not (user.home / ".local").exists()
    finally:
        user.stop()


@pytest.mark.parametrize("card", [SLIRP, PASST], ids=["slirp", "passt"])
def test_the_life_of_a_guest(user: User, card: str) -> None:
    """From definition to the end, by the stock client, without a privilege."""
    if card == PASST:
        need("passt")
    user.guest("version")
    user.virsh("define", user.write("box.xml", tiny_xml("box", devices=card, memory=96)))
    user.virsh("start", "box")
    assert "login:" in user.python(READ_CONSOLE, "box")
    assert len(user.processes("passt")) == (1 if card == PASST else 0)
    assert user.virsh("domstate", "box").stdout == "running\n\n"
    (emulator,) = user.emulators
    status = Path(f"/proc/{emulator}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    user.virsh("destroy", "box")
    wait_until(lambda: not user.processes("passt"), 5)
    user.virsh("undefine", "box")
    assert user.virsh("list", "--all").stdout == EMPTY
    assert not [path for path in paths_of(user) if "box" in path and not path.endswith((".log", "box.xml"))]
    assert not user.emulators


def test_idleness_ends_the_daemon_but_not_while_guests_run(user: User) -> None:
    daemon = user.spawn(str(BIN / "guesthoused"), "--session", "--timeout", "1")
    try:
        wait_until((user.state / "libvirt-sock").exists, 10)
        user.virsh("create", user.write("box.xml", tiny_xml("box", memory=64)))
        time.sleep(2.5)
        assert daemon.poll() is None
        user.virsh("destroy", "box")
        assert daemon.wait(10) == 0
        assert not (user.state / "libvirt-sock").exists()
    finally:
        daemon.kill()
        daemon.communicate()


def test_many_clients_at_once_start_one_daemon(user: User) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: user.guest("list", check=False), range(8)))
    assert [(answer.returncode, answer.stdout, answer.stderr) for answer in answers] == [(0, EMPTY, "")] * 8
    assert len(user.daemons) == 1


def test_two_users_do_not_see_each_other(short_path: Path) -> None:
    one, two = User(short_path, 1), User(short_path, 2)
    try:
        for user in (one, two):
            user.guest("create", user.write("same.xml", tiny_xml("same", memory=64)))
        assert one.daemons != two.daemons
        one.guest("destroy", "same")
        assert two.guest("domstate", "same").stdout == "running\n\n"
        theirs = two.run("virsh", "-c", f"qemu+unix:///session?socket={one.state}/libvirt-sock", "list", check=False)
        assert "Permission denied" in theirs.stderr
    finally:
        one.stop()
        two.stop()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_guests_outlive_the_daemon(user: User, end: signal.Signals) -> None:
    """The guest runs on, and the next daemon, started by the next command, has it."""
    user.guest("create", user.write("box.xml", tiny_xml("box", memory=64, devices=SLIRP)))
    before = user.emulators
    (daemon,) = user.daemons
    os.kill(daemon, end)
    wait_until(lambda: not user.daemons, 10)
    assert user.emulators == before
    assert user.guest("domstate", "box").stdout == "running\n\n"
    user.guest("suspend", "box")
    user.guest("destroy", "box")
    assert not user.emulators


def test_sighup_leaves_daemon_and_guests(user: User) -> None:
    user.guest("create", user.write("box.xml", tiny_xml("box", memory=64)))
    daemons, emulators = user.daemons, user.emulators
    os.kill(daemons[0], signal.SIGHUP)
    time.sleep(0.3)
    assert user.guest("domstate", "box").stdout == "running\n\n"
    assert (user.daemons, user.emulators) == (daemons, emulators)


def test_marked_guests_start_once_in_a_login(user: User) -> None:
    """As in libvirt: the first daemon of a login starts them, a later one leaves alone what the user has ended."""
    user.guest("define", user.write("box.xml", tiny_xml("box", memory=64)))
    user.guest("autostart", "box")

    def again() -> None:
        os.kill(user.daemons[0], signal.SIGTERM)
        wait_until(lambda: not user.daemons, 10)

    again()
    assert user.guest("domstate", "box").stdout == "shut off\n\n"
    again()
    (user.state / "qemu/run/autostarted").unlink()  # what a new login does
    user.guest("list")
    wait_until(lambda: user.guest("domstate", "box").stdout == "running\n\n", 10)
    user.guest("destroy", "box")
    again()
    user.guest("list")
    time.sleep(1)
    assert user.guest("domstate", "box").stdout == "shut off\n\n"


def test_a_second_daemon_names_the_first(user: User) -> None:
    user.guest("list")
    (daemon,) = user.daemons
    second = user.run(str(BIN / "guesthoused"), "--session", check=False)
    assert second.returncode == 1
    assert f"guesthoused (process {daemon}) holds {user.state}/libvirtd.pid" in second.stderr


def test_what_a_daemon_on_demand_says_is_kept(user: User) -> None:
    """Its standard error goes nowhere, so that it logs to a file beside libvirt's own."""
    (user.config / "qemu").mkdir(parents=True)
    broken = user.config / "qemu/broken.xml"
    broken.write_text("<domain type='qemu'><name>broken</name><title>")
    if os.getuid() == 0:
        for path in (user.home / ".config", user.config, user.config / "qemu", broken):
            os.chown(path, user.uid, user.uid)
    assert user.guest("list", "--all").stdout == EMPTY
    log = user.home / ".cache/libvirt/guesthoused.log"
    wait_until(lambda: log.exists() and "the definition of domain 'broken' cannot be used" in log.read_text(), 5)
    refused = user.guest("define", user.write("new.xml", tiny_xml("broken")), check=False)
    assert "domain 'broken' exists, but cannot be managed: " in refused.stderr
    assert broken.read_text() == "<domain type='qemu'><name>broken</name><title>"
