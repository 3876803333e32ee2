"""The programs that configure a host's network do what a document says: ifupdown, systemd-networkd, NetworkManager.

The driver runs here with the host's own places, which only the lab can afford.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.drivers.interface import actions, transaction
from guesthouse.drivers.interface.driver import create
from guesthouse.host import links
from guesthouse.model.interface import format_interface
from guesthouse.places import Places
from tests.lab.support import output, until


@pytest.fixture
def card() -> Iterator[str]:
    """The second card, which nobody has configured; it is down afterwards."""
    drivers = Path("/sys/class/net").glob("*/device/driver")
    [name] = [path.parent.parent.name for path in drivers if path.resolve().name == "e1000e"]
    yield name
    if links.exists("br0"):
        links.delete("br0")
    output("ip", "link", "set", name, "down")
    output("ip", "addr", "flush", "dev", name)


@contextlib.contextmanager
def running(*argv: str) -> Iterator[None]:
    """A program of the host while the block runs; its output is shown where a test fails."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def bus() -> Iterator[None]:
    """The system's message bus, by which the programs are asked."""
    os.makedirs("/run/dbus", exist_ok=True)
    with running("dbus-daemon", "--system", "--nofork", "--nopidfile"):
        until(Path("/run/dbus/system_bus_socket").exists, "the message bus is there")
        yield


@pytest.fixture
def networkd(bus: None) -> Iterator[None]:
    folder = Path("/run/systemd/netif")
    for path in (folder, folder / "links", folder / "leases", folder / "lldp"):
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, "systemd-network")
    with running("/lib/systemd/systemd-networkd"):
        until((folder / "state").exists, "systemd-networkd is there")
        yield
    shutil.rmtree(folder)


@pytest.fixture
def network_manager(bus: None) -> Iterator[None]:
    with running("NetworkManager", "--no-daemon"):
        until(
            lambda: subprocess.run(["nmcli", "-t", "general"], capture_output=True, check=False).returncode == 0,
            "NetworkManager is there",
        )
        yield
    shutil.rmtree("/run/NetworkManager")


def addresses(name: str) -> str:
    """The addresses of a device; none where there is no such device."""
    done = subprocess.run(["ip", "-json", "addr", "show", "dev", name], capture_output=True, text=True, check=False)
    return str([device["addr_info"] for device in json.loads(done.stdout)]) if done.returncode == 0 else ""


def master(name: str) -> str:
    return (
        Path(f"/sys/class/net/{name}/master").resolve().name if Path(f"/sys/class/net/{name}/master").exists() else ""
    )


def bridge_around(card: str, manager: str) -> None:
    """Have a card in a bridge with an address, see that it is so, try something out and take it back, and remove it."""
    xml = f"""<interface type='bridge' name='br0'><start mode='onboot'/>
      <protocol family='ipv4'><ip address='192.0.2.5' prefix='24'/></protocol>
      <bridge stp='off' delay='0'><interface type='ethernet' name='{card}'/></bridge></interface>"""

    async def story() -> None:
        driver = create(Places.system())
        assert driver.configuration.format.name == manager
        await actions.define(driver, xml, validate=False)
        configured = format_interface((await driver.look()).document("br0", configured=True))
        assert f"<interface type='ethernet' name='{card}'>" in configured
        await actions.start(driver, "br0")
        until(lambda: "192.0.2.5" in addresses("br0"), "the bridge has its address")
        until(lambda: master(card) == "br0", "the card is in the bridge")
        await transaction.begin(driver)
        await actions.define(driver, xml.replace("192.0.2.5", "192.0.2.99"), validate=False)
        await transaction.rollback(driver)
        until(lambda: "192.0.2.5" in addresses("br0"), "the bridge has its first address again")
        await actions.stop(driver, "br0")
        until(lambda: "192.0.2.5" not in addresses("br0"), "the bridge has no address")
        await actions.undefine(driver, "br0")
        until(lambda: not links.exists("br0"), "the bridge is gone")
        assert "br0" not in (await driver.look()).configured

    asyncio.run(asyncio.wait_for(story(), 500))


def test_ifupdown(card: str) -> None:
    bridge_around(card, "ifupdown")


def test_systemd_networkd(networkd: None, card: str) -> None:
    bridge_around(card, "systemd-networkd")


def test_network_manager(network_manager: None, card: str) -> None:
    bridge_around(card, "NetworkManager")
