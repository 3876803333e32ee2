"""A guest's life under libvirt's own clients: define, start, suspend, shut down, destroy, undefine, and the errors."""

from __future__ import annotations

import ast
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]


@pytest.fixture
def tiny(daemon: Daemon, short_path: Path) -> str:
    """The name of a guest that is defined and off."""
    path = short_path / "tiny.xml"
    path.write_text(tiny_xml("tiny", memory=128))
    daemon.virsh("define", str(path))
    return "tiny"


def state(daemon: Daemon, name: str) -> str:
    return daemon.virsh("domstate", name, "--reason").stdout.strip()


def fails(daemon: Daemon, *argv: str) -> str:
    done = daemon.virsh(*argv, check=False)
    assert done.returncode != 0
    return done.stderr


def test_the_whole_life(daemon: Daemon, tiny: str) -> None:
    assert state(daemon, tiny) == "shut off (unknown)"
    assert "started" in daemon.virsh("start", tiny).stdout
    assert state(daemon, tiny) == "running (booted)"
    assert daemon.virsh("list", "--name").stdout.split() == [tiny]
    daemon.virsh("suspend", tiny)
    assert state(daemon, tiny) == "paused (user)"
    daemon.virsh("resume", tiny)
    assert state(daemon, tiny) == "running (unpaused)"
    daemon.virsh("reset", tiny)
    daemon.virsh("destroy", tiny)
    assert state(daemon, tiny) == "shut off (destroyed)"
    assert daemon.guest_processes() == []
    daemon.virsh("undefine", tiny)
    assert daemon.virsh("list", "--all", "--name").stdout.split() == []
    left = [path for path in daemon.root.rglob("*") if path.is_file() and "tiny" in path.name]
    assert [path.name for path in left] == ["tiny.log"]


def test_start_paused(daemon: Daemon, tiny: str) -> None:
    daemon.virsh("start", tiny, "--paused")
    assert state(daemon, tiny) == "paused (user)"
    daemon.virsh("resume", tiny)
    assert state(daemon, tiny) == "running (unpaused)"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["resume", "tiny"], "Requested operation is not valid: domain is already running"),
        (["domrename", "tiny", "other"], "Requested operation is not valid: cannot rename active domain"),
        (["destroy", "nobody"], "failed to get domain 'nobody'"),
        (["domhostname", "tiny"], "argument unsupported: QEMU guest agent is not configured"),
        (["domtime", "tiny"], "argument unsupported: QEMU guest agent is not configured"),
        (["shutdown", "tiny", "--mode", "agent"], "argument unsupported: QEMU guest agent is not configured"),
        (["send-key", "tiny", "9999"], "cannot translate keycode 9999 of linux codeset"),
        (["domifstat", "tiny", "vnet0"], "invalid argument: 'vnet0' is not a known interface"),
        (["domblkinfo", "tiny", "vdz"], "invalid argument: invalid path vdz not assigned to domain"),
    ],
)
def test_refusals_while_running(running: Daemon, command: list[str], text: str) -> None:
    assert text in fails(running, *command)


@pytest.fixture(scope="module")
def running() -> Iterator[Daemon]:
    """A daemon with a running guest, for tests that change nothing."""

    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            daemon.start()
            path = Path(folder) / "tiny.xml"
            path.write_text(tiny_xml("tiny", memory=128))
            daemon.virsh("define", str(path))
            daemon.virsh("start", "tiny")
            yield daemon
        finally:
            daemon.stop()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["destroy"], "Requested operation is not valid: domain is not running"),
        (["suspend"], "Requested operation is not valid: domain is not running"),
        (["resume"], "Requested operation is not valid: domain is not running"),
        (["shutdown"], "Requested operation is not valid: domain is not running"),
        (["reboot"], "Requested operation is not valid: domain is not running"),
        (["reset"], "Requested operation is not valid: domain is not running"),
        (["dommemstat"], "Requested operation is not valid: domain is not running"),
        (["screenshot"], "Requested operation is not valid: domain is not running"),
        (["qemu-monitor-command", "--hmp", "info status"], "domain is not running"),
    ],
)
def test_refusals_while_off(daemon: Daemon, tiny: str, command: list[str], text: str) -> None:
    assert text in fails(daemon, command[0], tiny, *command[1:])


