"""Virtual networks with stock clients: virsh and libvirt-python, and the same answers as libvirtd's."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import BIN, SYSTEM_PYTHON, Daemon, need

pytestmark = pytest.mark.stock

UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d01"
BRIDGED = f"<network><name>br</name><uuid>{UUID}</uuid><forward mode='bridge'/><bridge name='br0'/></network>"

#: Everything that can be asked of networks that need nothing of the host, and what came of it, a line each.
STORY = r"""
import threading
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
def uuid(number): return "0a81f5b2-8403-7b23-c8d6-21ccc2f8%04x" % number
def xml(number, name="net", inner="", words="mode='bridge'", forward=""):
    return (f"<network><name>{name}</name><uuid>{uuid(number)}</uuid><forward {words}>{forward}</forward>"
            f"{inner}</network>")
BR = "<bridge name='br0'/>"
def say(what, function, *arguments):
    try:
        got = function(*arguments)
        if isinstance(got, libvirt.virNetwork): got = [got.UUIDString(), got.name()]
        print(what, repr(got))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), error)
heard = []
def lifecycle(conn, network, event, detail, opaque):
    heard.append((opaque, network.name(), network.UUIDString(), event, detail))

net = conn.networkDefineXML(xml(1, inner=BR))
numbers = [conn.networkEventRegisterAny(which, 0, lifecycle, word) for which, word in ((None, "all"), (net, "one"))]
for what, document in (
    ("same", xml(1, inner=BR)), ("other uuid", xml(2, inner=BR)), ("other name", xml(1, "other", BR)),
    ("openvswitch", xml(3, "ovs", BR + "<virtualport type='openvswitch'/>")),
    ("vlans", xml(4, "vlan", BR + "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>")),
    ("groups", xml(5, "groups", BR + "<portgroup name='a' default='yes'/><portgroup name='b'/>")),
    ("two defaults", xml(6, "x", BR + "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>")),
    ("same groups", xml(6, "x", BR + "<portgroup name='a'/><portgroup name='a'/>")),
    ("vepa vlan", xml(6, "x", "<vlan><tag id='1'/></vlan>", "mode='vepa' dev='eth9'")),
    ("vepa limit", xml(6, "x", "<bandwidth><inbound average='1'/></bandwidth>", "mode='vepa' dev='eth9'")),
    ("mac", xml(6, "x", BR + "<mac address='52:54:00:00:00:01'/>")),
    ("ip", xml(6, "x", BR + "<ip address='10.0.0.1' netmask='255.0.0.0'/>")),
    ("domain", xml(6, "x", BR + "<domain name='a'/>")),
    ("dns", xml(6, "x", BR + "<dns><txt name='a' value='b'/></dns>")),
    ("named functions", xml(6, "x", "", "mode='hostdev'", "<interface dev='eth9'/>")),
    ("addresses", xml(6, "x", "", "mode='vepa'", "<address type='pci' bus='3'/>")),
    ("no function", xml(6, "x", "", "mode='hostdev'", "<address type='pci' bus='0x3' slot='0x1f'/>")),
    ("pool", xml(7, "pool", "", "mode='hostdev' managed='yes'", "<pf dev='eth99'/>")),
    ("direct pool", xml(8, "macs", "", "mode='passthrough'", "<pf dev='eth99'/>")),
    ("direct", xml(9, "direct", "", "mode='private'", "<interface dev='eth9'/><interface dev='eth8'/>")),
    ("route", xml(10, "route", "<bridge name='virbr77'/><mac address='52:54:00:00:00:01'/>"
        "<ip address='10.77.0.1' netmask='255.255.255.0'/>", "mode='route'")),
    ("taken bridge", xml(11, "nat", "<bridge name='virbr77'/><ip address='10.78.0.1' netmask='255.255.255.0'/>",
        "mode='nat'")),
    ("no name", "<network/>"), ("root", "<domain/>"), ("slash", xml(6, "a/b", BR)),
):
    say(f"define {what}", conn.networkDefineXML, document)
say("define flags", lambda: conn.networkDefineXMLFlags(xml(1, inner=BR), 2))
say("define validated", lambda: conn.networkDefineXMLFlags(xml(1, inner=BR), 1))
say("create flags", lambda: conn.networkCreateXMLFlags(xml(1, inner=BR), 2))
for name in ("ovs", "vlan", "groups", "pool", "macs", "direct", "route"):
    say(f"xml {name}", lambda: conn.networkLookupByName(name).XMLDesc())
