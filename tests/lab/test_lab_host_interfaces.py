"""VLANs and bonds of the host, and bridges on them: what needs a kernel with these drivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.support import output
from tests.support.daemon import Daemon

VLAN = """<interface type='vlan' name='card0.7'>
  <start mode='onboot'/>
  <protocol family='ipv4'><ip address='192.0.2.7' prefix='24'/></protocol>
  <vlan tag='7'><interface name='card0'/></vlan>
</interface>"""
BRIDGED_BOND = """<interface type='bridge' name='br0'>
  <protocol family='ipv4'><ip address='198.51.100.1' prefix='24'/></protocol>
  <bridge stp='off'>
    <interface type='bond' name='bond7'>
      <bond mode='active-backup'>
        <miimon freq='100' updelay='200' carrier='netif'/>
        <interface type='ethernet' name='card2'/>
        <interface type='ethernet' name='card1'/>
      </bond>
    </interface>
  </bridge>
</interface>"""


@pytest.fixture(scope="module")
def cards() -> Iterator[None]:
    for number in range(3):
        output("ip", "link", "add", f"card{number}", "type", "dummy")
    yield
    for number in range(3):
        output("ip", "link", "delete", f"card{number}")


def _define(host: Daemon, folder: Path, xml: str) -> None:
    (folder / "interface.xml").write_text(xml)
    host.virsh("iface-define", str(folder / "interface.xml"))


def _device(name: str) -> dict[str, object]:
    [device] = json.loads(output("ip", "-json", "-details", "addr", "show", "dev", name))
    assert isinstance(device, dict)
    return device


def test_vlan_alone_and_in_a_bridge(host: Daemon, cards: None, tmp_path: Path) -> None:
    _define(host, tmp_path, VLAN)
    host.virsh("iface-start", "card0.7")
    device = _device("card0.7")
    assert device["link"] == "card0"
    assert "'id': 7" in str(device["linkinfo"])
    assert "192.0.2.7" in str(device["addr_info"])
    document = host.virsh("iface-dumpxml", "card0.7").stdout
    assert "<vlan tag='7'>\n    <interface name='card0'/>\n  </vlan>" in document
    host.virsh("iface-bridge", "card0.7", "brlab", "--no-stp")
    assert _device("card0.7")["master"] == "brlab"
    assert "192.0.2.7" in str(_device("brlab")["addr_info"])
    document = host.virsh("iface-dumpxml", "brlab").stdout
    assert "<interface type='vlan' name='card0.7'>" in document
    host.guest("iface-destroy", "brlab")
    assert not Path("/sys/class/net/brlab").exists()
    assert not Path("/sys/class/net/card0.7").exists()
    host.virsh("iface-undefine", "brlab")


def test_bridge_on_a_bond(host: Daemon, cards: None, tmp_path: Path) -> None:
    _define(host, tmp_path, BRIDGED_BOND)
    host.virsh("iface-start", "br0")
    bond = Path("/sys/class/net/bond7/bonding")
    assert (bond / "mode").read_text().split()[0] == "active-backup"
    assert (bond / "primary").read_text().strip() == "card2"
    assert sorted((bond / "slaves").read_text().split()) == ["card1", "card2"]
    assert (bond / "miimon").read_text().strip() == "100"
    assert _device("bond7")["master"] == "br0"
    live = host.virsh("iface-dumpxml", "br0").stdout
    assert "<miimon freq='100' updelay='200' carrier='netif'/>" in live
    assert live.index("'card2'") < live.index("'card1'")
    host.guest("iface-destroy", "br0")
    assert not Path("/sys/class/net/bond7").exists()
    host.virsh("iface-undefine", "br0")
