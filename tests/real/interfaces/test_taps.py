"""Real guests on bridges and macvtaps, in a network namespace of the test's own. They look for themselves."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.netns import Namespace
from tests.support.tiny_console import TinyConsole, console, define, eventually

CARD = "<interface type='bridge'><mac address='{}'/><source bridge='br0'/><model type='virtio'/>{}</interface>"
WEB, DATABASE, PLUGGED, LOWER = ("52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:0c", "52:54:00:00:00:0d")
PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 12)
)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    need("ip", "bridge", "tc", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        made.need("ip link add br0 type bridge", "the kernel has no bridges")
        made.run("ip link set br0 up && ip addr add 10.9.0.1/24 dev br0")
        made.run("ip link add br1 type bridge && ip link set br1 up")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def daemon(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = namespace.daemon(tmp_path_factory.mktemp("taps") / "root")
    try:
        yield made.start()
    finally:
        made.stop()


def test_guests_on_one_bridge(namespace: Namespace, daemon: Daemon) -> None:
    define(daemon, "web", CARD.format(WEB, "<link state='down'/><mtu size='1400'/>") + PORTS)
    define(daemon, "database", CARD.format(DATABASE, "<target dev='lan-db'/><port isolated='yes'/>"))
    for name in ("web", "database"):
        daemon.virsh("start", name)
    assert "vnet0" in daemon.virsh("domiflist", "web").stdout
    assert "lan-db" in daemon.virsh("domiflist", "database").stdout
    assert namespace.devices() == {"lo", "br0", "br1", "vnet0", "lan-db"}

    said = namespace.run("ip link show vnet0; bridge -d link show dev lan-db")
    assert "mtu 1400" in said
    assert "fe:54:00:00:00:0a" in said
    assert "isolated on" in said
    assert [path for path in open_files(daemon.pid) if "tun" in path] == []  # they are QEMU's alone

    with console(daemon, "web") as web, console(daemon, "database") as database:
        a_link_that_is_down(daemon, web)
        database.run("ip addr add 10.9.0.3/24 dev eth0")
        web.run("ip addr add 10.9.0.2/24 dev eth0")
        assert " 0% packet loss" in web.run("ping -c 2 -w 20 10.9.0.3")
        assert " 0% packet loss" in web.run("ping -c 1 -w 20 10.9.0.1")
        assert "mtu 1400" in web.run("ip link show eth0")
        counters(daemon)
        limits(namespace, daemon)
        a_card_comes_and_goes(namespace, daemon, web)

    daemon.virsh("destroy", "web")
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: "running" not in daemon.virsh("list").stdout)
    assert namespace.devices() == {"lo", "br0", "br1"}
    daemon.virsh("start", "web")  # under the next name
    assert "vnet2" in daemon.virsh("domiflist", "web").stdout
    daemon.virsh("destroy", "web")


def a_link_that_is_down(daemon: Daemon, web: TinyConsole) -> None:
    """The guest sees its cable; the stock client and ours pull it."""
    assert "\n0\n" in web.run("cat /sys/class/net/eth0/carrier")
    assert daemon.virsh("domif-getlink", "web", "vnet0").stdout.strip() == "vnet0 down"
    daemon.virsh("domif-setlink", "web", "vnet0", "up")
    assert "\n1\n" in web.run("cat /sys/class/net/eth0/carrier")
    daemon.guest("domif-setlink", "web", WEB.upper(), "down")
    assert "\n0\n" in web.run("cat /sys/class/net/eth0/carrier")
    daemon.guest("domif-setlink", "web", "vnet0", "up")
    assert daemon.guest("domif-getlink", "web", WEB, "--config").stdout.split()[-1] == "down"


def counters(daemon: Daemon) -> None:
    """They are the guest's: it has sent its pings."""
    told = dict(line.split()[1:] for line in daemon.virsh("domifstat", "web", "vnet0").stdout.splitlines() if line)
    assert int(told["tx_packets"]) > 3
    assert int(told["rx_bytes"]) > 200
    stats = daemon.virsh("domstats", "web", "--interface").stdout
    assert "net.0.name=vnet0" in stats
    assert "net.0.rx.bytes=" in stats


