"""Looking up devices of the host that guests can have, on a constructed tree.

No hardware is behind it: what the kernel does when a device changes its driver is not shown here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.errors import InternalError, LibvirtError, OperationFailedError
from guesthouse.host import mdev, pci, scsi, usb, vsock
from guesthouse.host.sysfs import HostTree
from tests.support.host_tree import write

CARD = "0000:06:12.5"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """A network card of two functions in one IOMMU group, a bridge beside it, two equal sticks, a disk, a part."""
    made = HostTree.under(tmp_path)
    devices = made.sys / "bus/pci/devices"
    for address, kind, size in (
        (CARD, "0x020000", 4096),
        ("0000:06:12.6", "0x020000", 256),
        ("0000:00:1c.0", "0x060400", 256),
    ):
        write(devices / address / "class", kind)
        write(devices / address / "modalias", "pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00")
        (devices / address / "config").write_bytes(bytes(size))
        write(devices / address / "driver_override", "(null)")
        group = made.sys / "kernel/iommu_groups/7"
        (group / "devices" / address).mkdir(parents=True)
        (devices / address / "iommu_group").symlink_to(group)
    driver = made.sys / "bus/pci/drivers/igb"
    write(driver / "unbind", "")
    (devices / CARD / "driver").symlink_to(driver)
    write(made.sys / "bus/pci/drivers_probe", "")
    for name, bus, number, vendor, product in (
        ("1-1", 1, 2, "046d", "c52b"), ("1-2", 1, 3, "0951", "1666"), ("2-1", 2, 9, "0951", "1666"),
    ):  # fmt: skip
        for file, value in (("busnum", bus), ("devnum", number), ("idVendor", vendor), ("idProduct", product)):
            write(made.sys / "bus/usb/devices" / name / file, str(value))
    (made.sys / "bus/usb/devices/1-1:1.0").mkdir()
    (made.sys / "bus/scsi/devices/3:0:1:2/scsi_generic/sg4").mkdir(parents=True)
    (made.sys / "bus/mdev/devices/53764d0e-85a0-42b4-af5c-2046b460b1dc").mkdir(parents=True)
    return made


def test_pci_device(tree: HostTree) -> None:
    assert pci.device(CARD, tree) == pci.PciDevice(CARD, "igb", 7, True)
    assert pci.device("0000:06:12.6", tree) == pci.PciDevice("0000:06:12.6", None, 7, False)
    assert pci.group_members(7, tree) == ["0000:00:1c.0", CARD, "0000:06:12.6"]
    assert pci.group_members(8, tree) == []
    assert pci.is_bridge("0000:00:1c.0", tree)
    assert not pci.is_bridge(CARD, tree)
    with pytest.raises(InternalError, match=r"Device 0000:09:00.0 not found"):
        pci.device("0000:09:00.0", tree)


def test_express_is_told_by_the_capabilities_where_the_space_is_cut_off(tree: HostTree) -> None:
    space = bytearray(256)
    space[0x06], space[0x34], space[0x40], space[0x41], space[0x50] = 0x10, 0x40, 0x01, 0x50, 0x10
    config = tree.sys / "bus/pci/devices/0000:06:12.6/config"
    config.write_bytes(space)
    assert pci.device("0000:06:12.6", tree).express
    space[0x50], space[0x51] = 0x05, 0x40  # a list that goes round
    config.write_bytes(space)
    assert not pci.device("0000:06:12.6", tree).express


def test_a_device_that_the_kernel_does_not_bind_is_given_back(tree: HostTree) -> None:
    with pytest.raises(InternalError, match=r"could not be bound to driver 'vfio-pci'.*load the module"):
        pci.detach(CARD, pci.vfio_driver(CARD, tree), tree)
    assert (tree.sys / "bus/pci/drivers_probe").read_text().startswith(CARD)
    assert (tree.sys / "bus/pci/drivers/igb/unbind").read_text().startswith(CARD)
    assert (tree.sys / "bus/pci/devices" / CARD / "driver_override").read_text().startswith("\n")
    assert not pci.detach(CARD, "igb", tree)
    with pytest.raises(InternalError, match=r"0000:00:1c.0 is not assignable"):
        pci.detach("0000:00:1c.0", "vfio-pci", tree)


def test_usb_devices(tree: HostTree) -> None:
    assert usb.find(0x046D, 0xC52B, None, tree) == (1, 2)
    assert usb.find(None, None, (2, 9), tree) == (2, 9)
    assert usb.find(0x0951, 0x1666, (1, 3), tree) == (1, 3)
    with pytest.raises(OperationFailedError, match="Multiple USB devices for 951:1666 were found"):
        usb.find(0x0951, 0x1666, None, tree)
    with pytest.raises(InternalError, match="Did not find USB device 1:2"):
        usb.find(1, 2, None, tree)
    with pytest.raises(InternalError, match="Did not find USB device 46d:c52b bus:1 device:3"):
        usb.find(0x046D, 0xC52B, (1, 3), tree)


def test_scsi_devices(tree: HostTree) -> None:
    assert scsi.generic_device("scsi_host3", 0, 1, 2, tree) == "/dev/sg4"
    with pytest.raises(LibvirtError, match="SCSI device scsi_host3:0:1:9 not found"):
        scsi.generic_device("scsi_host3", 0, 1, 9, tree)
    with pytest.raises(InternalError, match="Cannot parse adapter 'host3'"):
        scsi.generic_device("host3", 0, 1, 2, tree)


def test_mediated_devices(tree: HostTree) -> None:
    assert mdev.exists("53764d0e-85a0-42b4-af5c-2046b460b1dc", tree)
    assert not mdev.exists("53764d0e-85a0-42b4-af5c-2046b460b1dd", tree)


def test_a_host_without_vsock_says_what_to_load(tmp_path: Path) -> None:
    with pytest.raises(LibvirtError, match=r"unable to open vhost-vsock device: No such file.*load the kernel module"):
        vsock.claim(None, tmp_path / "vhost-vsock")


@pytest.mark.parametrize("holder", ["vfio-pci", "mlx5_vfio_pci", "own-variant", None, "igb"])
def test_a_device_is_given_back_however_far_its_detaching_came(tree: HostTree, holder: str | None) -> None:
    """What its own driver still has is left alone."""
    device = tree.sys / "bus/pci/devices" / CARD
    (device / "driver").unlink()
    write(device / "driver_override", "vfio-pci")
    if holder is not None:
        write(tree.sys / "bus/pci/drivers" / holder / "unbind", "")
        (device / "driver").symlink_to(tree.sys / "bus/pci/drivers" / holder)
    pci.give_back(CARD, "own-variant", tree)
    assert (device / "driver_override").read_text().startswith("\n")
    probed = (tree.sys / "bus/pci/drivers_probe").read_text().startswith(CARD)
    assert probed == (holder != "igb")
