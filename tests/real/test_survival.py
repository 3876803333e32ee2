"""Guests outlive the daemon: it is killed at random moments of everything that changes guests, and started again."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.children import running_child
from tests.support.daemon import OPENING, SYSTEM_PYTHON, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

#: How often the daemon is killed. More finds more.
ROUNDS = int(os.environ.get("SURVIVAL_ROUNDS", "12"))

#: What a client does until the daemon dies: everything that touches several files or processes.
WORK = """
import random
random.seed(int(sys.argv[2]))
xml = {name: open(path).read() for name, path in (pair.split("=") for pair in sys.argv[3:])}

def known(name):
    try:
        return conn.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return None

ACTIONS = {
    "define": lambda name: conn.defineXML(xml[name]),
    "start": lambda name: known(name).create(),
    "paused": lambda name: known(name).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED),
    "destroy": lambda name: known(name).destroy(),
    "undefine": lambda name: known(name).undefine(),
    "autostart": lambda name: known(name).setAutostart(random.randrange(2)),
    "suspend": lambda name: known(name).suspend(),
    "rename": lambda name: known(name).rename(name + "-renamed"),
    "back": lambda name: known(name + "-renamed").rename(name),
    "transient": lambda name: conn.createXML(xml[name]),
}
print("begun", flush=True)
while True:
    name, action = random.choice(sorted(xml)), random.choice(sorted(ACTIONS))
    try:
        ACTIONS[action](name)
    except AttributeError:
        pass
    except libvirt.libvirtError as error:
        if not conn.isAlive():
            break
"""

LOOK = """
for dom in conn.listAllDomains():
    print(dom.name(), dom.isActive(), dom.isPersistent(), *dom.state())
"""


def guests_of(daemon: Daemon) -> dict[str, tuple[bool, bool, int, int]]:
    """Name to active, persistent, state, reason."""
    found = {}
    for line in daemon.python(LOOK).stdout.splitlines():
        name, active, persistent, state, reason = line.split()
        found[name] = (active == "1", persistent == "1", int(state), int(reason))
    return found


def check(daemon: Daemon) -> None:
    """Memory, files and processes tell the same."""
    guests = guests_of(daemon)
    active = {name for name, (is_active, *_) in guests.items() if is_active}
    root = daemon.root
    definitions = {path.stem for path in (root / "etc/qemu").glob("*.xml")}
    assert definitions == {name for name, (_, persistent, *_) in guests.items() if persistent}
    statuses = {path.stem for path in (root / "run/qemu").glob("*.xml")}
    assert statuses == active
    assert {path.stem for path in (root / "run/qemu").glob("*.pid")} - {"driver"} == active
    assert len(list((root / "lib/qemu").glob("domain-*"))) == len(active)
    assert len(list((root / "run/qemu/channel").iterdir())) == len(active)
    assert len(daemon.guest_processes()) == len(active)
    assert not list((root / "lib/qemu/guesthouse-journal").iterdir())
    for link in (root / "etc/qemu/autostart").iterdir():
        assert link.exists(), f"{link} leads nowhere"
    assert not [path for path in root.rglob("*.tmp") if path.exists()]
    lasting = {f".TRANSIENT-{name}" for name in active & {"blue", "blue-renamed"}}
    wait_until(lambda: {path.suffix for path in root.parent.glob("disk.img.*")} == lasting, 10)
    wait_until(lambda: len(list((root / "lib/qemu/ram").glob("*"))) == len(lasting), 10)
    for name in active:
        daemon.python(
            "dom = conn.lookupByName(sys.argv[2])\n"
            "dom.state()[0] == 1 or dom.resume()\n"
            "dom.suspend(); assert dom.state()[0] == 3; dom.resume(); assert dom.state()[0] == 1",
            name,
        )


def lasting_xml(folder: Path, name: str) -> str:
    """A guest that has files outside its directories: an image on top of a transient disk's, and its memory."""
    (folder / "disk.img").write_bytes(bytes(1 << 20))
    disk = f"""<disk type='file'><driver name='qemu' type='raw'/><source file='{folder}/disk.img'/>
      <target dev='vda' bus='virtio'/><transient/></disk>"""
    return tiny_xml(name, memory=64, extra="<memoryBacking><source type='file'/></memoryBacking>", devices=disk)


