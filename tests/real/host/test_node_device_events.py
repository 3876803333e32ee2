"""Devices that come, go and change while somebody listens: the kernel's own news, in a network namespace."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.netns import Namespace

pytestmark = pytest.mark.real

FIRST, SECOND = "52:54:00:00:00:07", "52:54:00:00:00:08"
CARD = "net_v0_52_54_00_00_00_07"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need("ip", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("ip link add p0 type veth peer name p1 && ip link del p0", "the kernel has no pairs of cards")
        yield made
    finally:
        made.close()


@pytest.fixture
def daemon(namespace: Namespace, short_path: Path) -> Iterator[Daemon]:
    made = namespace.daemon(short_path / "root")
    try:
        yield made.start()
    finally:
        made.stop()


def heard(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_events(namespace: Namespace, daemon: Daemon) -> None:
    """A card comes, has its name changed, and goes; who listens hears it without asking."""
    argv = [str(BIN / "guest"), "-c", daemon.uri, "nodedev-event", "--loop", "--timeout", "30", "--event"]
    listening = [
        subprocess.Popen([*argv, *more], stdout=subprocess.PIPE, text=True)
        for more in (["lifecycle", "--json"], ["lifecycle", "--device", "net_lo_00_00_00_00_00_00"])
    ]
    try:
        time.sleep(1.0)
        namespace.run(f"ip link add v0 address {FIRST} type veth peer name v1 address {SECOND}")
        came = [json.loads(line) for line in heard(listening[0], 2)]
        names = {CARD, "net_v1_52_54_00_00_00_08"}
        assert {(one["device"], one["event"], one["happened"]) for one in came} == {
            (name, "lifecycle", "Created") for name in names
        }
        assert names <= set(daemon.guest("nodedev-list", "--cap", "net").stdout.split())
        assert "<link state='down'/>" in daemon.guest("nodedev-dumpxml", CARD).stdout
        namespace.run("ip link set v0 up && ip link set v1 up")
        assert "state='up'" in daemon.guest("nodedev-dumpxml", CARD).stdout
        namespace.run("ip link del v0")
        gone = [json.loads(line) for line in heard(listening[0], 2)]
        assert {(one["device"], one["happened"]) for one in gone} == {(name, "Deleted") for name in names}
        refused = daemon.guest("nodedev-dumpxml", CARD, check=False).stderr
        assert f"no node device with matching name '{CARD}'" in refused
        assert listening[1].poll() is None
    finally:
        for process in listening:
            process.kill()
            rest, _ = process.communicate(timeout=10)
            assert rest == ""


def test_json_and_completion(daemon: Daemon) -> None:
    found = json.loads(daemon.guest("nodedev-list", "--cap", "system", "--json").stdout)
    assert found == [{"name": "computer", "parent": None}]
    told = json.loads(daemon.guest("nodedev-info", "computer", "--json").stdout)
    assert told == {"name": "computer", "parent": None, "active": True, "persistent": True, "autostart": True}
    assert json.loads(daemon.guest("nodedev-dumpxml", "computer", "--json").stdout)["tag"] == "device"
    argv = [str(BIN / "guest"), "-c", daemon.uri, "__complete", "nodedev-dumpxml", "comp"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "computer\n"
