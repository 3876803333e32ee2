"""What networks ask of a kernel that has everything: bridges that learn nothing, limits of every kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.support import create_paused, idle_guest, output
from tests.support.daemon import Daemon

MAC = "52:54:00:6d:90:11"
NETWORK = """<network><name>told</name><forward mode='nat'/><bridge name='virbr40' macTableManager='libvirt'/>
<bandwidth><inbound average='1000' peak='5000' burst='64'/><outbound average='500'/></bandwidth>
<ip address='10.140.0.1' prefix='24'><dhcp><range start='10.140.0.2' end='10.140.0.9'/></dhcp></ip></network>"""
CARD = f"""<interface type='network'><source network='told'/><mac address='{MAC}'/>
<bandwidth><inbound average='200' floor='100'/></bandwidth></interface>"""


@pytest.fixture
def guest(host: Daemon, tmp_path: Path) -> Iterator[str]:
    """The name of a guest's card on the host, of a network that is active as long as the guest."""
    (tmp_path / "network.xml").write_text(NETWORK)
    host.virsh("net-create", str(tmp_path / "network.xml"))
    try:
        create_paused(host, tmp_path, idle_guest("told", CARD))
        try:
            yield host.virsh("domiflist", "told").stdout.splitlines()[2].split()[0]
        finally:
            host.virsh("destroy", "told")
    finally:
        host.virsh("net-destroy", "told")


def test_bridge_is_told_addresses_and_keeps_limits(host: Daemon, guest: str) -> None:
    assert "vlan_filtering 1" in output("ip", "-d", "link", "show", "virbr40")
    port = output("bridge", "-d", "link", "show", "dev", guest)
    assert "learning off" in port
    assert " flood off" in port
    assert re.search(f"{MAC} .*master virbr40 static", output("bridge", "fdb", "show", "dev", guest))
    assert "class htb 1:3 parent 1:1" in output("tc", "class", "show", "dev", "virbr40")
    assert "police" in output("tc", "filter", "show", "dev", "virbr40", "parent", "ffff:")
    filters = output("tc", "filter", "show", "dev", "virbr40")
    assert "csum" in filters
    assert "flowid 1:3" in filters or "*flowid 1:3" in filters
    host.virsh("domiftune", "told", guest, "--inbound", "300,,,900", "--live")
    assert re.search("class htb 1:3 .*rate 7200Kbit ", output("tc", "class", "show", "dev", "virbr40"))
    refused = host.virsh("domiftune", "told", guest, "--inbound", "300,,,9000", "--live", check=False).stderr
    assert "would overcommit peak=5000 on network 'told'" in refused
