"""A guest on defined networks: its cards come to the host's bridge and device, and the places outlive the daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.netns import Namespace
from tests.support.tiny_console import define, eventually

CARD = "<interface type='network'><source network='{}'/><model type='virtio'/></interface>"
BRIDGED = "<network><name>br</name><forward mode='bridge'/><bridge name='br0'/><port isolated='yes'/></network>"
DIRECT = "<network><name>lower</name><forward mode='bridge'><interface dev='br1'/></forward></network>"

PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 9)
)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need("ip", "bridge", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        made.need("ip link add br0 type bridge && ip link set br0 up", "the kernel has no bridges")
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


def add(daemon: Daemon, name: str, xml: str) -> None:
    path = daemon.root / f"{name}.xml"
    path.write_text(xml)
    daemon.virsh("net-define", str(path))
    daemon.virsh("net-start", name)
    daemon.virsh("net-autostart", name)


def connections(daemon: Daemon, name: str) -> int:
    first = daemon.virsh("net-dumpxml", name).stdout.splitlines()[0]
    return int(first.split("'")[1]) if "connections" in first else 0


def test_a_guest_on_a_bridge(namespace: Namespace, daemon: Daemon) -> None:
    define(daemon, "web", CARD.format("br") + PORTS)
    refused = daemon.virsh("start", "web", check=False).stderr
    assert "Network not found: no network with matching name 'br'" in refused
    add(daemon, "br", BRIDGED)
    define(daemon, "lost", CARD.format("br") + CARD.format("nowhere"))
    assert "'nowhere'" in daemon.virsh("start", "lost", check=False).stderr
    assert connections(daemon, "br") == 0  # what the first card had was given back

    daemon.virsh("start", "web")
    (tap,) = namespace.devices() - {"lo", "br0"}
    assert "master br0" in namespace.run(f"ip link show {tap}")
    assert "isolated on" in namespace.run(f"bridge -d link show dev {tap}")
    assert connections(daemon, "br") == 1
    shown = daemon.virsh("dumpxml", "web").stdout
    assert "<source network='br' portid='" in shown
    assert "bridge='br0'/>" in shown
    ports = daemon.root / "run/network/br.ports"
    assert len(list(ports.iterdir())) == 1

    daemon.kill()  # the next daemon knows the network, and who is on it
    daemon.start()
    assert connections(daemon, "br") == 1
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: connections(daemon, "br") == 0)
    assert list(ports.iterdir()) == []

    daemon.virsh("start", "web")
    daemon.virsh("attach-interface", "web", "network", "br", "--model", "virtio")
    assert connections(daemon, "br") == 2
    daemon.kill()  # the guest ends while no daemon sees it
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    daemon.start()
    eventually(lambda: connections(daemon, "br") == 0)

    daemon.virsh("net-destroy", "br")
    assert "network 'br' is not active" in daemon.virsh("start", "web", check=False).stderr
    assert not ports.exists()
    assert daemon.terminate() == 0
    daemon.start()
    assert daemon.virsh("net-list", "--name").stdout.split() == ["br"]  # it starts by itself


def test_a_guest_on_a_device(namespace: Namespace, daemon: Daemon) -> None:
    namespace.need("ip link add br1 type bridge && ip link set br1 up", "the kernel has no bridges")
    namespace.need("ip link add link br1 name probe0 type macvtap && ip link del probe0", "no macvtap can be made")
    add(daemon, "lower", DIRECT)
    define(daemon, "web", CARD.format("lower"))
    daemon.virsh("start", "web")
    assert "macvtap0@br1" in namespace.run("ip -d link show macvtap0")
    assert "mode bridge" in namespace.run("ip -d link show macvtap0")
    assert "<interface dev='br1' connections='1'/>" in daemon.virsh("net-dumpxml", "lower").stdout
    assert "<interface dev='br1'/>" in daemon.virsh("net-dumpxml", "--inactive", "lower").stdout
    daemon.virsh("destroy", "web")
    eventually(lambda: connections(daemon, "lower") == 0)
    assert namespace.devices() == {"lo", "br0", "br1"}
