"""Who may have a PCI device, and what is written to sysfs for it, on a constructed tree.

No hardware is behind it: what the kernel does when a device changes its driver is not shown here.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guesthouse.drivers.nodedev import actions
from guesthouse.drivers.nodedev.driver import NodeDeviceDriver
from guesthouse.errors import InternalError, InvalidArgumentError, LibvirtError, OperationInvalidError
from guesthouse.host.sysfs import HostTree
from guesthouse.places import Places
from tests.support.host_tree import write

ADDRESS, NAME = "0000:03:00.0", "pci_0000_03_00_0"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """A card that its driver has, on a host with an IOMMU and VFIO."""
    made = HostTree.under(tmp_path)
    path = made.sys / "devices/pci0000:00" / ADDRESS
    for name, text in {
        "uevent": "PCI_CLASS=20000\n", "vendor": "0x8086", "device": "0x10c9", "class": "0x020000",
        "driver_override": "(null)", "reset": "", "modalias": "pci:v00008086d000010C9",
    }.items():  # fmt: skip
        write(path / name, text)
    for folder in ("bus/pci/devices", "bus/pci/drivers/igb", "bus/pci/drivers/vfio-pci", "kernel/iommu_groups/1"):
        (made.sys / folder).mkdir(parents=True)
    write(made.sys / "bus/pci/drivers_probe", "")
    (path / "subsystem").symlink_to(made.sys / "bus/pci")
    (made.sys / "bus/pci/devices" / ADDRESS).symlink_to(path)
    hold(made, "igb")
    write(made.dev / "vfio/vfio", "")
    return made


def hold(tree: HostTree, driver: str) -> None:
    link = tree.sys / "bus/pci/devices" / ADDRESS / "driver"
    link.unlink(missing_ok=True)
    link.symlink_to(tree.sys / "bus/pci/drivers" / driver)
    write(link / "unbind", "")


def text(tree: HostTree, path: str) -> str:
    return (tree.sys / "bus/pci" / path).read_text().rstrip("\n")


def make(tree: HostTree) -> NodeDeviceDriver:
    return NodeDeviceDriver(Places.under(tree.sys.parent / "root"), None, {}, tree)


async def detach(tree: HostTree, wanted: str | None = None, name: str = NAME) -> None:
    driver = make(tree)
    try:
        await actions.detach(driver, name, wanted)
    finally:
        await driver.stop()


def test_what_is_refused(tree: HostTree) -> None:
    for wanted, name, error, words in (
        ("kvm", NAME, LibvirtError, "argument unsupported: 'legacy KVM' device assignment is no longer supported"),
        ("igb", NAME, InvalidArgumentError, "driver 'igb' is not a VFIO driver"),
        (None, "computer", InvalidArgumentError, "invalid argument: device computer is not a PCI device"),
        (None, "pci_0000_04_00_0", LibvirtError, "no node device with matching name 'pci_0000_04_00_0'"),
    ):
        with pytest.raises(error, match=words):
            asyncio.run(detach(tree, wanted, name))
    (tree.dev / "vfio/vfio").unlink()
    with pytest.raises(LibvirtError, match="VFIO device assignment is currently not supported on this system"):
        asyncio.run(detach(tree))
    assert text(tree, f"devices/{ADDRESS}/driver_override") == "(null)"


def test_a_bridge_is_not_taken(tree: HostTree) -> None:
    write(tree.sys / "bus/pci/devices" / ADDRESS / "class", "0x060400")
    with pytest.raises(InternalError, match=f"PCI device {ADDRESS} is not assignable"):
        asyncio.run(detach(tree))


def test_the_orders_to_the_kernel(tree: HostTree) -> None:
    """The files do not obey, so the device is then given back to its driver, and the failure told."""
    with pytest.raises(InternalError, match=f"PCI device {ADDRESS} could not be bound to driver 'vfio-pci'"):
        asyncio.run(detach(tree, "vfio"))
    assert text(tree, "drivers/igb/unbind") == ADDRESS
    assert text(tree, "drivers_probe") == ADDRESS
    assert text(tree, f"devices/{ADDRESS}/driver_override").startswith("\n")
    hold(tree, "vfio-pci")
    asyncio.run(detach(tree))  # it is where it is to be


@pytest.mark.parametrize(("held", "given_back"), [("igb", ""), ("vfio-pci", ADDRESS)])
def test_only_what_was_taken_is_given_back(tree: HostTree, held: str, given_back: str) -> None:
    async def run() -> None:
        driver = make(tree)
        await actions.reattach(driver, NAME)
        await driver.stop()

    hold(tree, held)
    asyncio.run(run())
    assert text(tree, f"drivers/{held}/unbind") == given_back


def test_a_guest_keeps_its_device(tree: HostTree) -> None:
    async def run() -> None:
        driver = make(tree)
        driver.holder = lambda address: "web" if address == ADDRESS else None
        for action in (actions.reattach(driver, NAME), actions.reset(driver, NAME), actions.detach(driver, NAME, None)):
            with pytest.raises(OperationInvalidError, match="is in use by driver QEMU, domain web"):
                await action
        driver.holder = lambda _address: None
        await actions.reset(driver, NAME)
        await driver.stop()

    asyncio.run(run())
    assert text(tree, f"devices/{ADDRESS}/reset") == "1"


def test_a_device_that_cannot_be_reset(tree: HostTree) -> None:
    async def run() -> None:
        driver = make(tree)
        (tree.sys / "bus/pci/devices" / ADDRESS / "reset").unlink()
        with pytest.raises(InternalError, match=f"Unable to reset PCI device {ADDRESS}"):
            await actions.reset(driver, NAME)
        await driver.stop()

    asyncio.run(run())
