"""The host's interfaces in a network namespace: bridged and given back, tried out, and brought back after a death."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.netns import Namespace

#: Folders that tell a daemon under `--root` whose configuration counts, with the file that a bridge ends up in.
FORMATS = {
    "network": "network/interfaces",
    "systemd/network": "systemd/network/05-guesthouse-br0.netdev",
    "NetworkManager": "NetworkManager/system-connections/br0.nmconnection",
}
BRIDGE = """<interface type='bridge' name='br7'>
  <start mode='none'/>
  <protocol family='ipv4'><ip address='198.51.100.1' prefix='24'/></protocol>
  <protocol family='ipv6'><ip address='fd00:7::1' prefix='64'/></protocol>
  <bridge stp='on' delay='2'/>
</interface>"""


@pytest.fixture
def network() -> Iterator[Namespace]:
    """A namespace with a card `eth0` that has an address and the way out, and a card `eth1` without."""
    found = Namespace()
    try:
        found.run("ip link set lo up")
        for name in ("eth0", "eth1"):
            found.run(f"ip link add name {name} type veth peer name {name}-far && ip link set {name}-far up")
        found.run("ip addr add 192.0.2.5/24 dev eth0 && ip link set eth0 up && ip route add default via 192.0.2.1")
        yield found
    finally:
        found.close()


@pytest.fixture
def daemon(network: Namespace, short_path: Path) -> Iterator[Daemon]:
    made = network.daemon(short_path / "root")
    try:
        yield made.start()
    finally:
        made.stop()


def addresses(network: Namespace, name: str) -> list[str]:
    """The addresses of a device that are of use beyond the wire."""
    [device] = json.loads(network.run(f"ip -json addr show dev {name}"))
    return [f"{one['local']}/{one['prefixlen']}" for one in device["addr_info"] if one["scope"] == "global"]


def way_out(network: Namespace) -> list[str]:
    return [route["dev"] for route in json.loads(network.run("ip -json route show default"))]


def check_alone(network: Namespace) -> None:
    """The card has its address, and no bridge is left."""
    assert "br0" not in network.devices()
    assert addresses(network, "eth0") == ["192.0.2.5/24"]
    assert way_out(network) == ["eth0"]
    assert "master" not in network.run("ip link show dev eth0")


def check_bridged(network: Namespace) -> None:
    """The bridge has the card and its address."""
    assert addresses(network, "br0") == ["192.0.2.5/24"]
    assert addresses(network, "eth0") == []
    assert way_out(network) == ["br0"]
    assert "master br0" in network.run("ip link show dev eth0")


@pytest.mark.parametrize(("client", "folder"), [*(("guest", folder) for folder in FORMATS), ("virsh", "network")])
def test_bridge_and_unbridge(network: Namespace, short_path: Path, folder: str, client: str) -> None:
    need("virsh")
    (short_path / "root/etc" / folder).mkdir(parents=True)
    daemon = network.daemon(short_path / "root")
    try:
        daemon.start()
        run = daemon.guest if client == "guest" else daemon.virsh
        said = run("iface-bridge", "eth0", "br0", "--delay", "0").stdout
        assert said.split("\n")[:2] == ["Created bridge br0 with attached device eth0", "Bridge interface br0 started"]
        check_bridged(network)
        assert (short_path / "root/etc" / FORMATS[folder]).exists()
        rows = [line.split() for line in run("iface-list").stdout.splitlines()[2:] if line.strip()]
        assert [row[:2] for row in rows] == [
            ["br0", "active"],
            *[[f"eth{n}-far", "active"] for n in (0, 1)],
            ["lo", "active"],
        ]
        document = run("iface-dumpxml", "br0").stdout
        # The kernel takes no delay below two seconds while it keeps a spanning tree.
        assert re.search(r"<bridge stp='on' delay='[02]'>\s*<interface type='ethernet' name='eth0'>", document)
        assert "<start mode='onboot'/>" in document
        assert "<ip address='192.0.2.5' prefix='24'/>" in document
        assert "<route gateway='192.0.2.1'/>" in document
        refused = run("iface-bridge", "eth1", "br0", check=False)
        assert "Network device br0 already exists" in refused.stderr
        refused = run("iface-start", "br0", check=False)
        assert "interface is already running" in refused.stderr
        said = run("iface-unbridge", "br0").stdout
        assert said.split("\n")[:2] == ["Device eth0 un-attached from bridge br0", "Interface eth0 started"]
        check_alone(network)
        assert "br0" not in daemon.guest("iface-list", "--all").stdout
    finally:
        daemon.stop()


def test_definition_start_and_stop(network: Namespace, daemon: Daemon, short_path: Path) -> None:
    document = short_path / "br7.xml"
    document.write_text(BRIDGE)
    assert daemon.guest("iface-define", str(document)).stdout.strip() == f"Interface br7 defined from {document}"
    assert "br7" not in network.devices()
    inactive = json.loads(daemon.guest("iface-list", "--inactive", "--json").stdout)
    assert {"name": "br7", "active": False, "mac": None} in inactive
    daemon.guest("iface-start", "br7")
    assert addresses(network, "br7") == ["198.51.100.1/24", "fd00:7::1/64"]
    mac = daemon.guest("iface-mac", "br7").stdout.strip()
    assert daemon.guest("iface-name", mac).stdout.strip() == "br7"
    assert daemon.virsh("iface-name", mac).stdout.strip() == "br7"
    stated = json.loads(network.run("ip -json -d link show dev br7"))[0]["linkinfo"]["info_data"]
    assert (stated["stp_state"], stated["forward_delay"]) == (1, 200)
    assert "<bridge stp='on' delay='2'>" in daemon.guest("iface-dumpxml", "br7").stdout
    daemon.guest("iface-destroy", "br7")
    assert "br7" not in network.devices()
    editor = "EDITOR=sed -i s/198.51.100.1/198.51.100.2/"
    said = daemon.run("env", editor, str(BIN / "guest"), "-c", daemon.uri, "iface-edit", "br7").stdout
    assert said.strip() == "Interface br7 XML configuration edited."
    assert "address='198.51.100.2'" in daemon.guest("iface-dumpxml", "br7", "--inactive").stdout
    daemon.guest("iface-undefine", "br7")
    gone = daemon.guest("iface-dumpxml", "br7", check=False)
    assert "Interface not found: couldn't find interface named 'br7'" in gone.stderr


def test_a_start_that_fails_leaves_all_as_it_was(network: Namespace, daemon: Daemon, short_path: Path) -> None:
    inside = "".join(f"<interface type='ethernet' name='{name}'/>" for name in ("eth0", "absent"))
    document = short_path / "br0.xml"
    document.write_text(
        "<interface type='bridge' name='br0'><protocol family='ipv4'><ip address='192.0.2.5' prefix='24'/></protocol>"
        f"<bridge>{inside}</bridge></interface>"
    )
    daemon.guest("iface-define", str(document))
    refused = daemon.guest("iface-start", "br0", check=False)
    assert "there is no network device 'absent'" in refused.stderr
    check_alone(network)


#: Documents, and what their refusals say.
REFUSED = [
    ("<interface type='ethernet' name='../../x'/>", "interface name '../../x' is not valid"),
    ("<interface type='ethernet' name='a&#10;b'/>", "is not valid"),
    (
        "<interface type='ethernet' name='eth1'><mac address='52:54:00:00:00:99'/></interface>",
        "and not 52:54:00:00:00:99",
    ),
    ("<interface type='vlan' name='v1'><vlan tag='5'><interface name='v1'/></vlan></interface>", "is on itself"),
    ("<interface type='bridge' name='b'><bridge><interface type='ethernet' name='b'/></bridge></interface>", "twice"),
]


def test_what_no_host_can_do_is_refused(daemon: Daemon, short_path: Path) -> None:
    for xml, text in REFUSED:
        (short_path / "bad.xml").write_text(xml)
        refused = daemon.guest("iface-define", str(short_path / "bad.xml"), check=False)
        assert refused.returncode != 0
        assert text in refused.stderr
        assert not (short_path / "root/etc/network").exists()
    (short_path / "eth1.xml").write_text(
        "<interface type='ethernet' name='eth1'><protocol family='ipv4'><dhcp/></protocol></interface>"
    )
    daemon.guest("iface-define", str(short_path / "eth1.xml"))
    refused = daemon.guest("iface-start", "eth1", check=False)
    assert "interface 'eth1' gets its address by DHCP" in refused.stderr


def test_rollback_after_a_death(network: Namespace, daemon: Daemon, short_path: Path) -> None:
    refused = daemon.guest("iface-rollback", check=False)
    assert "no transaction running, nothing to rollback." in refused.stderr
    (short_path / "br7.xml").write_text(BRIDGE)
    daemon.guest("iface-define", str(short_path / "br7.xml"))
    daemon.guest("iface-start", "br7")
    assert daemon.guest("iface-begin").stdout.strip() == "Network config change transaction started"
    assert "there is another transaction running." in daemon.virsh("iface-begin", check=False).stderr
    daemon.guest("iface-bridge", "eth0", "br0")
    daemon.guest("iface-destroy", "br7")
    daemon.guest("iface-undefine", "br7")
    check_bridged(network)
    daemon.kill()
    daemon.start()
    assert daemon.virsh("iface-rollback").stdout.strip() == "Network config change transaction rolled back"
    check_alone(network)
    assert addresses(network, "br7") == ["198.51.100.1/24", "fd00:7::1/64"]
    assert "no transaction running, nothing to be committed." in daemon.guest("iface-commit", check=False).stderr
    daemon.guest("iface-begin")
    daemon.guest("iface-bridge", "eth0", "br0")
    assert daemon.guest("iface-commit").stdout.strip() == "Network config change transaction committed"
    assert daemon.guest("iface-rollback", check=False).returncode != 0
    check_bridged(network)


def test_rollback_that_was_cut_off_goes_on(network: Namespace, daemon: Daemon, short_path: Path) -> None:
    daemon.guest("iface-begin")
    daemon.guest("iface-bridge", "eth0", "br0")
    kept = short_path / "root/lib/interface/transaction.json"
    noted = json.loads(kept.read_text())
    etc = short_path / "root/etc"
    noted["undone"] = {"network/interfaces": (etc / "network/interfaces").read_text()}
    daemon.kill()
    kept.write_text(json.dumps(noted))
    (etc / "network/interfaces").unlink()  # it had come so far
    daemon.start()
    assert "br0" not in daemon.guest("iface-list", "--all").stdout  # it answers when it has done so
    check_alone(network)
    assert not kept.exists()


def test_boot_undoes_what_nobody_committed(network: Namespace, daemon: Daemon, short_path: Path) -> None:
    daemon.guest("iface-begin")
    daemon.guest("iface-bridge", "eth0", "br0", "--no-start")
    kept = short_path / "root/lib/interface/transaction.json"
    noted = json.loads(kept.read_text())
    noted["boot"] = "an earlier one"
    daemon.kill()
    kept.write_text(json.dumps(noted))
    daemon.start()
    assert "br0" not in daemon.guest("iface-list", "--all").stdout
    assert not kept.exists()
    check_alone(network)