def wait_until(condition: object, seconds: float) -> None:
    """Wait for something that the daemon does by itself."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_at_any_moment(short_path: Path) -> None:
    """Whatever the daemon was doing when it was killed, the next one finds everything done or undone."""
    need("virsh", SYSTEM_PYTHON)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    daemon = Daemon(short_path / "root")
    files = []
    for name in ("red", "green", "blue"):
        path = short_path / f"{name}.xml"
        xml = lasting_xml(short_path, name) if name == "blue" else tiny_xml(name, memory=64)
        path.write_text(xml.replace("<vcpu>", f"<uuid>{uuid_of(name)}</uuid><vcpu>"))
        files.append(f"{name}={path}")
    try:
        daemon.start()
        for round_ in range(ROUNDS):
            argv = [SYSTEM_PYTHON, "-c", OPENING + WORK, daemon.uri, str(seed + round_), *files]
            with running_child(argv, stdout=subprocess.PIPE) as client:
                assert client.stdout is not None
                assert client.stdout.readline() == "begun\n"
                time.sleep(chance.uniform(0.05, 1.2))
                daemon.kill()
                client.wait(20)
            daemon.start()
            settle(daemon)
            check(daemon)
    finally:
        daemon.stop()


def settle(daemon: Daemon) -> None:
    """Wait until the guests that start with the daemon have started, or failed to."""

    def settled() -> bool:
        guests = guests_of(daemon)
        links = {path.name.split(".xml")[0] for path in (daemon.root / "etc/qemu/autostart").iterdir()}
        return all(guests[name][0] for name in links if name in guests) and all(
            reason != 11 for _, _, state, reason in guests.values() if state == 3
        )

    wait_until(settled, 20)


def uuid_of(name: str) -> str:
    """A UUID that is the guest's own."""
    return f"00000000-0000-4000-8000-{name.encode().hex():0>12}"


def test_end_while_nobody_looks(short_path: Path) -> None:
    """A guest whose QEMU ends while there is no daemon is known as off, and a transient one is forgotten."""
    daemon = Daemon(short_path / "root")
    try:
        daemon.start()
        (short_path / "kept.xml").write_text(lasting_xml(short_path, "kept"))
        (short_path / "fleeting.xml").write_text(tiny_xml("fleeting", memory=64))
        daemon.virsh("define", str(short_path / "kept.xml"))
        daemon.virsh("start", "kept")
        daemon.virsh("create", str(short_path / "fleeting.xml"))
        pids = daemon.guest_processes()
        assert (short_path / "disk.img.TRANSIENT-kept").stat().st_mode & 0o777 == 0o600
        daemon.kill()
        for pid in pids:
            os.kill(pid, 9)
        daemon.start()
        assert guests_of(daemon) == {"kept": (False, True, 5, 3)}
        check(daemon)
    finally:
        daemon.stop()


def test_autodestroy_survives_the_daemon(short_path: Path) -> None:
    """A guest that is to die with its connection dies also when the daemon that knew the connection was killed."""
    daemon = Daemon(short_path / "root")
    try:
        daemon.start()
        (short_path / "tied.xml").write_text(tiny_xml("tied", memory=64))
        daemon.virsh("define", str(short_path / "tied.xml"))
        script = "conn.lookupByName('tied').createWithFlags(2); print('up', flush=True); time.sleep(60)"
        client = subprocess.Popen(
            [SYSTEM_PYTHON, "-c", OPENING + script, daemon.uri], stdout=subprocess.PIPE, text=True
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "up\n"
            daemon.kill()
            assert len(daemon.guest_processes()) == 1
            daemon.start()
            assert guests_of(daemon) == {"tied": (False, True, 5, 2)}
            check(daemon)
        finally:
            client.kill()
            client.wait(10)
            if client.stdout:
                client.stdout.close()
    finally:
        daemon.stop()


def test_frozen_guest_is_taken_up(short_path: Path) -> None:
    """A QEMU that does not answer neither delays the daemon's start for long nor is lost."""
    daemon = Daemon(short_path / "root")
    try:
        daemon.start()
        (short_path / "frozen.xml").write_text(tiny_xml("frozen", memory=64))
        daemon.virsh("create", str(short_path / "frozen.xml"))
        (pid,) = daemon.guest_processes()
        os.kill(pid, 19)
        daemon.kill()
        began = time.monotonic()
        daemon.start()
        assert time.monotonic() - began < 20
        assert guests_of(daemon)["frozen"] == (True, False, 1, 1)
        os.kill(pid, 18)
        wait_until(lambda: daemon.virsh("qemu-monitor-command", "frozen", "--hmp", "info status").stdout, 10)
        check(daemon)
        os.kill(pid, 19)
        began = time.monotonic()
        daemon.virsh("destroy", "frozen")
        assert time.monotonic() - began < 20
        assert guests_of(daemon) == {}
    finally:
        daemon.stop()
