"""Networks with a bridge of their own, on libvirtd and on guesthoused: the same answers to the same changes; and what
libvirtd left active goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import SYSTEM_PYTHON, Daemon, need
from tests.support.netns import Namespace

pytestmark = [pytest.mark.stock, pytest.mark.timeout(240)]

#: Changes of an active network, of its definition, of metadata and of places, and what came of each, a line each.
STORY = r"""
conn = libvirt.open(sys.argv[1])
def say(what, function, *arguments):
    try:
        got = function(*arguments)
        if isinstance(got, libvirt.virNetworkPort): got = got.UUIDString()
        print(what, repr(got))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), error)
net = conn.networkDefineXML('''<network><name>lab</name><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f</uuid>
<forward mode='nat'/><bridge name='virbr7'/><mac address='52:54:00:aa:bb:cc'/><domain name='lab'/>
<dns><host ip='192.168.77.9'><hostname>printer</hostname></host></dns>
<ip address='192.168.77.1' netmask='255.255.255.0'><dhcp><range start='192.168.77.2' end='192.168.77.50'/>
<host mac='52:54:00:aa:00:01' name='one' ip='192.168.77.101'/></dhcp></ip>
<ip family='ipv6' address='fd00:77::1' prefix='64'/>
<portgroup name='slow'><bandwidth><inbound average='10'/></bandwidth></portgroup></network>''')
MODIFY, DELETE, LAST, FIRST = 1, 2, 3, 4
HOST, RANGE, INTERFACE, GROUP, DNS_HOST, TXT, SRV = 4, 5, 7, 9, 10, 11, 12
CHANGES = (
    (LAST, HOST, "<host mac='52:54:00:aa:00:02' ip='192.168.77.102'/>", -1),
    (FIRST, HOST, "<host name='three' ip='192.168.77.103'/>", 0),
    (LAST, HOST, "<host mac='52:54:00:aa:00:02' ip='192.168.77.104'/>", -1),
    (MODIFY, HOST, "<host mac='52:54:00:aa:00:02' name='two' ip='192.168.77.102'/>", -1),
    (MODIFY, HOST, "<host mac='52:54:00:aa:00:09' ip='192.168.77.109'/>", -1),
    (DELETE, HOST, "<host mac='52:54:00:aa:00:01'/>", -1), (DELETE, HOST, "<host name='nobody'/>", -1),
    (LAST, HOST, "<host ip='192.168.77.110'/>", -1), (LAST, HOST, "<host mac='52:54:00:aa:00:03'/>", -1),
    (LAST, HOST, "<host name='six' ip='fd00:77::6'/>", 1), (LAST, HOST, "<host name='x' ip='192.168.77.9'/>", 7),
    (LAST, RANGE, "<range start='192.168.77.60' end='192.168.77.70'/>", -1),
    (LAST, RANGE, "<range start='192.168.78.60' end='192.168.78.70'/>", -1),
    (MODIFY, RANGE, "<range start='192.168.77.60' end='192.168.77.80'/>", -1),
    (DELETE, RANGE, "<range start='192.168.77.2' end='192.168.77.50'/>", -1),
    (DELETE, RANGE, "<range start='192.168.77.2' end='192.168.77.50'/>", -1),
    (LAST, INTERFACE, "<interface dev='lo'/>", -1), (LAST, INTERFACE, "<interface dev='lo'/>", -1),
    (DELETE, INTERFACE, "<interface dev='lo'/>", -1), (DELETE, INTERFACE, "<interface dev='lo'/>", -1),
    (LAST, GROUP, "<portgroup name='fast' default='yes'/>", -1), (LAST, GROUP, "<portgroup name='slow'/>", -1),
    (LAST, GROUP, "<portgroup name='other' default='yes'/>", -1), (MODIFY, GROUP, "<portgroup name='slow'/>", -1),
    (DELETE, GROUP, "<portgroup name='nowhere'/>", -1),
    (LAST, DNS_HOST, "<host ip='192.168.77.10'><hostname>scanner</hostname></host>", -1),
    (LAST, DNS_HOST, "<host ip='192.168.77.10'><hostname>again</hostname></host>", -1),
    (DELETE, DNS_HOST, "<host><hostname>printer</hostname></host>", -1),
    (DELETE, DNS_HOST, "<host ip='192.168.77.99'/>", -1),
    (LAST, TXT, "<txt name='motto' value='at home'/>", -1), (LAST, TXT, "<txt name='motto' value='away'/>", -1),
    (MODIFY, TXT, "<txt name='motto' value='away'/>", -1), (DELETE, TXT, "<txt name='other'/>", -1),
    (FIRST, SRV, "<srv service='sip' protocol='udp' domain='lab' target='pbx.lab' port='5060'/>", -1),
    (LAST, SRV, "<srv service='sip' protocol='udp' domain='lab' target='pbx.lab' port='5061'/>", -1),
    (DELETE, SRV, "<srv service='ldap' protocol='tcp'/>", -1), (DELETE, SRV, "<srv service='sip' protocol='udp'/>", -1),
    (LAST, 1, "<bridge name='x'/>", -1), (LAST, 2, "<domain name='x'/>", -1), (LAST, 3, "<ip/>", -1),
    (LAST, 6, "<forward/>", -1), (LAST, 8, "<pf dev='x'/>", -1), (LAST, 99, "<x/>", -1),
    (99, HOST, "<host mac='52:54:00:aa:00:77' ip='192.168.77.177'/>", -1),
    (LAST, HOST, "<range/>", -1),
)
def changes(what, flags):
    for number, change in enumerate(CHANGES):
        say(f"{what} {number}", net.update, change[0], change[1], change[3], change[2], flags)
