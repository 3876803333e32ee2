"""Networks without guests in a host of their own: what starting makes, what changes while they are active, what a
daemon that was killed leaves to the next one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.netns import Namespace

pytestmark = pytest.mark.timeout(240)

WIDE = """<network><name>wide</name><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f</uuid>
<forward mode='nat'><nat ipv6='yes'><port start='5000' end='6000'/></nat></forward>
<bridge name='virbr5' stp='on' delay='3'/><mtu size='1400'/><mac address='52:54:00:aa:bb:cc'/><domain name='wide.test'/>
<dns><forwarder addr='192.0.2.53'/><txt name='first' value='one'/>
<srv service='ldap' protocol='tcp' domain='wide.test' target='server.wide.test' port='389' weight='5'/>
<host ip='192.168.55.9'><hostname>printer</hostname></host></dns>
<bandwidth><inbound average='1000' peak='5000' burst='1024'/></bandwidth>
<ip address='192.168.55.1' netmask='255.255.255.0' localPtr='yes'><tftp root='/tmp'/>
<dhcp><range start='192.168.55.2' end='192.168.55.50'><lease expiry='1' unit='hours'/></range>
<host mac='52:54:00:aa:00:01' name='one' ip='192.168.55.101'/><bootp file='pxe.0' server='192.168.55.3'/></dhcp></ip>
<ip address='10.55.0.1' prefix='16'/>
<ip family='ipv6' address='fd00:55::1' prefix='64'><dhcp><range start='fd00:55::10' end='fd00:55::20'/>
<host id='0:4:7e' name='two' ip='fd00:55::99'/></dhcp></ip>
<route address='172.20.0.0' prefix='16' gateway='192.168.55.7'/>
<portgroup name='slow'><bandwidth><inbound average='10'/></bandwidth></portgroup></network>"""
PLAIN = (
    "<network><name>{name}</name>{forward}<bridge name='{bridge}'/>"
    "<ip address='{ip}' netmask='255.255.255.0'>{dhcp}</ip></network>"
)
#: What the host tells of its bridge and routes, and lines of dnsmasq's configuration.
MADE = (
    "mtu 1400",
    "52:54:00:aa:bb:cc",
    "stp_state 1",
    "forward_delay 300 ",
    "inet 192.168.55.1/24",
    "inet 10.55.0.1/16",
    "inet6 fd00:55::1/64",
    "172.20.0.0/16 via 192.168.55.7 dev virbr5",
)
CONFIGURED = """interface=virbr5 server=192.0.2.53 no-resolv domain=wide.test local=/55.168.192.in-addr.arpa/
txt-record=first,one srv-host=_ldap._tcp.wide.test,server.wide.test,389,0,5 enable-tftp tftp-root=/tmp
dhcp-range=192.168.55.2,192.168.55.50,255.255.255.0,1h dhcp-boot=pxe.0,,192.168.55.3 enable-ra
dhcp-range=fd00:55::10,fd00:55::20,64 dhcp-option=option:mtu,1400 dhcp-lease-max=66"""
OWNER = "<owner><name>web</name><uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid></owner>"


def dnsmasqs(daemon: Daemon) -> dict[str, list[int]]:
    """The processes that serve networks of this daemon, by the name of the network."""
    folder = f"{daemon.root}/lib/dnsmasq/"
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_text().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        for word in words:
            if word.startswith(f"--conf-file={folder}"):
                found.setdefault(Path(word).stem, []).append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def host() -> Iterator[Namespace]:
    need("ip", "nft", "tc", "dnsmasq", "unshare", "nsenter", "virsh")
    made = Namespace()
    try:
        made.need("ip link add probe0 type bridge && ip link del probe0", "the kernel has no bridges")
        made.need("nft add table ip probe && nft delete table ip probe", "the kernel has no nftables")
        made.need("tc qdisc add dev lo root htb && tc qdisc del dev lo root", "the kernel has no HTB")
        made.run("ip link set lo up")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def daemon(host: Namespace) -> Iterator[Daemon]:
    folder = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))  # which nobody else may enter
    made = host.daemon(folder / "root")
    try:
        yield made.start()
    finally:
        made.stop()
        for pid in (pid for pids in dnsmasqs(made).values() for pid in pids):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def write(daemon: Daemon, name: str, xml: str) -> str:
    path = daemon.root / f"{name}.xml"
    path.write_text(xml)
    return str(path)


def conf(daemon: Daemon, name: str = "wide") -> str:
    return (daemon.root / f"lib/dnsmasq/{name}.conf").read_text()


def test_default_is_defined_and_stopped(daemon: Daemon, host: Namespace) -> None:
    listed = json.loads(daemon.guest("net-list", "--all", "--json").stdout)
    assert [(one["name"], one["active"], one["autostart"]) for one in listed] == [("default", False, False)]
    daemon.virsh("net-start", "default")
    assert "inet 192.168.122.1/24 brd 192.168.122.255" in host.run("ip addr show virbr0")
    shown = daemon.virsh("net-dumpxml", "default").stdout
    assert "<port start='1024' end='65535'/>" in shown
    daemon.virsh("net-destroy", "default")
    daemon.virsh("net-undefine", "default")
    daemon.terminate()
    daemon.start()
    assert daemon.virsh("net-list", "--all", "--name").stdout.split() == []  # it does not come back


def test_what_starting_makes(daemon: Daemon, host: Namespace) -> None:
    daemon.virsh("net-define", write(daemon, "wide", WIDE), "--validate")
    daemon.virsh("net-start", "wide")
    link = host.run("ip -d link show virbr5; ip addr show virbr5; ip route; ip -6 route")
    for part in MADE:
        assert part in link
    assert host.run("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding").split() == ["1", "1"]
    assert host.run("cat /proc/sys/net/ipv6/conf/virbr5/accept_ra").strip() == "0"
    rules = host.run("nft -s list table ip libvirt_network")
    assert 'ip saddr 192.168.55.0/24 iif "virbr5" counter accept' in rules
    assert "meta l4proto tcp ip saddr 10.55.0.0/16 ip daddr != 10.55.0.0/16 counter masquerade to :5000-6000" in rules
    assert "ip6 saddr fd00:55::/64 ip6 daddr != fd00:55::/64 counter masquerade" in host.run(
        "nft -s list table ip6 libvirt_network"
    )
    classes = host.run("tc class show dev virbr5")
    assert re.search(r"class htb 1:1 root .*rate 8(192K|M)bit ceil 40(960K|M)bit", classes)
    assert "class htb 1:2 parent 1:1" in classes
    written = conf(daemon)
    for line in CONFIGURED.split():
        assert f"\n{line}\n" in written
    assert "\nuser=root\n" in written
    hosts = (daemon.root / "lib/dnsmasq/wide.hostsfile").read_text()
    assert hosts == "52:54:00:aa:00:01,192.168.55.101,one\nid:0:4:7e,two,[fd00:55::99]\n"
    assert (daemon.root / "lib/dnsmasq/wide.addnhosts").read_text() == "192.168.55.9\tprinter\t\n"
    assert len(dnsmasqs(daemon)["wide"]) >= 1


#: Section, command, element, more words; and whether it is possible.
CHANGES = (
    ("ip-dhcp-host", "add-first", "<host mac='52:54:00:aa:00:02' ip='192.168.55.102'/>", ""),
    ("ip-dhcp-host", "modify", "<host mac='52:54:00:aa:00:02' name='new' ip='192.168.55.102'/>", ""),
    ("ip-dhcp-host", "delete", "<host mac='52:54:00:aa:00:01'/>", ""),
    ("ip-dhcp-host", "add-last", "<host name='three' ip='fd00:55::98'/>", "--parent-index 2"),
    ("ip-dhcp-host", "add", "<host mac='52:54:00:aa:00:02' ip='192.168.55.103'/>", "existing dhcp host entry"),
    ("ip-dhcp-range", "add", "<range start='192.168.55.60' end='192.168.55.70'/>", ""),
    ("ip-dhcp-range", "delete", "<range start='192.168.55.2' end='192.168.55.50'/>", ""),
    ("ip-dhcp-range", "modify", "<range start='192.168.55.60' end='192.168.55.80'/>", "cannot be modified"),
    ("forward-interface", "add", "<interface dev='lo'/>", ""),
    ("portgroup", "add-last", "<portgroup name='fast' default='yes'/>", ""),
    ("portgroup", "modify", "<portgroup name='slow'/>", ""),
    ("portgroup", "delete", "<portgroup name='nowhere'/>", "couldn't find a portgroup entry"),
    ("dns-host", "add", "<host ip='192.168.55.10'><hostname>scanner</hostname></host>", ""),
    ("dns-txt", "add-first", "<txt name='second' value='two'/>", ""),
    ("dns-txt", "delete", "<txt name='first'/>", ""),
    ("dns-srv", "add", "<srv service='sip' protocol='udp' target='.'/>", ""),
    ("bridge", "modify", "<bridge name='virbr5'/>", "can't update 'bridge' section"),
)
#: What a definition shows afterwards.
CHANGED = (
    "<host mac='52:54:00:aa:00:02' name='new' ip='192.168.55.102'/>",
    "fd00:55::98",
    "192.168.55.60",
    "scanner",
    "second",
    "<portgroup name='fast' default='yes'>",
    "service='sip'",
    "dev='lo'",
)


def test_every_section_changes_while_it_is_active(daemon: Daemon, host: Namespace) -> None:
    number = host.run("cat /sys/class/net/virbr5/ifindex")
    for section, command, element, said in CHANGES:
        words = said.split() if said.startswith("--") else []
        refused = "" if words else said
        done = daemon.virsh("net-update", "wide", command, section, element, "--live", "--config", *words, check=False)
        assert (done.returncode == 0) == (not refused), done.stderr
        assert refused in done.stderr
    for options in ((), ("--inactive",)):
        shown = daemon.virsh("net-dumpxml", "wide", *options).stdout
        for part in CHANGED:
            assert part in shown
        for part in ("aa:00:01", "192.168.55.50", "value='one'", "average='10'"):
            assert part not in shown
    hosts = (daemon.root / "lib/dnsmasq/wide.hostsfile").read_text()
    assert hosts == "52:54:00:aa:00:02,192.168.55.102,new\nid:0:4:7e,two,[fd00:55::99]\nthree,[fd00:55::98]\n"
    written = conf(daemon)
    assert "dhcp-range=192.168.55.60,192.168.55.70,255.255.255.0\n" in written
    assert "txt-record=second,two\n" in written
    assert "txt-record=first" not in written
    assert "srv-host=_sip._udp\n" in written
    assert 'iif "virbr5" oifname "lo" counter accept' in host.run("nft -s list table ip libvirt_network")
    assert host.run("cat /sys/class/net/virbr5/ifindex") == number
    assert len(dnsmasqs(daemon)["wide"]) <= 2  # one, and its helper


def test_what_dnsmasq_refuses_changes_nothing(daemon: Daemon) -> None:
    before, written = daemon.virsh("net-dumpxml", "wide").stdout, conf(daemon)
    bad = "a" * 70
    element = f"<srv service='x' protocol='tcp' target='{bad}' port='1'/>"
    done = daemon.virsh("net-update", "wide", "add", "dns-srv", element, "--live", "--config", check=False)
    assert "dnsmasq of network 'wide' does not start" in done.stderr
    assert daemon.virsh("net-dumpxml", "wide").stdout == before
    assert bad not in daemon.virsh("net-dumpxml", "wide", "--inactive").stdout
    assert conf(daemon) == written
    assert dnsmasqs(daemon)["wide"]


def test_descriptions_and_events(daemon: Daemon) -> None:
    for impact in ("--live", "--config"):
        daemon.virsh("net-desc", "wide", impact, "a wide one")
    hearing = subprocess.Popen(
        ["virsh", "-c", daemon.uri, "net-event", "wide", "metadata-change", "--timeout", "50"],
        stdout=subprocess.PIPE,
        text=True,
    )
    words = ("net-metadata", "wide", "urn:note", "--live")
    while hearing.poll() is None:  # until it hears
        daemon.virsh(*words, "--key", "n", "--set", "<note>hello</note>")
    assert "event 'metadata-change' for network wide: type element, uri urn:note" in hearing.communicate()[0]
    assert daemon.virsh(*words).stdout.strip() == "<note>hello</note>"
    assert daemon.virsh("net-metadata", "wide", "urn:note", "--config").stdout.strip() == ""
    assert '<n:note xmlns:n="urn:note">hello</n:note>' in daemon.virsh("net-dumpxml", "wide").stdout
    for options in ((), ("--config",)):
        assert daemon.virsh("net-desc", "wide", *options).stdout.strip() == "a wide one"
    assert json.loads(daemon.guest("net-desc", "wide", "--title", "--json").stdout) == {"title": None}


def test_dnsmasq_that_ends_is_started_anew(daemon: Daemon) -> None:
    path = daemon.root / "run/network/wide.pid"
    former = path.read_text()
    daemon.terminate()
    daemon.start()
    assert path.read_text() == former  # and the daemon that found it notices its end
    time.sleep(2.1)  # one that ends at once is left alone
    os.kill(int(former), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not path.exists() or path.read_text() in ("", former):
        assert time.monotonic() < deadline, daemon.output
        time.sleep(0.05)
    assert "dnsmasq of network 'wide' has ended" in daemon.output


def test_places_by_hand(daemon: Daemon, host: Namespace) -> None:
    port = f"<networkport><uuid>11111111-1111-4111-8111-111111111111</uuid>{OWNER}<mac address='52:54:00:00:00:07'/>"
    port += "<bandwidth><inbound average='100' floor='600'/></bandwidth></networkport>"
    made = daemon.guest("net-port-create", "wide", write(daemon, "port", port), "--json").stdout
    assert json.loads(made)["uuid"] == "11111111-1111-4111-8111-111111111111"
    shown = daemon.virsh("net-port-dumpxml", "wide", "11111111-1111-4111-8111-111111111111").stdout
    assert "<plug type='network' bridge='virbr5'/>" in shown
    assert "classID='3'" in shown
    assert "class htb 1:3 parent 1:1" in host.run("tc class show dev virbr5")
    greedy = port.replace("1111-4111", "2222-4222").replace("floor='600'", "floor='4500'")
    refused = daemon.virsh("net-port-create", "wide", write(daemon, "greedy", greedy), check=False).stderr
    assert "would overcommit peak=5000 on network 'wide'" in refused
    daemon.kill()
    daemon.start()
    assert json.loads(daemon.guest("net-port-list", "wide", "--json").stdout) == [
        "11111111-1111-4111-8111-111111111111"
    ]
    daemon.virsh("net-port-delete", "wide", "11111111-1111-4111-8111-111111111111")
    assert "1:3" not in host.run("tc class show dev virbr5")


def test_rules_that_drop_what_is_forwarded_are_told(daemon: Daemon, host: Namespace) -> None:
    host.run(
        "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'"
    )
    try:
        xml = PLAIN.format(name="told", forward="<forward/>", bridge="virbr6", ip="192.168.56.1", dhcp="")
        daemon.virsh("net-create", write(daemon, "told", xml))
        mended = "iptables -I DOCKER-USER -i virbr6 -j ACCEPT"
        deadline = time.monotonic() + 10
        while mended not in daemon.output:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        daemon.virsh("net-destroy", "told")
    finally:
        host.run("nft delete table ip filter")


def test_refusals(daemon: Daemon, host: Namespace) -> None:
    taken = PLAIN.format(name="taken", forward="", bridge="virbr6", ip="192.168.55.9", dhcp="")
    refused = daemon.virsh("net-create", write(daemon, "taken", taken), check=False).stderr
    assert "Network is already in use by interface virbr5" in refused
    host.run("ip link add virbr6 type bridge")
    other = PLAIN.format(name="other", forward="", bridge="virbr6", ip="192.168.58.1", dhcp="")
    assert "File exists" in daemon.virsh("net-create", write(daemon, "other", other), check=False).stderr
    assert "virbr6" in host.devices()  # it is somebody else's
    host.run("ip link del virbr6")
    hostile = other.replace("</ip>", "</ip><domain name='a&#10;dhcp-script=/bin/sh'/>")
    assert "more than one line" in daemon.virsh("net-create", write(daemon, "hostile", hostile), check=False).stderr
    if shutil.which("resolvectl") is None:
        registered = other.replace("</ip>", "</ip><domain name='a' localOnly='yes' register='yes'/>")
        assert (
            "systemd-resolved is not available"
            in daemon.virsh("net-create", write(daemon, "registered", registered), check=False).stderr
        )
    odd = other.replace("<bridge", "<forward dev='x\"; flush ruleset'/><bridge")
    assert (
        "is not the name of a network device"
        in daemon.virsh("net-create", write(daemon, "odd", odd), check=False).stderr
    )
    assert "virbr6" not in host.devices()
    assert daemon.virsh("net-list", "--name").stdout.split() == ["wide"]


def test_stopping_leaves_nothing(daemon: Daemon, host: Namespace) -> None:
    daemon.virsh("net-destroy", "wide")
    assert host.devices() == {"lo"}
    assert "virbr" not in host.run("nft list ruleset")
    assert dnsmasqs(daemon) == {}
    assert list((daemon.root / "run/network").iterdir()) == []
    daemon.virsh("net-undefine", "wide")
    assert [path.name for path in (daemon.root / "lib/dnsmasq").iterdir()] == ["guesthouse-leases"]


def consistent(daemon: Daemon, host: Namespace, names: dict[str, str]) -> set[str]:
    """What of these networks is active; whatever belongs to one is there once, and of the others there is nothing."""
    active = set(daemon.virsh("net-list", "--name").stdout.split())
    rules, serving = host.run("nft -s list ruleset"), dnsmasqs(daemon)
    devices = host.devices()
    for name, bridge in names.items():
        is_active = name in active
        assert (bridge in devices) == is_active
        assert rules.count(f'iif "{bridge}" oif "{bridge}" counter accept') == is_active
        assert len(serving.get(name, [])) in ((1, 2) if is_active else (0,))
        shown = daemon.virsh("net-dumpxml", name).stdout
        kept = daemon.virsh("net-dumpxml", name, "--inactive").stdout
        assert re.findall("<host mac.*", shown) == re.findall("<host mac.*", kept)
        if is_active:
            hosts = (daemon.root / f"lib/dnsmasq/{name}.hostsfile").read_text()
            assert len(hosts.splitlines()) == len(re.findall("<host mac", shown))
    assert not [path for path in (daemon.root / "run/network").iterdir() if path.suffix in (".changing", ".updating")]
    return active


#: What the daemon is killed in. What it did not finish is finished by the next one, or never happened.
ORDERS = ("net-start", "net-update", "net-destroy")


def test_a_daemon_that_is_killed_leaves_nothing_half(daemon: Daemon, host: Namespace) -> None:
    names = {}
    for number in range(2):
        names[f"net{number}"] = f"virbr{number}"
        dhcp = f"<dhcp><range start='10.70.{number}.2' end='10.70.{number}.99'/></dhcp>"
        xml = PLAIN.format(
            name=f"net{number}", forward="<forward/>", bridge=f"virbr{number}", ip=f"10.70.{number}.1", dhcp=dhcp
        )
        daemon.virsh("net-define", write(daemon, f"net{number}", xml))
    for moment in range(6):
        name, element = (
            f"net{moment % 2}",
            f"<host mac='52:54:00:bb:00:{moment:02x}' ip='10.70.{moment % 2}.1{moment:02d}'/>",
        )
        order = ORDERS[moment // 2]
        words = ("add", "ip-dhcp-host", element, "--live", "--config") if order == "net-update" else ()
        client = subprocess.Popen(
            ["virsh", "-c", daemon.uri, order, name, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        marks = [daemon.root / f"run/network/{name}{suffix}" for suffix in (".changing", ".updating")]
        while not any(mark.exists() for mark in marks) and client.poll() is None:
            time.sleep(0.001)
        time.sleep(0.004 * (moment % 5))
        daemon.kill()
        client.wait(30)
        daemon.start()
        consistent(daemon, host, names)
    for name in consistent(daemon, host, names):
        daemon.virsh("net-destroy", name)
    assert consistent(daemon, host, names) == set()


def test_limits_of_a_bridge_of_the_hosts(daemon: Daemon, host: Namespace) -> None:
    host.run("ip link add br9 type bridge")
    xml = "<network><name>hosts</name><forward mode='bridge'/><bridge name='br9'/>"
    limits = "<bandwidth><inbound average='1000'/></bandwidth></network>"
    daemon.virsh("net-create", write(daemon, "hosts", xml + limits))
    assert "class htb 1:2 parent 1:1" in host.run("tc class show dev br9")
    daemon.virsh("net-destroy", "hosts")
    assert host.run("tc class show dev br9") == ""
    assert "br9" in host.devices()
    host.run("ip link del br9")
