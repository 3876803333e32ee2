"""Two guests on virtual networks, in a host with another one behind it: who gets which address, and who reaches whom.

Both boot once for all tests, which build on each other in their order: what a guest has got it keeps.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.netns import Namespace
from tests.support.tiny_console import TinyConsole, console, define, eventually

pytestmark = pytest.mark.timeout(240)

NAT = """<network><name>lab</name><forward mode='nat'/><bridge name='virbr7'/><domain name='lab' localOnly='yes'/>
<ip address='192.168.77.1' netmask='255.255.255.0'><dhcp><range start='192.168.77.2' end='192.168.77.99'/>
<host mac='52:54:00:77:00:01' name='alpha' ip='192.168.77.101'/></dhcp></ip>
<ip family='ipv6' address='fd00:77::1' prefix='64'/>
<portgroup name='slow'><bandwidth><inbound average='9000'/></bandwidth></portgroup></network>"""
ROUTED = """<network><name>routed</name><forward mode='route' dev='outside0'/><bridge name='virbr8'/>
<ip address='10.66.0.1' netmask='255.255.255.0'/></network>"""
ALONE = (
    """<network><name>alone</name><bridge name='virbr9'/><ip address='10.67.0.1' netmask='255.255.255.0'/></network>"""
)
SLOW = "<source network='lab' portgroup='slow'/>"
CARD = "<interface type='network'><mac address='{}'/><source network='{}'/><model type='virtio'/></interface>"
FIRST, SECOND = "52:54:00:77:00:01", "52:54:00:77:00:02"

#: What a guest does with an address: it takes the route and the name server too.
SCRIPT = (
    'printf \'#!/bin/sh\\n[ "$1" = bound ] || exit 0\\nip addr flush dev $interface scope global\\n'
    "ip addr add $ip/$mask dev $interface\\nip route add default via $router\\n"
    "echo search $domain >/etc/resolv.conf\\necho nameserver $dns >>/etc/resolv.conf\\n' "
    ">/tmp/take && chmod +x /tmp/take"
)


@dataclass
class World:
    """A host with its daemon, another host behind it at 203.0.113.2, and two guests' consoles."""

    host: Namespace
    outside: Namespace
    daemon: Daemon
    alpha: TinyConsole
    beta: TinyConsole

    def reaches(self, guest: TinyConsole, address: str, options: str = "-W 10") -> bool:
        """Whether a guest gets an answer from an address."""
        return " 0% packet loss" in guest.run(f"ping -c 1 {options} {address}")


def add(daemon: Daemon, name: str, xml: str) -> None:
    path = daemon.root / f"{name}.xml"
    path.write_text(xml)
    daemon.virsh("net-define", str(path))
    daemon.virsh("net-start", name)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    need("busybox", "ip", "nft", "dnsmasq", "unshare", "nsenter", "virsh")
    host, outside = Namespace(), Namespace()
    folder = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))
    folder.chmod(0o755)  # dnsmasq is nobody once it has started
    daemon = host.daemon(folder / "root")
    try:
        host.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        host.need(
            f"ip link add outside0 type veth peer name inside0 netns /proc/{outside.pid}/ns/net",
            "the kernel has no veth",
        )
        host.need("nft add table ip probe && nft delete table ip probe", "the kernel has no nftables")
        host.run("ip link set lo up; ip addr add 203.0.113.1/24 dev outside0; ip link set outside0 up")
        outside.run("ip link set lo up; ip addr add 203.0.113.2/24 dev inside0; ip link set inside0 up")
        outside.run("ip route add 10.66.0.0/24 via 203.0.113.1; ip route add 10.67.0.0/24 via 203.0.113.1")
        daemon.start()
        for name, xml in (("lab", NAT), ("routed", ROUTED), ("alone", ALONE)):
            add(daemon, name, xml)
        cards = (CARD.format(FIRST, "lab"), CARD.format("52:54:00:77:01:01", "routed"))
        define(daemon, "alpha", "".join((*cards, CARD.format("52:54:00:77:02:01", "alone"))))
        define(daemon, "beta", CARD.format(SECOND, "lab").replace("<source network='lab'/>", SLOW))
        for name in ("alpha", "beta"):
            daemon.virsh("start", name)
        with console(daemon, "alpha") as alpha, console(daemon, "beta") as beta:
            yield World(host, outside, daemon, alpha, beta)
    finally:
        daemon.stop()
        for name in ("lab", "routed", "alone"):
            end_dnsmasq(daemon, name)
        host.close()
        outside.close()
        shutil.rmtree(folder, ignore_errors=True)