def test_errors_have_libvirts_codes(daemon: Daemon, tiny: str) -> None:
    script = """
def code(call, *args):
    try:
        call(*args)
    except libvirt.libvirtError as error:
        return error.get_error_code(), error.get_error_domain(), error.get_error_message()
dom = conn.lookupByName("tiny")
print(code(conn.lookupByName, "x"))
print(code(conn.lookupByID, 77))
print(code(conn.lookupByUUIDString, "00000000-0000-4000-8000-000000000000"))
print(code(dom.destroy))
print(code(dom.vcpus))
print(code(conn.defineXML, "<domain"))
print(code(conn.defineXML, "<domain type='qemu'><name>y</name></domain>"))
print(code(conn.defineXML, dom.XMLDesc().replace("<name>tiny", "<name>other")))
print(code(dom.createWithFlags, 1 << 20))
dom.create()
print(code(dom.create))
print(code(dom.metadata, 2, "http://x"))
"""
    lines = [ast.literal_eval(line) for line in daemon.python(script).stdout.splitlines()]
    assert [(line[0], line[1]) for line in lines[:5]] == [(42, 10), (42, 10), (42, 10), (55, 20), (55, 10)]
    assert lines[0][2] == "Domain not found: no domain with matching name 'x'"
    assert lines[5][0] == 35
    assert lines[6][0] in (16, 27)
    assert lines[7][0] == 9
    assert lines[7][2].startswith("operation failed: domain 'tiny' is already defined with uuid ")
    assert lines[8][0] == 8
    assert lines[9] == (55, 10, "Requested operation is not valid: domain is already running")
    assert lines[10][0] == 80


def test_a_guest_that_powers_off(daemon: Daemon, tiny: str) -> None:
    script = """
import threading
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
conn = libvirt.open(sys.argv[1])
got, over = [], threading.Event()
def heard(conn, dom, event, detail, opaque):
    got.append((event, detail))
    if event == libvirt.VIR_DOMAIN_EVENT_STOPPED: over.set()
dom = conn.lookupByName("tiny")
conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, heard, None)
dom.create()
stream = conn.newStream()
dom.openConsole(None, stream, 0)
seen = b""
while b"TINYGUEST READY" not in seen:
    seen += stream.recv(65536)
dom.shutdown()
assert over.wait(30)
print(got)
while stream.recv(65536): pass
stream.finish()
print(dom.state())
"""
    told, ended = daemon.python(script).stdout.splitlines()
    assert told == "[(4, 0), (2, 0), (6, 1), (5, 0)]"
    assert ended == "[5, 1]"


def test_qemu_that_is_killed(daemon: Daemon, tiny: str) -> None:
    daemon.virsh("start", tiny)
    (pid,) = daemon.guest_processes()

    os.kill(pid, 9)
    for _ in range(100):
        if state(daemon, tiny) == "shut off (crashed)":
            break
        time.sleep(0.02)
    assert state(daemon, tiny) == "shut off (crashed)"


def test_autodestroy(daemon: Daemon, tiny: str) -> None:

    daemon.python("conn.lookupByName('tiny').createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY); conn.close()")
    for _ in range(100):
        if state(daemon, tiny) == "shut off (destroyed)":
            break
        time.sleep(0.02)
    assert state(daemon, tiny) == "shut off (destroyed)"