def limits(namespace: Namespace, daemon: Daemon) -> None:
    """What the guest receives is shaped; what cannot be done leaves the limits as they are."""
    if (
        namespace.run(
            "tc qdisc add dev br1 root handle 1: htb default 1 && echo yes; tc qdisc del dev br1 root", check=False
        )
        == ""
    ):
        return
    daemon.virsh("domiftune", "web", "vnet0", "--inbound", "1000,2000,100")
    shown = namespace.run("tc class show dev vnet0")
    assert "rate 8Mbit ceil 16Mbit burst 100Kb" in shown.replace("linklayer ethernet ", "")
    told = daemon.guest("domiftune", "web", "vnet0").stdout
    assert [int(line.split(":")[1]) for line in told.splitlines() if line] == [1000, 2000, 100, 0, 0, 0, 0]
    assert "<inbound average='1000' peak='2000' burst='100'/>" in daemon.virsh("dumpxml", "web").stdout
    daemon.guest("domiftune", "web", WEB, "--outbound", "500,0,64", "--config")
    assert "<outbound average='500' burst='64'/>" in daemon.virsh("dumpxml", "web", "--inactive").stdout
    daemon.guest("domiftune", "web", WEB, "--outbound", "0", "--config")
    assert "<bandwidth>" not in daemon.virsh("dumpxml", "web", "--inactive").stdout
    daemon.virsh("domiftune", "web", "vnet0", "--inbound", "0")
    assert "htb" not in namespace.run("tc qdisc show dev vnet0")
    refused = daemon.virsh("domiftune", "web", "vnet0", "--inbound", "1,1,1,1", check=False)
    assert "Invalid use of 'floor'" in refused.stderr


def a_card_comes_and_goes(namespace: Namespace, daemon: Daemon, web: TinyConsole) -> None:
    """It is moved to another bridge on its way."""
    daemon.virsh("attach-interface", "web", "bridge", "br0", "--model", "virtio", "--mac", PLUGGED, "--live")
    eventually(lambda: "eth1" in web.run("ls /sys/class/net"))
    assert "vnet1" in namespace.run("bridge link show dev vnet1 | grep 'master br0'")
    path = daemon.root / "card.xml"
    path.write_text(
        f"<interface type='bridge'><mac address='{PLUGGED}'/><source bridge='br1'/><model type='virtio'/>"
        "<port isolated='yes'/></interface>"
    )
    daemon.virsh("update-device", "web", str(path), "--live")
    assert "isolated on" in namespace.run("bridge -d link show dev vnet1 | grep -A1 'master br1'")
    assert "<source bridge='br1'/>" in daemon.virsh("dumpxml", "web").stdout
    path.write_text(path.read_text().replace("virtio", "e1000e"))
    refused = daemon.virsh("update-device", "web", str(path), "--live", check=False)
    assert "cannot modify network device model from virtio to e1000e" in refused.stderr
    daemon.virsh("detach-interface", "web", "bridge", "--mac", PLUGGED, "--live")
    eventually(lambda: "vnet1" not in namespace.devices())
    assert "eth1" not in web.run("ls /sys/class/net")


def test_a_bridge_that_is_not_there(namespace: Namespace, daemon: Daemon) -> None:
    define(daemon, "lost", CARD.format(LOWER, "").replace("br0", "nowhere"))
    refused = daemon.virsh("start", "lost", check=False)
    assert "Cannot get interface MTU on 'nowhere': No such device" in refused.stderr
    define(daemon, "lost", CARD.format(LOWER, "<filterref filter='nowhere'/>"))
    assert "referenced filter 'nowhere' is missing" in daemon.virsh("start", "lost", check=False).stderr
    define(daemon, "lost", f"<interface type='network'><mac address='{LOWER}'/><source network='office'/></interface>")
    assert (
        "Network not found: no network with matching name 'office'" in daemon.virsh("start", "lost", check=False).stderr
    )
    assert namespace.devices() == {"lo", "br0", "br1"}
    daemon.virsh("undefine", "lost")