say("live of one that is off", net.update, LAST, TXT, -1, "<txt name='a' value='b'/>", 1)
say("flags", net.update, LAST, TXT, -1, "<txt name='a' value='b'/>", 4)
changes("config", 2)
say("defined xml", net.XMLDesc)
print("started", net.create())
say("live xml", net.XMLDesc)
changes("live", 1)
changes("both", 3)
say("live xml", net.XMLDesc)
say("config xml", net.XMLDesc, 1)
def virsh(*words):
    done = subprocess.run(["virsh", "-c", sys.argv[1], *words], capture_output=True, text=True)
    print("virsh", *words, repr(done.stdout + done.stderr))
for flags in ("--current", "--live", "--config"):
    for words in (["net-desc", "lab", flags], ["net-desc", "lab", flags, "some words"], ["net-desc", "lab", flags],
                  ["net-desc", "lab", "--title", flags, "a title"], ["net-desc", "lab", "--title", flags],
                  ["net-metadata", "lab", "urn:k", flags], ["net-metadata", "lab", "urn:k", flags, "--set", "<a/>"],
                  ["net-metadata", "lab", "urn:k", flags, "--key", "k", "--set", "<a><b/></a>"],
                  ["net-metadata", "lab", "urn:k", flags], ["net-desc", "lab", "--title", flags, "a\nb"]):
        virsh(*words)
virsh("net-dumpxml", "lab")
virsh("net-metadata", "lab", "urn:k", "--live", "--config", "--remove")
virsh("net-dumpxml", "lab")
def port(number, inner="", mac=7):
    return (f"<networkport><uuid>11111111-1111-4111-8111-1111111111{number:02d}</uuid><owner><name>web</name>"
            "<uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid></owner>"
            f"<mac address='52:54:00:00:00:{mac:02x}'/>{inner}</networkport>")
FLOOR = "<bandwidth><inbound average='100' floor='{}'/></bandwidth>"
for number, inner, flags in (
    (1, "", 0), (1, "", 0), (2, "<group>fast</group>", 0), (3, "<plug type='bridge' bridge='virbr7'/>", 0),
    (3, "<plug type='bridge' bridge='virbr7'/>", 1), (4, "", 1), (5, "<virtualport type='openvswitch'/>", 0),
    (6, FLOOR.format(2000), 0), (7, FLOOR.format(2500), 0),
    (8, "<bandwidth><inbound average='100'/><outbound average='50' peak='60'/></bandwidth>", 0), (9, "", 4),
):
    say(f"port {number}", net.portCreateXML, port(number, inner), flags)
ports = sorted(net.listAllPorts(), key=lambda one: one.UUIDString())
for one in ports:
    say("port xml", one.XMLDesc)
    say("parameters", one.parameters)
