"""Section 6.1.2 of the guide: every document and command about virtual networks, as printed, typed through stock virsh
and our own command, in a host of its own with the devices that the text names."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.guide import PROGRAMS, Reader
from tests.support.netns import Namespace

pytestmark = pytest.mark.stock

#: The examples of 6.1.2.2.1, without the numbers of their footnotes. A backslash stands where a line is broken.
NATED = r"""<network>
<name>vnet_nated</name>
<bridge name="virbr1"/>
 <forward mode="nat"/>
 <ip address="192.168.122.1" netmask="255.255.255.0">
  <dhcp>
   <range start="192.168.122.2" end="192.168.122.254"/>
   <host mac="52:54:00:c7:92:da" name="host1.testing.com" \
    ip="192.168.1.101"/>
   <host mac="52:54:00:c7:92:db" name="host2.testing.com" \
    ip="192.168.1.102"/>
   <host mac="52:54:00:c7:92:dc" name="host3.testing.com" \
    ip="192.168.1.103"/>
  </dhcp>
 </ip>
</network>"""
ROUTED = """<network>
 <name>vnet_routed</name>
 <bridge name="virbr1"/>
 <forward mode="route" dev="eth1"/>
 <ip address="192.168.122.1" netmask="255.255.255.0">
  <dhcp>
   <range start="192.168.122.2" end="192.168.122.254"/>
  </dhcp>
 </ip>
</network>"""
ISOLATED = """<network>
 <name>vnet_isolated</name>
 <bridge name="virbr3"/>
 <ip address="192.168.152.1" netmask="255.255.255.0">
  <dhcp>
   <range start="192.168.152.2" end="192.168.152.254"/>
  </dhcp>
 </ip>
 </network>"""
BRIDGED = """<network>
        <name>host-bridge</name>
        <forward mode="bridge"/>
        <bridge name="br0"/>
</network>"""

#: The commands that `virsh help network` names there.
NAMED = (
    "net-autostart net-create net-define net-destroy net-dumpxml net-edit net-event net-info net-list net-name "
    "net-start net-undefine net-update net-uuid"
)


@pytest.fixture(scope="module")
def host() -> Iterator[Namespace]:
    need("ip", "nft", "dnsmasq", "unshare", "nsenter", "virsh")
    made = Namespace()
    try:
        made.need("ip link add br0 type bridge && ip link add eth1 type veth peer name eth1p", "no devices can be made")
        made.need("nft add table ip probe && nft delete table ip probe", "the kernel has no nftables")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def daemon(host: Namespace) -> Iterator[Daemon]:
    folder = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))
    folder.chmod(0o755)  # dnsmasq is nobody once it has started
    made = host.daemon(folder / "root")
    try:
        yield made.start()
    finally:
        made.stop()
        for path in (folder / "root/run/network").glob("*.pid"):
            os.kill(int(path.read_text()), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def written(reader: Reader, xml: str) -> None:
    (reader.daemon.root / "VNET_DEFINITION.xml").write_text(xml.replace("\\\n", "\n"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_section_6_1_2(daemon: Daemon, host: Namespace, program: str) -> None:
    reader = Reader(daemon, program)
    helped = reader.types("sudo virsh help network")
    assert [name for name in NAMED.split() if f" {name} " not in helped] == []
    assert "net-create" in reader.types("sudo virsh help net-create")
    if "default" in reader.types("sudo virsh net-list --all --name"):
        reader.types("sudo virsh net-undefine default")  # it would be in the lists

    written(reader, NATED)  # creating a network
    assert "Network vnet_nated created from VNET_DEFINITION.xml" in reader.types(
        "sudo virsh net-create VNET_DEFINITION.xml"
    )
    assert "192.168.122.1/24" in host.run("ip addr show virbr1")
    hosts = (daemon.root / "lib/dnsmasq/vnet_nated.hostsfile").read_text()
    assert "52:54:00:c7:92:da,192.168.1.101,host1.testing.com\n" in hosts
    reader.types("sudo virsh net-destroy vnet_nated")
    for name, xml in (("vnet_routed", ROUTED), ("vnet_isolated", ISOLATED), ("host-bridge", BRIDGED)):
        written(reader, xml)
        assert f"Network {name} defined from" in reader.types("sudo virsh net-define VNET_DEFINITION.xml")
    for name in ("vnet_routed", "host-bridge"):
        reader.types(f"sudo virsh net-start {name}; sudo virsh net-autostart {name}")

    listed = reader.types("sudo virsh net-list --all")  # listing networks
    assert re.search(r"Name +State +Autostart +Persistent", listed)
    assert re.search(r"vnet_routed +active +yes +yes", listed)
    assert re.search(r"vnet_isolated +inactive +no +yes", listed)
    shown = reader.types("sudo virsh net-info vnet_routed")  # getting details about a network
    for line in ("Name: +vnet_routed", "UUID: +[0-9a-f-]{36}", "Active: +yes", "Autostart: +yes", "Bridge: +virbr1"):
        assert re.search(line, shown)
    assert 'iif "virbr1" oifname "eth1"' in host.run("nft -s list ruleset")

    assert "vnet_isolated" in reader.types("sudo virsh net-list --inactive")  # starting and stopping one
    assert "Network vnet_isolated started" in reader.types("sudo virsh net-start vnet_isolated")
    assert "192.168.152.1/24" in host.run("ip addr show virbr3")
    assert "vnet_isolated" not in reader.types("sudo virsh net-list --inactive")
    assert "Network vnet_isolated destroyed" in reader.types("sudo virsh net-destroy vnet_isolated")
    assert "virbr3" not in host.devices()
    assert "Network vnet_isolated has been undefined" in reader.types("sudo virsh net-undefine vnet_isolated")

    for name in ("vnet_routed", "host-bridge"):
        reader.types(f"sudo virsh net-destroy {name}; sudo virsh net-undefine {name}")
    assert host.devices() == {"lo", "br0", "eth1", "eth1p"}
