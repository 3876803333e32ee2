"""The network driver on files and on a tree of fixtures: pools, places, what is on disk, what is taken up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from guesthouse.drivers.network import actions, pools
from guesthouse.drivers.network.completing import complete
from guesthouse.drivers.network.driver import NetworkDriver
from guesthouse.drivers.network.procedures import TABLE
from guesthouse.drivers.network.rules import check
from guesthouse.drivers.network.service import Service
from guesthouse.drivers.network_service import PortRequest
from guesthouse.errors import Code, LibvirtError
from guesthouse.host.sysfs import HostTree
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Inbound
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.places import Places

P = ParamSpec("P")
T = TypeVar("T")

UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
GUEST = "2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de"
BRIDGE = "<bridge name='br0'/>"
POOL = "<interface dev='eth0'/><interface dev='eth1'/>"


class Direct(NetworkDriver):
    """A driver that waits for the disk where it is."""

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        return function(*arguments, **keywords)


def started(root: Path) -> NetworkDriver:
    driver = Direct(Places.under(root), dict(TABLE))
    driver.ships_default = False
    asyncio.run(driver.start())
    return driver


def xml(mode: str = "bridge", inner: str = BRIDGE, forward: str = "", name: str = "net") -> str:
    return f"<network><name>{name}</name><uuid>{UUID}</uuid><forward mode='{mode}'>{forward}</forward>{inner}</network>"


def active(root: Path, text: str) -> tuple[NetworkDriver, Service]:
    driver = started(root)
    asyncio.run(actions.define(driver, text))
    asyncio.run(actions.start(driver, driver.registry.named("net")))
    return driver, Service(driver)


def request(number: int = 1, group: str | None = None, limits: Bandwidth | None = None) -> PortRequest:
    return PortRequest("net", group, "web", GUEST, f"52:54:00:00:00:{number:02x}", limits)


def refusal(work: Awaitable[object]) -> tuple[int, str]:
    async def wait() -> object:
        return await work

    with pytest.raises(LibvirtError) as caught:
        asyncio.run(wait())
    return caught.value.code, caught.value.detail


def connections(driver: NetworkDriver) -> list[int]:
    live = driver.registry.named("net").running()
    assert live.forward is not None
    return [live.connections or 0, *(one.connections or 0 for one in live.forward.interfaces)]


def card(root: Path, *functions: str) -> HostTree:
    """A tree with the card `eth0`; each function is a PCI address, with the name of its network device after a `=`."""
    tree = HostTree.under(root)
    device = tree.sys / "class/net/eth0/device"
    device.mkdir(parents=True)
    for number, function in enumerate(functions):
        address, _, name = function.partition("=")
        folder = tree.sys / "bus/pci/devices" / address
        (folder / "net" / name if name else folder).mkdir(parents=True)
        (folder / "physfn").symlink_to(device)
        (device / f"virtfn{number}").symlink_to(folder)
    return tree


def test_the_functions_of_a_card_are_a_pool(tmp_path: Path) -> None:
    tree = card(tmp_path, *(f"0000:0b:10.{number}" for number in range(4)), "0000:0b:11.0=eth7")
    definition = parse_network(xml("hostdev", "", "<pf dev='eth0'/>"))
    live = pools.opened(definition, tree)
    assert "<address type='pci' domain='0x0000' bus='0x0b' slot='0x10' function='0x3'/>" in format_network(
        live, live=True
    )
    assert "<address" not in format_network(definition)
    named = pools.opened(parse_network(xml("passthrough", "", "<pf dev='eth0'/>")), tree)
    assert "<interface dev='eth7'/>" in format_network(named, live=True)
    with pytest.raises(LibvirtError, match="No usable Vf's present on SRIOV PF eth0"):
        pools.opened(definition, HostTree.under(tmp_path / "nothing"))
    with pytest.raises(LibvirtError, match="No usable Vf's present on SRIOV PF eth0"):
        pools.opened(parse_network(xml("vepa", "", "<pf dev='eth0'/>")), card(tmp_path / "other", "0000:0b:10.0"))
    check(parse_network(xml("hostdev", "", "<address type='pci' bus='0xb' slot='0x10'/>")), tree)


@pytest.mark.parametrize("mode", ["nat", "route", "open", "none"])
def test_modes_that_need_a_bridge_of_their_own(tmp_path: Path, mode: str) -> None:
    text = xml(mode, "<ip address='10.9.0.1' prefix='24'/>")
    if mode == "none":
        text = text.replace("<forward mode='none'></forward>", "")
    driver = started(tmp_path)
    network = asyncio.run(actions.define(driver, text))
    assert "<bridge name='virbr" in format_network(network.current)
    assert "<mac address='52:54:00:" in format_network(network.current)


def test_the_names_of_bridges(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    (tree.sys / "class/net/virbr0").mkdir(parents=True)
    first = parse_network("<network><name>first</name></network>")
    complete(first, [], tree)
    second = parse_network("<network><name>second</name></network>")
    complete(second, [first], tree)
    assert first.bridge is not None
    assert second.bridge is not None
    assert (first.bridge.name, second.bridge.name) == ("virbr1", "virbr2")
    again = parse_network(f"<network><name>first</name><uuid>{first.uuid}</uuid></network>")
    complete(again, [first, second], tree)
    assert again.bridge is not None
    assert again.bridge.name == "virbr1"
    with pytest.raises(LibvirtError, match="bridge name 'virbr1' already in use"):
        complete(parse_network("<network><name>x</name><bridge name='virbr1'/></network>"), [first], tree)


def test_card_and_devices_of_a_pool_together() -> None:
    with pytest.raises(LibvirtError, match="mutually exclusive"):
        check(parse_network(xml("vepa", "", "<pf dev='eth0'/><interface dev='eth1'/>")))


def test_a_place_on_a_bridge(tmp_path: Path) -> None:
    groups = (
        "<vlan><tag id='3'/></vlan><portgroup name='lan' default='yes'/>"
        "<portgroup name='dmz'><vlan><tag id='7'/></vlan></portgroup>"
    )
    driver, service = active(tmp_path, xml(inner=BRIDGE + groups + "<port isolated='yes'/>"))
    plain = asyncio.run(service.acquire(request()))
    assert (plain.kind, plain.bridge, plain.isolated) == ("bridge", "br0", True)
    assert plain.vlan is not None
    assert [tag.id for tag in plain.vlan.tags] == [3]
    other = asyncio.run(service.acquire(request(2, "dmz")))
    assert other.vlan is not None
    assert [tag.id for tag in other.vlan.tags] == [7]
    assert connections(driver) == [2]
    assert len(list((tmp_path / "run/network/net.ports").iterdir())) == 2

    later = started(tmp_path)  # the next daemon
    assert connections(later) == [2]
    asyncio.run(Service(later).release("net", plain.id))
    asyncio.run(Service(later).release("net", plain.id))
    asyncio.run(Service(later).release("nowhere", plain.id))
    assert connections(later) == [1]
    assert connections(started(tmp_path)) == [1]
    asyncio.run(actions.stop(later, later.registry.named("net")))
    assert list((tmp_path / "run/network").iterdir()) == []
    asyncio.run(Service(later).release("net", other.id))


def test_places_on_devices(tmp_path: Path) -> None:
    driver, service = active(tmp_path, xml("private", "", POOL))
    places = [asyncio.run(service.acquire(request(number))) for number in range(3)]
    assert [(one.kind, one.device, one.mode) for one in places] == [
        ("direct", "eth0", "private"), ("direct", "eth1", "private"), ("direct", "eth0", "private"),
    ]  # fmt: skip
    assert connections(driver) == [3, 2, 1]
    later = started(tmp_path)
    assert connections(later) == [3, 2, 1]
    asyncio.run(Service(later).keep_only({places[2].id}))  # the other guests ended while no daemon ran
    assert connections(later) == connections(started(tmp_path)) == [1, 1, 0]


def test_a_device_is_one_guests_alone(tmp_path: Path) -> None:
    driver, service = active(tmp_path, xml("passthrough", "", POOL))
    first, _ = (asyncio.run(service.acquire(request(number))) for number in range(2))
    none = "network 'net' requires exclusive access to interfaces, but none are available"
    assert refusal(service.acquire(request(3))) == (Code.INTERNAL_ERROR, none)
    asyncio.run(service.release("net", first.id))
    assert asyncio.run(service.acquire(request(3))).device == "eth0"
    assert connections(driver) == [2, 1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (xml("vepa", ""), "network 'net' uses a direct mode, but has no forward dev and no interface pool"),
        (xml("hostdev", ""), "network 'net' requires exclusive access to interfaces, but none are available"),
        (
            xml("bridge", f"{BRIDGE}<virtualport type='midonet'/>"),
            "<virtualport type='midonet'> not supported for network 'net' which uses a bridge device",
        ),
        (
            xml("vepa", "<virtualport type='openvswitch'/>", POOL),
            "<virtualport type='openvswitch'> not supported for network 'net' which uses a macvtap device",
        ),
    ],
)
def test_no_place(tmp_path: Path, text: str, said: str) -> None:
    driver, service = active(tmp_path, text)
    assert refusal(service.acquire(request()))[1] == said
    assert connections(driver)[0] == 0


def test_a_guaranteed_rate_needs_a_bridge_of_the_networks_own(tmp_path: Path) -> None:
    _, service = active(tmp_path, xml())
    limits = new(Bandwidth, inbound=new(Inbound, average=10, floor=5))
    assert refusal(service.acquire(request(limits=limits)))[1].startswith("Invalid use of 'floor' on interface")


def test_ports_of_open_vswitch_have_identifiers(tmp_path: Path) -> None:
    _, service = active(tmp_path, xml(inner=f"{BRIDGE}<virtualport type='openvswitch'/>"))
    ports = [asyncio.run(service.acquire(request(number))).virtual_port for number in range(2)]
    names = {one.parameters.interfaceid for one in ports if one is not None and one.parameters is not None}
    assert len(names) == 2


def test_a_network_that_is_not_there_or_not_active(tmp_path: Path) -> None:
    driver = started(tmp_path)
    missing = "no network with matching name 'net'"
    assert refusal(Service(driver).acquire(request())) == (Code.NO_NETWORK, missing)
    asyncio.run(actions.define(driver, xml()))
    assert refusal(Service(driver).acquire(request())) == (Code.OPERATION_INVALID, "network 'net' is not active")


def test_what_is_on_disk(tmp_path: Path) -> None:
    driver, _ = active(tmp_path, xml())
    network = driver.registry.named("net")
    asyncio.run(actions.mark(driver, network, True))
    folder = tmp_path / "etc/qemu/networks"
    assert (folder / "autostart/net.xml").readlink() == folder / "net.xml"
    assert (tmp_path / "run/network/net.xml").read_text().startswith("<networkstatus>\n  <class_id bitmap='0-2'/>\n")
    asyncio.run(actions.undefine(driver, network))
    assert sorted(path.name for path in folder.rglob("*")) == ["autostart"]
    later = started(tmp_path)
    assert later.registry.named("net").active
    assert not later.registry.named("net").persistent
    asyncio.run(actions.stop(later, later.registry.named("net")))
    assert list(later.registry) == []


def test_files_that_are_no_networks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    active(tmp_path, xml())
    folder, state = tmp_path / "etc/qemu/networks", tmp_path / "run/network"
    (folder / "broken.xml").write_text("<network>")
    (folder / "other.xml").write_text(xml().replace(UUID, GUEST).replace("<name>net", "<name>third"))
    (folder / "copy.xml").write_text(xml(name="copy"))
    (state / "broken.xml").write_text("<networkstatus/>")
    (state / "moved.xml").write_text((state / "net.xml").read_text())
    gone = xml("open", "<bridge name='nowhere7'/><ip address='10.0.0.1' prefix='24'/>", name="gone")
    (state / "gone.xml").write_text(f"<networkstatus>{gone.replace(UUID, GUEST)}</networkstatus>")
    caplog.set_level(logging.WARNING)
    later = started(tmp_path)
    assert [network.name for network in later.registry] == ["net"]
    assert later.registry.named("net").active
    assert later.registry.named("net").persistent
    said = caplog.text
    assert "network 'net' is already defined with uuid" in said
    assert "network 'broken' is not usable" in said
    assert "does not match network name 'third'" in said
    assert "Could not find any 'network' element in status file" in said
    assert "the status file of network 'moved' is that of another network" in said
    assert "network 'gone' was active, but its bridge is gone" in said
    assert not (state / "gone.xml").exists()
