"""Virtual functions of a network card: taken from their driver, given to guests, and given back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.support import create_paused, idle_guest, output, until
from tests.support.daemon import Daemon

_PCI = Path("/sys/bus/pci/devices")
MAC = "52:54:00:6d:90:02"


class Card:
    """The lab's card with virtual functions: the name of its network device, and the addresses of two functions."""

    def __init__(self) -> None:
        [device] = [path for path in _PCI.iterdir() if _driver(path.name) == "igb"]
        (device / "sriov_numvfs").write_text("2")
        until(lambda: len(list(device.glob("virtfn*"))) == 2, "the functions are there")
        self.address = device.name
        self.functions = [(device / f"virtfn{number}").resolve().name for number in range(2)]
        for function in self.functions:
            _wait_for_driver(function, "igbvf")
        [self.name] = [path.name for path in (device / "net").iterdir()]
        output("ip", "link", "set", self.name, "up")

    def told(self, number: int) -> str:
        """What the card was told of a function: its line of `ip link`."""
        [line] = [line for line in output("ip", "link", "show", self.name).splitlines() if f" vf {number} " in line]
        return line


@pytest.fixture(scope="module")
def card() -> Iterator[Card]:
    card = Card()
    yield card
    (_PCI / card.address / "sriov_numvfs").write_text("0")


def _driver(address: str) -> str:
    link = _PCI / address / "driver"
    return link.resolve().name if link.exists() else ""


def _wait_for_driver(address: str, name: str) -> None:
    until(lambda: _driver(address) == name, f"{address} belongs to {name}")


def _node_device(address: str) -> str:
    return "pci_" + address.replace(":", "_").replace(".", "_")


def _source(address: str) -> str:
    bus, slot, function = address[5:7], address[8:10], address[11:]
    return f"<address type='pci' domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"


def _assigned(host: Daemon, guest: str) -> list[str]:
    """The addresses of the host's devices that QEMU says the guest has."""
    tree = host.virsh("qemu-monitor-command", guest, "--hmp", "info qtree").stdout
    return re.findall(r'^ *host = "([0-9a-f:.]+)"', tree, re.MULTILINE)


def test_detach_reset_and_reattach(host: Daemon, card: Card) -> None:
    address = card.functions[0]
    name = _node_device(address)
    host.virsh("nodedev-detach", name)
    assert _driver(address) == "vfio-pci"
    assert "<name>vfio-pci</name>" in host.virsh("nodedev-dumpxml", name).stdout
    host.virsh("nodedev-reset", name)
    host.virsh("nodedev-reattach", name)
    assert _driver(address) == "igbvf"
    assert "<name>igbvf</name>" in host.virsh("nodedev-dumpxml", name).stdout


def test_guest_with_an_interface_on_a_function(host: Daemon, card: Card, tmp_path: Path) -> None:
    address = card.functions[0]
    before = card.told(0)
    interface = f"""<interface type='hostdev' managed='yes'><source>{_source(address)}</source>
      <mac address='{MAC}'/><vlan><tag id='42'/></vlan></interface>"""
    create_paused(host, tmp_path, idle_guest("vf", interface))
    try:
        assert _driver(address) == "vfio-pci"
        assert MAC in card.told(0)
        assert "vlan 42" in card.told(0)
        assert _assigned(host, "vf") == [address]
        refused = host.virsh("nodedev-reattach", _node_device(address), check=False)
        assert "is in use by driver QEMU, domain vf" in refused.stderr
        source = f"<source>{_source(card.functions[1])}</source>"
        (tmp_path / "second.xml").write_text(f"<hostdev mode='subsystem' type='pci' managed='yes'>{source}</hostdev>")
        host.virsh("attach-device", "vf", str(tmp_path / "second.xml"), "--live")
        assert _driver(card.functions[1]) == "vfio-pci"
        assert sorted(_assigned(host, "vf")) == sorted(card.functions)
    finally:
        host.virsh("destroy", "vf")
    for function in card.functions:
        _wait_for_driver(function, "igbvf")
    assert card.told(0) == before


def test_network_gives_functions_of_its_card(host: Daemon, card: Card, tmp_path: Path) -> None:
    network = tmp_path / "network.xml"
    network.write_text(f"""<network><name>functions</name>
      <forward mode='hostdev' managed='yes'><pf dev='{card.name}'/></forward></network>""")
    host.virsh("net-create", str(network))
    try:
        interface = f"<interface type='network'><source network='functions'/><mac address='{MAC}'/></interface>"
        create_paused(host, tmp_path, idle_guest("pooled", interface))
        try:
            taken = [address for address in card.functions if _driver(address) == "vfio-pci"]
            assert _assigned(host, "pooled") == taken
            assert MAC in card.told(card.functions.index(taken[0]))
        finally:
            host.virsh("destroy", "pooled")
        _wait_for_driver(taken[0], "igbvf")
    finally:
        host.virsh("net-destroy", "functions")