def end_dnsmasq(daemon: Daemon, name: str) -> None:
    """End what serves a network of a daemon that has ended."""
    mark = f"--conf-file={daemon.root}/lib/dnsmasq/{name}.conf".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue


def test_guests_get_addresses(world: World) -> None:
    for guest, name in ((world.alpha, "alpha"), (world.beta, "beta")):
        guest.run(SCRIPT)
        said = guest.run(f"killall udhcpc 2>/dev/null; udhcpc -q -n -t 10 -x hostname:{name} -s /tmp/take -i eth0 2>&1")
        assert "192.168.77." in said
    assert "192.168.77.101" in world.alpha.run("ip addr show eth0")
    leases = world.daemon.virsh("net-dhcp-leases", "lab").stdout
    assert re.search(rf"{FIRST} +ipv4 +192\.168\.77\.101/24 +alpha ", leases)
    assert re.search(rf"{SECOND} +ipv4 +192\.168\.77\.\d+/24 +beta ", leases)
    assert FIRST not in world.daemon.virsh("net-dhcp-leases", "lab", SECOND).stdout
    shown = world.daemon.virsh("domifaddr", "alpha", "--source", "lease").stdout
    assert re.search(rf"vnet\d+ +{FIRST} +ipv4 +192\.168\.77\.101/24", shown)


def test_the_host_knows_guests_by_name(world: World) -> None:
    """Libvirt's modules for the C library's look-ups find the leases where libvirt keeps them."""
    modules = Path(".cache/names").resolve()
    if not (modules / "libnss_libvirt.so.2").exists():
        pytest.skip("libvirt's modules for names are not here")
    host = world.host
    # In a file system of its own, where the daemon's leases lie in libvirt's place.
    look = "unshare --mount sh -c 'mount -t tmpfs none /var/lib && mkdir -p /var/lib/libvirt/dnsmasq"
    look += f" && mount --bind {world.daemon.root}/lib/dnsmasq /var/lib/libvirt/dnsmasq"
    look += f" && LD_LIBRARY_PATH={modules} getent -s"
    for service in ("libvirt", "libvirt_guest"):
        assert host.run(f"{look} {service} ahostsv4 alpha'").startswith("192.168.77.101 "), service
    assert host.run(f"{look} libvirt hosts nobody'", check=False) == ""


def test_guests_reach_each_other_and_the_host(world: World) -> None:
    for guest, other in ((world.alpha, "beta"), (world.beta, "alpha.lab")):
        assert world.reaches(guest, other)  # by name
        assert world.reaches(guest, "192.168.77.1")
    assert world.reaches(world.alpha, "fd00:77::1")  # an address that it made itself, as the network advertises
    seen = world.daemon.virsh("domifaddr", "beta", "--source", "arp").stdout
    assert SECOND in seen


def test_a_group_of_ports_limits_its_cards(world: World) -> None:
    device = world.daemon.virsh("domiflist", "beta").stdout.splitlines()[2].split()[0]
    assert "master virbr7" in world.host.run(f"ip link show {device}")
    assert "rate 72Mbit" in world.host.run(f"tc class show dev {device}")
    assert re.search(r"inbound\.average: 9000", world.daemon.virsh("domiftune", "beta", device).stdout)


def test_nat_reaches_beyond_the_host(world: World) -> None:
    assert world.reaches(world.alpha, "203.0.113.2")  # which knows no way to 192.168.77.0
    world.outside.run("ip route add 192.168.77.0/24 via 203.0.113.1")
    try:
        assert " 0 packets received" in world.outside.run("busybox ping -c 1 -W 2 192.168.77.101", check=False)
    finally:
        world.outside.run("ip route del 192.168.77.0/24")