say("set", ports[-1].setParameters, {"inbound.average": 500, "outbound.average": 10})
say("set too much", ports[-1].setParameters, {"inbound.average": 500, "inbound.floor": 4000})
say("parameters", ports[-1].parameters)
say("port xml", ports[-1].XMLDesc)
say("connections", lambda: net.XMLDesc().splitlines()[0])
for one in ports: say("delete", one.delete)
say("delete again", ports[0].delete)
say("connections", lambda: net.XMLDesc().splitlines()[0])
say("leases", net.DHCPLeases)
say("leases of one", net.DHCPLeases, "52:54:00:aa:00:01")
say("leases of nobody", net.DHCPLeases, "nobody")
say("bridge", net.bridgeName)
print("stopped", net.destroy())
say("ports of one that is off", net.listAllPorts)
say("port of one that is off", net.portCreateXML, port(1), 0)
say("xml", net.XMLDesc)
net.undefine()
"""
_HINT = re.compile(r" \([^()]*\)$")
#: What stands in our own words in a text of libvirt's: where in a document something is wrong.
_PLACE = re.compile(r"\(network_update_xml\):\d+: .*|\(metadata_xml\):\d+: .*|at line \d+: .*")


def tell(uri: str) -> list[str]:
    opening = "import subprocess, sys, libvirt\nlibvirt.registerErrorHandler(lambda *a: None, None)\n"
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", opening + STORY, uri], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [_PLACE.sub("PLACE", _HINT.sub("", line)) for line in done.stdout.splitlines()]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))
    path.chmod(0o755)  # dnsmasq is nobody once it has started
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def test_the_same_answers_to_changes_as_libvirtds(folder: Path) -> None:
    need("virsh", "nft", "dnsmasq", "tc")
    host = Namespace()
    daemon = host.daemon(folder / "root")
    try:
        host.need("tc qdisc add dev lo root htb && tc qdisc del dev lo root", "the kernel has no HTB")
        daemon.start()
        ours = tell(daemon.uri)
        assert host.devices() == {"lo"}
    finally:
        daemon.stop()
        host.close()
    assert "started 0" in ours
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    peer = Libvirtd("libvirtd", folder / "peer")
    try:
        peer.start()
        theirs = tell(peer.uri)
    finally:
        peer.stop()
    different = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
    assert different == []
    assert len(ours) == len(theirs)


def test_what_libvirtd_left_active_goes_on(folder: Path) -> None:
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    need("virsh", "nft", "dnsmasq", "nsenter")
    peer, root = Libvirtd("libvirtd", folder / "peer"), folder / "root"
    peer.start()
    holder = subprocess.Popen(["nsenter", f"--target={peer.pid()}", "--net", "sleep", "infinity"])
    prefix = ("nsenter", f"--target={holder.pid}", "--net")
    try:
        started = subprocess.run(
            ["virsh", "-c", peer.uri, "net-start", "default"], capture_output=True, text=True, timeout=60, check=False
        )
        if started.returncode:
            pytest.skip(f"libvirtd cannot start a network here: {started.stderr.strip()}")
    finally:
        peer.stop()
    for theirs, ours in (
        ("run/libvirt/network", "run/network"),
        ("etc/qemu/networks", "etc/qemu/networks"),
        ("var/lib/libvirt/dnsmasq", "lib/dnsmasq"),
    ):
        shutil.copytree(peer.folder / theirs, root / ours)
    former = int((root / "run/network/default.pid").read_text())
    daemon = Daemon(root, prefix=prefix)
    try:
        daemon.start()
        assert daemon.virsh("net-list", "--name").stdout.split() == ["default"]
        pid = int((root / "run/network/default.pid").read_text())
        assert pid != former  # its files lie elsewhere now
        assert b"Z" in Path(f"/proc/{former}/stat").read_bytes() if Path(f"/proc/{former}").exists() else True
        rules = subprocess.run(
            [*prefix, "sh", "-c", "iptables-save; nft list tables"], capture_output=True, check=False
        )
        assert b"virbr0" not in rules.stdout
        assert b"table ip libvirt_network" in rules.stdout
        daemon.virsh("net-destroy", "default")
    finally:
        daemon.stop()
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert not os.path.exists(root / "run/network/default.xml")