def test_taps_of_others(namespace: Namespace, daemon: Daemon, tmp_path: Path) -> None:
    """A tap that somebody made stays; one that we make gets its address, its route and its script."""
    script = tmp_path / "up"
    script.write_text(f"#!/bin/sh\necho $1 >>{tmp_path}/ran\n")
    script.chmod(0o755)
    namespace.run("ip tuntap add mine0 mode tap vnet_hdr")
    define(
        daemon,
        "plain",
        f"""<interface type='ethernet'><mac address='{WEB}'/><target dev='mine0' managed='no'/><model type='virtio'/>
        </interface>
        <interface type='ethernet'><mac address='{DATABASE}'/>
          <source>
            <ip address='192.0.2.1' prefix='30'/>
            <route address='198.51.100.0' prefix='24' gateway='192.0.2.2' metric='5'/>
          </source>
          <script path='{script}'/><downscript path='{script}'/><model type='e1000e'/>
        </interface>""",
    )
    daemon.virsh("start", "plain")
    device = next(iter(namespace.devices() - {"lo", "br0", "br1", "mine0"}))
    assert "192.0.2.1/30" in namespace.run(f"ip addr show {device}")
    assert f"198.51.100.0/24 via 192.0.2.2 dev {device}" in namespace.run("ip route")
    assert (tmp_path / "ran").read_text().split() == [device]
    daemon.virsh("destroy", "plain")
    eventually(lambda: (tmp_path / "ran").read_text().split() == [device, device])
    assert namespace.devices() == {"lo", "br0", "br1", "mine0"}
    namespace.run("ip link del mine0")
    assert "specified dev doesn't exist" in daemon.virsh("start", "plain", check=False).stderr
    daemon.virsh("undefine", "plain")


def test_macvtap(namespace: Namespace, daemon: Daemon) -> None:
    """It outlives QEMU, and is gone with the guest all the same: destroyed, killed, or found by the next daemon."""
    namespace.need("ip link add ve0 type veth peer name ve1", "the kernel has no veth")
    namespace.run("ip link set ve0 up && ip link set ve1 up && ip addr add 10.8.0.1/24 dev ve1")
    namespace.need("ip link add link ve0 name probe0 type macvtap && ip link del probe0", "the kernel has no macvtap")
    own = namespace.run("cat /sys/class/net/ve0/address").strip()
    card = CARD.format(LOWER, "").replace("'bridge'", "'direct'").replace("bridge='br0'", "dev='ve0' mode='{}'")
    define(daemon, "direct", card.format("bridge").replace("'direct'", "'direct' trustGuestRxFilters='yes'") + PORTS)
    daemon.virsh("start", "direct")
    with console(daemon, "direct") as guest:
        guest.run("ip addr add 10.8.0.2/24 dev eth0")
        assert " 0% packet loss" in guest.run("ping -c 1 -w 20 10.8.0.1")
        guest.run(f"ip link set eth0 address {PLUGGED}")  # this guest is trusted with what it receives
        eventually(lambda: namespace.run("cat /sys/class/net/macvtap0/address").strip() == PLUGGED)
        assert " 0% packet loss" in guest.run("ping -c 1 -w 20 10.8.0.1")
        daemon.virsh("attach-interface", "direct", "direct", "ve0", "--model", "virtio", "--mac", DATABASE, "--live")
        eventually(lambda: "eth1" in guest.run("ls /sys/class/net"))
        assert "macvtap1" in namespace.devices()
        daemon.virsh("detach-interface", "direct", "direct", "--mac", DATABASE, "--live")
        eventually(lambda: "macvtap1" not in namespace.devices())
    rest = {"lo", "br0", "br1", "ve0", "ve1"}
    assert namespace.devices() == {*rest, "macvtap0"}
    assert daemon.virsh("domiflist", "direct").stdout.split()[-5:] == ["macvtap0", "direct", "ve0", "virtio", LOWER]
    daemon.virsh("destroy", "direct")
    eventually(lambda: namespace.devices() == rest)

    define(daemon, "direct", card.format("passthrough"))
    daemon.virsh("start", "direct")
    assert namespace.run("cat /sys/class/net/ve0/address").strip() == LOWER
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: namespace.devices() == rest)
    eventually(lambda: namespace.run("cat /sys/class/net/ve0/address").strip() == own)

    daemon.virsh("start", "direct")
    daemon.kill()
    for pid in daemon.guest_processes():
        os.kill(pid, signal.SIGKILL)
    assert any(name.startswith("macvtap") for name in namespace.devices())
    daemon.start()
    eventually(lambda: namespace.devices() == rest)
    eventually(lambda: namespace.run("cat /sys/class/net/ve0/address").strip() == own)

    namespace.run(
        "ip link add link ve0 name macvtap77 type macvtap && ip link add link ve0 name macvtap78 type macvtap"
    )
    namespace.run(f"ip link set macvtap77 alias guesthouse:{instance(daemon)}:x:ve0:")
    daemon.kill()
    daemon.start()
    eventually(lambda: namespace.devices() == {*rest, "macvtap78"})  # that of others stays
    namespace.run("ip link del ve0; ip link del macvtap78", check=False)


def instance(daemon: Daemon) -> str:
    """The daemon's own mark."""
    return next(daemon.root.rglob("guesthouse-instance")).read_text().strip()


def open_files(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(entry))
    return found