def test_a_start_that_fails_leaves_nothing(daemon: Daemon, short_path: Path) -> None:
    path = short_path / "broken.xml"
    path.write_text(tiny_xml("broken").replace("initrd.gz", "nothing.gz"))
    daemon.virsh("define", str(path))
    daemon_says = fails(daemon, "start", "broken")
    assert "nothing.gz" in daemon_says
    assert state(daemon, "broken") == "shut off (failed)"
    assert daemon.guest_processes() == []
    assert {path.name for path in (daemon.root / "run/qemu").iterdir()} <= {
        "channel",
        "driver.pid",
        "guesthouse-instance",
    }
    missing = "<disk type='file' device='disk'><source file='/nowhere/x.img'/><target dev='vda' bus='virtio'/></disk>"
    path.write_text(tiny_xml("diskless", devices=missing))
    assert "Cannot access storage file '/nowhere/x.img'" in fails(daemon, "create", str(path))
    assert "diskless" not in daemon.virsh("list", "--all").stdout


def test_transient_guests(daemon: Daemon, short_path: Path) -> None:
    path = short_path / "fleeting.xml"
    path.write_text(tiny_xml("fleeting", memory=128))
    daemon.virsh("create", str(path), "--paused")
    assert state(daemon, "fleeting") == "paused (user)"
    assert "cannot undefine transient domain" in fails(daemon, "undefine", "fleeting")
    assert "cannot set autostart for transient domain" in fails(daemon, "autostart", "fleeting")
    path.write_text(daemon.virsh("dumpxml", "fleeting", "--inactive").stdout)
    assert "domain 'fleeting' is already active" in fails(daemon, "create", str(path))
    daemon.virsh("destroy", "fleeting")
    assert "fleeting" not in daemon.virsh("list").stdout


def test_undefine_while_running_makes_transient(daemon: Daemon, tiny: str) -> None:
    daemon.virsh("start", tiny)
    daemon.virsh("undefine", tiny)
    assert "Persistent:     no" in daemon.virsh("dominfo", tiny).stdout
    daemon.virsh("destroy", tiny)
    assert daemon.virsh("list", "--all", "--name").stdout.split() == []


def test_graceful_destroy_of_a_frozen_guest_fails(daemon: Daemon, tiny: str) -> None:

    daemon.virsh("start", tiny)
    (pid,) = daemon.guest_processes()
    os.kill(pid, 19)
    assert "Failed to terminate process" in fails(daemon, "destroy", tiny, "--graceful")
    daemon.virsh("destroy", tiny)
    assert state(daemon, tiny) == "shut off (destroyed)"


def test_autostart_with_the_daemon(daemon: Daemon, tiny: str) -> None:

    daemon.virsh("autostart", tiny, "--once")
    assert "Autostart Once: enable" in daemon.virsh("dominfo", tiny).stdout
    daemon.terminate()
    daemon.start()
    for _ in range(200):
        if state(daemon, tiny) == "running (booted)":
            break
        time.sleep(0.02)
    assert state(daemon, tiny) == "running (booted)"
    assert "Autostart Once: disable" in daemon.virsh("dominfo", tiny).stdout
    daemon.terminate()
    assert len(daemon.guest_processes()) == 1
    daemon.start()
    assert state(daemon, tiny) == "running (booted)"


def test_destroy_overtakes_a_start(daemon: Daemon, tiny: str) -> None:
    script = """
import threading
other = libvirt.open(sys.argv[1])
told = set()
def begin():
    try:
        other.lookupByName("tiny").create()
        told.add("started")
    except libvirt.libvirtError as error:
        told.add(error.get_error_code())
dom = conn.lookupByName("tiny")
for delay in range(0, 90, 6):
    thread = threading.Thread(target=begin)
    thread.start()
    time.sleep(delay / 1000)
    try:
        dom.destroy()
    except libvirt.libvirtError as error:
        assert error.get_error_code() == 55
    thread.join()
    if dom.isActive():
        dom.destroy()
print(sorted(map(str, told)), dom.state())
"""
    assert daemon.python(script).stdout.endswith("[5, 2]\n")
    assert daemon.guest_processes() == []
    assert list((daemon.root / "lib/qemu").glob("domain-*")) == []


