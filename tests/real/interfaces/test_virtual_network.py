"""A card on a virtual network: the place that a network service gives it, and gives up again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.netns import Namespace

#: Runs in the namespace: what the driver does with a service that knows one network.
SCRIPT = """
import asyncio, os, sys
from pathlib import Path

from guesthouse.drivers.domain.interfaces import plug as network_plug
from guesthouse.drivers.domain.driver import create
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.network_service import NetworkPort, NoNetworks
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.places import Places

ID = "0e2b2bb4-0a75-4a0a-9d7c-3a0f6f6e1f10"


class Office(NoNetworks):
    async def acquire(self, request):
        if request.network != "office":
            return await super().acquire(request)
        print("acquired", request.guest_name, request.mac, request.portgroup)
        return NetworkPort(ID, "bridge", bridge="br0", mtu=1300, isolated=True)

    async def release(self, network, port):
        print("released", network, port)


async def main():
    driver = create(Places.under(Path(sys.argv[1])))
    driver.networks = Office()
    live = parse_domain(Path(sys.argv[2]).read_text(), live=True)
    run = Run(live, Where(*[Path(sys.argv[1])] * 4))
    first, second = live.devices.interfaces
    wiring = await network_plug.plug(driver, run, first)
    os.system(f"ip link show {first.host_device}; bridge -d link show dev {first.host_device}")
    print([line.strip() for line in format_domain(live, Style(live=True)).splitlines() if "<source network" in line])
    print([line.strip() for line in format_domain(live, Style()).splitlines() if "<source network" in line])
    try:
        await network_plug.plug(driver, run, second)
    except LibvirtError as error:
        print("refused", error.message)
    wiring.close()
    await network_plug.unplug(driver, run, first)
    print("left", first.host_device, first.source.portid)


asyncio.run(main())
"""
DOMAIN = """<domain type='qemu'><name>web</name><uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid><memory>1024</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:00:00:0a'/><source network='office' portgroup='lan'/>
<model type='virtio'/><alias name='net0'/></interface>
<interface type='network'><mac address='52:54:00:00:00:0b'/><source network='nowhere'/>
<model type='virtio'/><alias name='net1'/></interface>
</devices></domain>"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    try:
        made.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        made.need("ip link add br0 type bridge", "the kernel has no bridges")
        yield made
    finally:
        made.close()


def test_a_place_on_a_network(namespace: Namespace, tmp_path: Path) -> None:
    (tmp_path / "try.py").write_text(SCRIPT)
    (tmp_path / "web.xml").write_text(DOMAIN)
    said = namespace.run(f"{sys.executable} {tmp_path}/try.py {tmp_path}/root {tmp_path}/web.xml")
    assert "acquired web 52:54:00:00:00:0a lan" in said
    assert "mtu 1300" in said
    assert "isolated on" in said
    source = "<source network='office' portgroup='lan'{}/>"
    running = source.format(" portid='0e2b2bb4-0a75-4a0a-9d7c-3a0f6f6e1f10' bridge='br0'")
    for shown in (running, source.format("")):
        assert str([shown, "<source network='nowhere'/>"]) in said
    assert "refused Network not found: no network with matching name 'nowhere'" in said
    assert "released office 0e2b2bb4-0a75-4a0a-9d7c-3a0f6f6e1f10" in said
    assert "left None None" in said
    assert namespace.devices() == {"lo", "br0"}