say("by name", conn.networkLookupByName, "net")
say("by unknown name", conn.networkLookupByName, "nowhere")
say("by uuid", conn.networkLookupByUUIDString, uuid(1))
say("by unknown uuid", conn.networkLookupByUUIDString, uuid(99))
def figures(what):
    say(what + " numbers", lambda: [conn.numOfNetworks(), conn.numOfDefinedNetworks()])
    say(what + " lists", lambda: [sorted(conn.listNetworks()), sorted(conn.listDefinedNetworks())])
    for flags in (0, 1, 2, 4, 8, 16, 32, 6, 18, 33, 64):
        say(f"{what} list {flags}", lambda: sorted(n.name() for n in conn.listAllNetworks(flags)))
def about(network):
    for call in (network.isActive, network.isPersistent, network.autostart, network.bridgeName, network.XMLDesc,
                 network.DHCPLeases):
        say(f"about {call.__name__}", call)
    say("about inactive", network.XMLDesc, 1)
    say("about flags", network.XMLDesc, 2)
figures("first")
about(net)
say("bridge of none", conn.networkLookupByName("direct").bridgeName)
say("destroy inactive", net.destroy)
say("start", net.create)
say("start again", net.create)
say("autostart", net.setAutostart, 1)
say("autostart again", net.setAutostart, 1)
about(net)
say("redefine", conn.networkDefineXML, xml(1, inner="<title>new</title><bridge name='br1'/>"))
about(net)
say("start pool", conn.networkLookupByName("pool").create)
say("start macs", conn.networkLookupByName("macs").create)
say("start direct", conn.networkLookupByName("direct").create)
say("create active", conn.networkCreateXML, xml(1, inner=BR))
say("create", conn.networkCreateXML, xml(20, "passing", BR))
passing = conn.networkLookupByName("passing")
say("transient autostart", passing.setAutostart, 1)
say("transient undefine", passing.undefine)
figures("second")
say("undefine", net.undefine)
about(net)
say("destroy", net.destroy)
for what, call in (("destroy", net.destroy), ("start", net.create), ("xml", net.XMLDesc), ("undefine", net.undefine)):
    say(f"gone {what}", call)
say("destroy passing", passing.destroy)
say("make persistent", conn.networkCreateXML, xml(20, "passing", BR))
say("define it", conn.networkDefineXML, xml(20, "passing", BR))
say("destroy it", passing.destroy)
say("is there", passing.isPersistent)
readonly = libvirt.openReadOnly(sys.argv[2])
other = readonly.networkLookupByName("ovs")
say("readonly xml", lambda: other.XMLDesc() == conn.networkLookupByName("ovs").XMLDesc())
for what, call in (("start", other.create), ("destroy", other.destroy), ("undefine", other.undefine)):
    say(f"readonly {what}", call)
say("event", conn.networkEventRegisterAny, None, 2, lifecycle, None)
for network in conn.listAllNetworks():
    if network.isActive(): network.destroy()
    network.undefine()