def test_routed_and_isolated_networks(world: World) -> None:
    world.alpha.run("ip addr add 10.66.0.5/24 dev eth1; ip link set eth1 up")
    world.alpha.run("ip addr add 10.67.0.5/24 dev eth2; ip link set eth2 up")
    world.alpha.run("ip route add 203.0.113.2 via 10.66.0.1")
    said = world.outside.run("busybox ping -c 1 -W 10 10.66.0.5", check=False)
    assert " 0% packet loss" in said  # by its own address, from the outside
    assert world.reaches(world.alpha, "203.0.113.2", "-W 10 -I eth1")
    world.alpha.run("ip route del 203.0.113.2")
    assert world.reaches(world.alpha, "10.67.0.1")
    world.alpha.run("ip route add 203.0.113.2 via 10.67.0.1")
    assert not world.reaches(world.alpha, "203.0.113.2", "-W 2 -I eth2")
    world.alpha.run("ip route del 203.0.113.2")
    assert " 0 packets received" in world.outside.run("busybox ping -c 1 -W 2 10.67.0.5", check=False)


def test_an_update_disturbs_nobody(world: World) -> None:
    daemon, link = world.daemon, world.host.run("ip link show virbr7")
    world.alpha.run("(ping -c 25 -i 0.2 203.0.113.2 >/tmp/ping 2>&1 &)")
    for section, element in (
        ("ip-dhcp-host", "<host mac='52:54:00:77:00:09' name='later' ip='192.168.77.109'/>"),
        ("dns-host", "<host ip='192.168.77.1'><hostname>gateway</hostname></host>"),
        ("dns-txt", "<txt name='motto' value='at home'/>"),
        ("ip-dhcp-range", "<range start='192.168.77.110' end='192.168.77.120'/>"),
    ):
        daemon.virsh("net-update", "lab", "add", section, element, "--live", "--config")
    assert world.reaches(world.beta, "gateway")
    world.beta.run("ip link set eth0 down; ip link set eth0 address 52:54:00:77:00:09; ip link set eth0 up")
    assert "192.168.77.109" in world.beta.run("udhcpc -q -n -t 10 -s /tmp/take -i eth0 2>&1")
    world.alpha.run("while pidof ping >/dev/null; do sleep 0.2; done")
    assert "25 packets transmitted, 25 packets received" in world.alpha.run("cat /tmp/ping")
    assert world.host.run("ip link show virbr7") == link


def test_another_daemon_takes_all_of_it_up(world: World) -> None:
    daemon, host = world.daemon, world.host
    pid = (daemon.root / "run/network/lab.pid").read_text()
    rules, links = host.run("nft -s list ruleset"), host.devices()
    ports = daemon.virsh("net-port-list", "lab").stdout
    world.alpha.run("ip route add 203.0.113.2 via 10.66.0.1")
    daemon.kill()
    daemon.start()
    assert (daemon.root / "run/network/lab.pid").read_text() == pid
    assert (host.run("nft -s list ruleset"), host.devices()) == (rules, links)
    assert daemon.virsh("net-port-list", "lab").stdout == ports
    assert sorted(daemon.virsh("net-list", "--name").stdout.split()) == ["alone", "lab", "routed"]
    assert "alpha" in daemon.virsh("net-dhcp-leases", "lab").stdout
    assert " 0% packet loss" in world.outside.run("busybox ping -c 1 -W 10 10.66.0.5", check=False)


def test_cards_come_back_with_their_network(world: World) -> None:
    world.daemon.virsh("net-destroy", "routed")
    world.daemon.virsh("net-start", "routed")
    ping = "busybox ping -c 1 -W 2 10.66.0.5"  # a port of a bridge with STP forwards nothing at first
    eventually(lambda: " 0% packet loss" in world.outside.run(ping, check=False), 60)
    assert "connections='1'" in world.daemon.virsh("net-dumpxml", "routed").stdout


def test_a_guest_that_dies_gives_its_place_back(world: World) -> None:
    daemon = world.daemon
    before = daemon.virsh("net-port-list", "lab", "--uuid").stdout.split()
    macs = daemon.root / "lib/dnsmasq/virbr7.macs"
    assert '"domain": "beta"' in macs.read_text()
    daemon.virsh("destroy", "beta")
    eventually(lambda: len(daemon.virsh("net-port-list", "lab", "--uuid").stdout.split()) == len(before) - 1)
    assert '"domain": "beta"' not in macs.read_text()