def test_many_at_once(daemon: Daemon, short_path: Path) -> None:
    names = [f"many{number}" for number in range(6)]
    for name in names:
        path = short_path / f"{name}.xml"
        path.write_text(tiny_xml(name, memory=64))
        daemon.virsh("define", str(path))
    script = """
import threading
def each(call):
    failed = []
    def work(name):
        connection = libvirt.open(sys.argv[1])
        try:
            call(connection.lookupByName(name))
        except libvirt.libvirtError as error:
            failed.append(str(error))
    threads = [threading.Thread(target=work, args=[name]) for name in sys.argv[2:]]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not failed, failed
each(lambda dom: dom.create())
print(conn.numOfDomains(), len(set(conn.listDomainsID())))
each(lambda dom: dom.destroy())
print(conn.numOfDomains())
"""
    assert daemon.python(script, *names).stdout.split() == ["6", "6", "0"]


def test_rename_moves_everything(daemon: Daemon, tiny: str) -> None:
    daemon.virsh("autostart", tiny)
    daemon.virsh("domrename", tiny, "other")
    assert daemon.virsh("list", "--all", "--name", "--autostart").stdout.split() == ["other"]
    assert [path.name for path in (daemon.root / "etc/qemu/autostart").iterdir()] == ["other.xml"]
    assert "cannot contain '/'" in fails(daemon, "domrename", "other", "a/b")
    assert "Can't rename domain to itself" in fails(daemon, "domrename", "other", "other")
    daemon.virsh("undefine", "other")
    assert list((daemon.root / "etc/qemu/autostart").iterdir()) == []


ACTIONS = """
libvirt.virEventRegisterDefaultImpl()
dom = conn.lookupByName("acting")
dom.create()
stream = conn.newStream()
dom.openConsole(None, stream, 0)
def until(text):
    seen = b""
    while text not in seen:
        got = stream.recv(65536)
        if not got:
            return False
        seen += got
    return True
assert until(b"login:")
stream.send(b"root\\n")
assert until(b"#")
stream.send(sys.argv[2].encode() + b"\\n")
again = until(b"TINYGUEST READY")
while dom.state()[0] == libvirt.VIR_DOMAIN_SHUTDOWN: time.sleep(0.01)
print(again, *dom.state())
"""


@pytest.mark.parametrize(
    ("actions", "command", "told"),
    [
        ("", "poweroff -f", "False 5 1"),
        ("", "reboot -f", "True 1 1"),
        ("<on_reboot>destroy</on_reboot>", "reboot -f", "False 5 1"),
        ("<on_poweroff>restart</on_poweroff>", "poweroff -f", "True 1 1"),
    ],
)
def test_actions_at_the_guests_end(daemon: Daemon, short_path: Path, actions: str, command: str, told: str) -> None:
    path = short_path / "acting.xml"
    path.write_text(tiny_xml("acting", memory=128, extra=actions))
    daemon.virsh("define", str(path))
    assert daemon.python(ACTIONS, command).stdout.strip() == told


def test_many_refused_starts_at_once_are_told_at_once(daemon: Daemon) -> None:
    """A QEMU that dies before it accepts our connection leaves an error on the socket, not an end of file."""
    for number in range(4):
        (daemon.root / "bad.xml").write_text(tiny_xml(f"bad{number}").replace("initrd.gz", "nothing.gz"))
        daemon.virsh("define", str(daemon.root / "bad.xml"))
    script = """
import threading
told = []
def work(number):
    guest = libvirt.open(sys.argv[1]).lookupByName(f"bad{number}")
    for _ in range(25):
        try:
            guest.create()
        except libvirt.libvirtError as error:
            told.append(error.get_error_code())
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(told), set(told))
"""
    assert daemon.python(script).stdout == "100 {1}\n"