figures("last")
deadline = time.monotonic() + 10
while ("all", "vlan", uuid(4), 1, 0) not in heard and time.monotonic() < deadline: time.sleep(0.02)
time.sleep(0.3)
for event in sorted(heard): print(*event)
"""


def tell(uri: str, readonly: str) -> list[str]:
    opening = "import sys, time, libvirt\nlibvirt.registerErrorHandler(lambda *a: None, None)\n"
    argv = [SYSTEM_PYTHON, "-c", opening + STORY, uri, readonly]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


_HINT = re.compile(r" \([^()]*\)$")


def test_the_same_answers_as_libvirtds(daemon: Daemon, short_path: Path) -> None:
    """All calls and all events; only a hint at the end of an error is ours."""
    need("virsh")
    daemon.virsh("net-undefine", "default")
    ours = tell(daemon.uri, f"qemu+unix:///system?socket={daemon.readonly_socket}")
    assert "start 0" in ours
    assert "one net 0a81f5b2-8403-7b23-c8d6-21ccc2f80001 2 0" in ours
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    peer = Libvirtd("libvirtd", short_path / "peer")
    try:
        peer.start()
        subprocess.run(
            ["virsh", "-c", peer.uri, "net-undefine", "default"], capture_output=True, timeout=30, check=False
        )
        theirs = tell(peer.uri, peer.uri)
    finally:
        peer.stop()
    assert [_HINT.sub("", line) for line in ours] == [_HINT.sub("", line) for line in theirs]


#: Command lines for virsh and for guest under its name; FOLDER holds `br.xml` and `pool.xml`.
LINES = f"""
net-list
net-define FOLDER/br.xml
net-define FOLDER/br.xml --validate
net-define FOLDER/nowhere
net-list --all
net-list --all --title
net-list --all --name
net-list --all --uuid
net-list --all --uuid --name
net-list --inactive
net-info br
net-info {UUID}
net-info nowhere
net-uuid br
net-uuid {UUID}
net-name br
net-name {UUID}
net-name 0a81f5b2-8403-7b23-c8d6-21ccc2f80d99
net-dumpxml br
net-dumpxml br --xpath //bridge
net-dumpxml br --inactive --xpath //name --wrap
net-start br
net-start br
net-desc br
net-desc br --title
net-desc br some words
net-desc br --live --current
net-desc br --title --config a title
net-desc br --title
net-desc br --config --title
net-desc nowhere
net-metadata br urn:a
net-metadata br urn:a --set <a/>
net-metadata br urn:a --key k --set <a><b>text</b></a>
net-metadata br urn:a
net-metadata br urn:a --live
net-metadata br urn:a --set <a/> --remove
net-metadata br urn:a --remove
net-metadata br urn:a --key k --set <a
net-update br add portgroup <portgroup/>
net-update br add portgroup <portgroup>
net-update br add portgroup <portgroup_name='a'/>
net-update br add-first portgroup <portgroup_name='b'/> --live
net-update br add-last portgroup <portgroup_name='c'/> --config
net-update br modify portgroup <portgroup_name='b'_default='yes'/> --live --config
net-update br delete portgroup <portgroup_name='c'/> --live
net-update br remove portgroup <portgroup_name='c'/>
net-update br add ports <portgroup_name='c'/>
net-update br add portgroup FOLDER/nowhere
net-update br add portgroup FOLDER/group.xml --config --live
net-update br add ip-dhcp-host <host_ip='10.0.0.1'_name='a'/> --parent-index 1
net-update br add ip-dhcp-host <host_ip='10.0.0.1'_name='a'/> --parent-index x
net-dumpxml br
net-dumpxml br --inactive
net-dhcp-leases br
net-dhcp-leases br --mac nobody
net-dhcp-leases nowhere
net-port-list br
net-port-create br FOLDER/port.xml
net-port-create br FOLDER/port.xml
net-port-create br FOLDER/nowhere
net-port-list br
net-port-list br --uuid
net-port-list br --uuid --table
net-port-list br --table
net-port-dumpxml br 11111111-1111-4111-8111-111111111111
net-port-dumpxml br 11111111-1111-4111-8111-111111111111 --xpath //plug
net-port-dumpxml br 11111111-1111-4111-8111-111111111112
net-port-dumpxml br nothing
net-port-delete br 11111111-1111-4111-8111-111111111112
net-port-delete br 11111111-1111-4111-8111-111111111111
net-port-delete br
net-autostart br
net-autostart br --disable
net-autostart nowhere
net-list
net-list --autostart
net-list --no-autostart --persistent
net-undefine br
net-autostart br
net-list --transient
net-undefine br
net-destroy br
net-destroy br
net-create FOLDER/br.xml
net-create FOLDER/br.xml
net-destroy {UUID}
net-define FOLDER/pool.xml
net-start pool
net-undefine pool
net-event
net-event --list
net-event nowhere
net-event --event lifecycle --timeout 1
net-start
net-list --nonsense
help net-nothing
""".strip().splitlines()


def test_the_same_bytes_as_virsh(daemon: Daemon, short_path: Path) -> None:
    need("virsh")
    (short_path / "virsh").symlink_to(BIN / "guest")
    (short_path / "br.xml").write_text(BRIDGED)
    (short_path / "group.xml").write_text("<portgroup name='d'/>")
    (short_path / "port.xml").write_text(
        "<networkport><uuid>11111111-1111-4111-8111-111111111111</uuid><owner><name>web</name>"
        f"<uuid>{UUID}</uuid></owner><mac address='52:54:00:00:00:07'/></networkport>"
    )
    (short_path / "pool.xml").write_text(
        "<network><name>pool</name><forward mode='hostdev' managed='yes'><pf dev='eth99'/></forward></network>"
    )
    told = []
    for program in ("virsh", str(short_path / "virsh")):
        answers = []
        for line in LINES:
            words = [word.replace("_", " ") if word[0] == "<" else word for word in line.split()]
            words = [word.replace("FOLDER", str(short_path)) for word in words]
            done = subprocess.run(
                [program, "-c", daemon.uri, *words], capture_output=True, timeout=30, check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            answers.append((line, done.returncode, done.stdout, done.stderr))
        told.append(answers)
    for theirs, ours in zip(*told, strict=True):
        assert ours == theirs
