"""A real guest whose card has a filter: it cannot lie about its address, whatever happens to the daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.frames import DEADLINE
from tests.support.netns import Namespace
from tests.support.tiny_console import TinyConsole, console, define, eventually

pytestmark = pytest.mark.real

MAC, PLUGGED = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
CARD = (
    "<interface type='bridge'><mac address='{}'/><source bridge='br0'/><model type='virtio'/>{}"
    "<alias name='ua-{}'/></interface>"
)
CLEAN = "<filterref filter='clean-traffic'><parameter name='IP' value='{}'/></filterref>"
PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 6)
)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need("ip", "nft", "virsh", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        made.need("ip link add br0 type bridge", "the kernel has no bridges")
        made.need("nft add table bridge trial && nft delete table bridge trial", "the kernel cannot filter on bridges")
        made.run("ip link set br0 up && ip addr add 10.9.0.1/24 dev br0")
        yield made
    finally:
        made.close()


@pytest.fixture
def daemon(namespace: Namespace, tmp_path: Path) -> Iterator[Daemon]:
    made = namespace.daemon(tmp_path / "root")
    try:
        yield made.start()
    finally:
        made.stop()


def bindings(daemon: Daemon) -> list[str]:
    """Which device has which filter."""
    lines = daemon.virsh("nwfilter-binding-list").stdout.splitlines()[2:]
    return [" ".join(line.split()) for line in lines if line.strip()]


def reaches(guest: TinyConsole, source: str, seconds: int = 20) -> bool:
    """Whether the host answers a guest that says it is `source`."""
    return " 0% packet loss" in guest.run(f"ping -I {source} -c 1 -W {seconds} 10.9.0.1")


def test_a_guest_cannot_spoof(namespace: Namespace, daemon: Daemon, tmp_path: Path) -> None:
    define(daemon, "web", CARD.format(MAC, CLEAN.format("10.9.0.2"), "one") + PORTS)
    daemon.virsh("start", "web")
    assert bindings(daemon) == ["vnet0 clean-traffic"]
    assert "<name>web</name>" in daemon.virsh("nwfilter-binding-dumpxml", "vnet0").stdout
    daemon.kill()
    daemon.start()
    assert bindings(daemon) == ["vnet0 clean-traffic"]
    with console(daemon, "web") as web:
        web.run("ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0; ip addr add 10.9.0.3/24 dev eth0")
        assert reaches(web, "10.9.0.2")
        assert not reaches(web, "10.9.0.3", 1)
        another_address_of_the_card(web)
        the_filter_changes(daemon, web, tmp_path)
        cards_come_and_go(namespace, daemon, tmp_path)

    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: bindings(daemon) == [], DEADLINE)
    eventually(lambda: "nwfilter" not in namespace.run("nft list tables"), DEADLINE)

    daemon.virsh("start", "web", "--paused")
    assert len(bindings(daemon)) == 1
    daemon.kill()
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: "vnet" not in " ".join(namespace.devices()), DEADLINE)
    daemon.start()
    assert bindings(daemon) == []
    assert "nwfilter" not in namespace.run("nft list tables")


def another_address_of_the_card(web: TinyConsole) -> None:
    """It may not use another MAC address."""
    web.run(f"ip link set eth0 down; ip link set eth0 address {PLUGGED}; ip link set eth0 up")
    assert not reaches(web, "10.9.0.2", 1)
    web.run(f"ip link set eth0 down; ip link set eth0 address {MAC}; ip link set eth0 up")
    assert reaches(web, "10.9.0.2")


def the_filter_changes(daemon: Daemon, web: TinyConsole, folder: Path) -> None:
    """The filter of the card is another one, none, and again the first."""
    path = folder / "card.xml"
    path.write_text(CARD.format(MAC, CLEAN.format("10.9.0.3"), "one"))
    daemon.virsh("update-device", "web", str(path), "--live")
    assert reaches(web, "10.9.0.3")
    assert not reaches(web, "10.9.0.2", 1)
    path.write_text(CARD.format(MAC, "<filterref filter='nowhere'/>", "one"))
    refused = daemon.virsh("update-device", "web", str(path), "--live", check=False)
    assert "referenced filter 'nowhere' is missing" in refused.stderr
    assert not reaches(web, "10.9.0.2", 1)
    path.write_text(CARD.format(MAC, "", "one"))
    daemon.virsh("update-device", "web", str(path), "--live")
    assert bindings(daemon) == []
    assert reaches(web, "10.9.0.2")
    assert reaches(web, "10.9.0.3")
    path.write_text(CARD.format(MAC, CLEAN.format("10.9.0.2"), "one"))
    daemon.virsh("update-device", "web", str(path), "--live")
    assert bindings(daemon) == ["vnet0 clean-traffic"]


def cards_come_and_go(namespace: Namespace, daemon: Daemon, folder: Path) -> None:
    """A plugged card has its filter until it is unplugged; one whose filter is missing does not come."""
    path = folder / "plugged.xml"
    path.write_text(CARD.format(PLUGGED, "<filterref filter='no-mac-spoofing'/>", "two"))
    daemon.virsh("attach-device", "web", str(path))
    assert bindings(daemon) == ["vnet0 clean-traffic", "vnet1 no-mac-spoofing"]
    daemon.virsh("detach-device", "web", str(path))
    eventually(lambda: bindings(daemon) == ["vnet0 clean-traffic"], DEADLINE)
    before = namespace.devices()
    path.write_text(CARD.format(PLUGGED, "<filterref filter='nowhere'/>", "two"))
    refused = daemon.virsh("attach-device", "web", str(path), check=False)
    assert "referenced filter 'nowhere' is missing" in refused.stderr
    assert namespace.devices() == before
    assert bindings(daemon) == ["vnet0 clean-traffic"]
