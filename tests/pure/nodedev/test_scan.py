"""Devices of a host that is made of files: their names, their parents, and what is told of each kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guesthouse.drivers.nodedev import registry
from guesthouse.drivers.nodedev.scan import Found, again, scan
from guesthouse.errors import LibvirtError
from guesthouse.host.sysfs import HostTree
from guesthouse.model.nodedev.device import format_node_device

UUID = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
ROOT = "devices/pci0000:00"
CARD = f"{ROOT}/0000:00:02.0/0000:03:00.0"
USB = f"{ROOT}/0000:00:14.0/usb1"
HOST = f"{ROOT}/0000:00:1f.2/ata1/host0"
DISK = f"{HOST}/target0:0:0/0:0:0:0"
MDEV = "4b20d080-1b54-4048-85b3-a6a62d165c01"


class Fixture:
    """A `/sys` of files below a directory."""

    def __init__(self, root: Path) -> None:
        self.tree = HostTree.under(root)
        self.sys = self.tree.sys
        self.sys.mkdir(parents=True)

    def add(self, path: str, listed: str, subsystem: str, uevent: str = "", **files: str | bytes) -> None:
        """A device, the folder that lists it, its subsystem, its properties, and its attributes (`__` for a slash)."""
        self.write(f"{path}/uevent", uevent)
        for name, text in files.items():
            self.write(f"{path}/{name.replace('__', '/')}", text)
        self.link(f"{path}/subsystem", f"class/{subsystem}")
        self.link(f"{listed}/{Path(path).name}", path)

    def write(self, path: str, text: str | bytes) -> None:
        place = self.sys / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)

    def link(self, path: str, target: str) -> None:
        place = self.sys / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(self.sys / target, place.parent))

    def udev(self, name: str, text: str) -> None:
        place = self.sys.parent / "run/udev/data" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def pci(self, path: str, klass: str, ids: tuple[str, str], **files: str | bytes) -> None:
        given: dict[str, str | bytes] = {"vendor": ids[0], "device": ids[1], "numa_node": "-1", "config": bytes(256)}
        self.add(path, "bus/pci/devices", "pci", f"PCI_CLASS={klass}\n", **given | files)

    def scan(self) -> dict[str, Found]:
        return scan(self.tree, UUID)

    def text(self, name: str) -> str:
        return format_node_device(self.scan()[name].definition)


def config(kind: int, *, bridge: bool = False) -> bytes:
    """A configuration space with an Express capability of a device of this kind at 0x60."""
    data = bytearray(4096)
    data[0x06], data[0x0E], data[0x34] = 0x10, 1 if bridge else 0, 0x60
    data[0x60], data[0x62] = 0x10, kind << 4
    data[0x6C:0x70] = (7 << 24 | 8 << 4 | 3).to_bytes(4, "little")
    data[0x72:0x74] = (4 << 4 | 1).to_bytes(2, "little")
    return bytes(data)


@pytest.fixture
def host(tmp_path: Path) -> Fixture:
    made = Fixture(tmp_path)
    made.pci(f"{ROOT}/0000:00:02.0", "60400", ("0x8086", "0x0d57"), config=config(4, bridge=True))
    made.pci(
        CARD, "20000", ("0x8086", "0x10c9"), config=config(0), numa_node="1", sriov_totalvfs="7",
        mdev_supported_types__a__name="Small", mdev_supported_types__a__device_api="vfio-pci",
        mdev_supported_types__a__available_instances="4",
    )  # fmt: skip
    made.pci(f"{ROOT}/0000:00:02.0/0000:03:10.0", "20000", ("0x8086", "0x10ca"))
    made.link(f"{CARD}/virtfn0", f"{ROOT}/0000:00:02.0/0000:03:10.0")
    made.link(f"{ROOT}/0000:00:02.0/0000:03:10.0/physfn", CARD)
    made.link(f"{CARD}/iommu_group", "kernel/iommu_groups/14")
    for path in (CARD, f"{ROOT}/0000:00:02.0"):
        made.link(f"kernel/iommu_groups/14/devices/{Path(path).name}", path)
    made.write("bus/pci/drivers/igb/bind", "")
    made.link(f"{CARD}/driver", "bus/pci/drivers/igb")
    made.add(
        f"{CARD}/net/eth7", "class/net", "net", "INTERFACE=eth7\nIFINDEX=9\n",
        address="52:54:00:aa:bb:cc", operstate="up", speed="10000",
    )  # fmt: skip
    made.add(f"{CARD}/{MDEV}", "bus/mdev/devices", "mdev")
    made.link(f"{CARD}/{MDEV}/mdev_type", f"{CARD}/mdev_supported_types/a")
    made.link(f"{CARD}/{MDEV}/iommu_group", "kernel/iommu_groups/20")
    return made


def test_the_computer(host: Fixture) -> None:
    assert "<uuid>00000000-0000-0000-0000-000000000000</uuid>" in host.text("computer")
    host.write("devices/virtual/dmi/id/product_name", "A & B\n")
    host.write("devices/virtual/dmi/id/sys_vendor", "Maker\n")
    text = host.text("computer")
    assert "<product>A &amp; B</product>" in text
    assert "<vendor>Maker</vendor>" in text
    assert f"<uuid>{UUID}</uuid>" in text
    assert host.scan()["computer"].parent is None


def test_a_card_with_functions(host: Fixture) -> None:
    text = host.text("pci_0000_03_00_0")
    for part in (
        f"<path>/sys/{CARD}</path>",
        "<parent>pci_0000_00_02_0</parent>",
        "<driver>\n    <name>igb</name>",
        "<class>0x020000</class>",
        "<capability type='virt_functions' maxCount='7'>\n"
        "      <address domain='0x0000' bus='0x03' slot='0x10' function='0x0'/>",
        "<iommuGroup number='14'>\n      <address domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>",
        "<numa node='1'/>",
        "<link validity='cap' port='7' speed='8' width='8'/>\n      <link validity='sta' speed='2.5' width='4'/>",
        "<type id='a'>\n        <name>Small</name>\n        <deviceAPI>vfio-pci</deviceAPI>\n"
        "        <availableInstances>4</availableInstances>",
    ):
        assert part in text
    function = host.text("pci_0000_03_10_0")
    assert "<capability type='phys_function'>" in function
    assert "pci-express" not in function
    assert "numa" not in function
    assert "<capability type='pci-bridge'/>" in host.text("pci_0000_00_02_0")


def test_what_is_on_the_card(host: Fixture) -> None:
    found = host.scan()
    assert {name: one.parent for name, one in found.items() if one.parent == "pci_0000_03_00_0"} == {
        "net_eth7_52_54_00_aa_bb_cc": "pci_0000_03_00_0",
        f"mdev_{MDEV.replace('-', '_')}_0000_03_00_0": "pci_0000_03_00_0",
    }
    assert "<link speed='10000' state='up'/>" in host.text("net_eth7_52_54_00_aa_bb_cc")
    text = host.text(f"mdev_{MDEV.replace('-', '_')}_0000_03_00_0")
    assert "<type id='a'/>" in text
    assert "<parent_addr>0000:03:00.0</parent_addr>" in text
    assert "<iommuGroup number='20'/>" in text


def test_usb(host: Fixture) -> None:
    host.add(
        f"{USB}/1-2", "bus/usb/devices", "usb", "DEVTYPE=usb_device\nMAJOR=189\nMINOR=2\nDEVNAME=bus/usb/001/003\n",
        busnum="1", devnum="3", idVendor="046d", idProduct="c52b", product="Its \x01own", manufacturer="Maker",
    )  # fmt: skip
    host.add(
        f"{USB}/1-2/1-2:1.0", "bus/usb/devices", "usb", "DEVTYPE=usb_interface\nINTERFACE=3/1/1\n",
        bInterfaceNumber="00", bInterfaceClass="ff", bInterfaceSubClass="01", bInterfaceProtocol="02",
    )  # fmt: skip
    text = host.text("usb_1_2")
    assert "<devnode type='dev'>/dev/bus/usb/001/003</devnode>" in text
    assert "<product id='0xc52b'>Its own</product>" in text
    host.udev("c189:2", "E:ID_MODEL_FROM_DATABASE=Receiver\nE:ID_VENDOR_FROM_DATABASE=Logitech, Inc.\nS:receiver\n")
    text = host.text("usb_1_2")
    assert "<product id='0xc52b'>Receiver</product>" in text
    assert "<vendor id='0x046d'>Logitech, Inc.</vendor>" in text
    assert "<devnode type='link'>/dev/receiver</devnode>" in text
    assert host.scan()["usb_1_2_1_0"].parent == "usb_1_2"
    assert "<class>255</class>" in host.text("usb_1_2_1_0")


def test_disks(host: Fixture) -> None:
    host.add(HOST, "bus/scsi/devices", "scsi", "DEVTYPE=scsi_host\n")
    host.write("class/scsi_host/host0/unique_id", "1")
    host.write("class/fc_host/host0/port_name", "0x1000000012345678")
    host.write("class/fc_host/host0/node_name", "0x2000000012345678")
    host.write("class/fc_host/host0/vport_create", "")
    host.add(f"{HOST}/target0:0:0", "bus/scsi/devices", "scsi", "DEVTYPE=scsi_target\n")
    host.add(DISK, "bus/scsi/devices", "scsi", "DEVTYPE=scsi_device\n", type="5", vendor="QEMU", model="DVD")
    host.add(f"{DISK}/scsi_generic/sg0", "class/scsi_generic", "scsi_generic", "MAJOR=21\nMINOR=0\nDEVNAME=sg0\n")
    host.add(
        f"{DISK}/block/sr0", "class/block", "block", "DEVTYPE=disk\nMAJOR=11\nMINOR=0\nDEVNAME=sr0\n",
        size="10", queue__logical_block_size="2048", removable="1", device__model="DVD",
    )  # fmt: skip
    names = {"scsi_host0", "scsi_target0_0_0", "scsi_0_0_0_0", "scsi_generic_sg0"}
    assert names <= host.scan().keys()
    assert "block_sr0" not in host.scan()  # without udev nobody knows that it is a drive
    host.udev("b11:0", "E:ID_CDROM=1\nE:ID_TYPE=cd\nE:ID_SERIAL=QM-1\nE:ID_CDROM_MEDIA=1\nE:ID_FS_LABEL=Install\n")
    text = host.text("block_sr0_QM_1")
    for part in ("<drive_type>cdrom</drive_type>", "<media_available>1</media_available>", "<media_size>20480<",
                 "<media_label>Install</media_label>", "<parent>scsi_0_0_0_0</parent>"):  # fmt: skip
        assert part in text
    assert "<type>cdrom</type>" in host.text("scsi_0_0_0_0")
    assert registry.capabilities(host.scan()["scsi_host0"]) == ["scsi_host", "fc_host", "vports"]
    found = registry.scsi_host(host.scan().values(), "2000000012345678", "1000000012345678")
    assert found is not None
    assert found.name == "scsi_host0"
    assert registry.scsi_host(host.scan().values(), "1", "2") is None


def test_other_kinds(host: Fixture) -> None:
    host.add(f"{CARD}/drm/renderD128", "class/drm", "drm", "DEVTYPE=drm_minor\nMAJOR=226\nMINOR=128\nDEVNAME=dri/r\n")
    host.add(f"{CARD}/vdpa0", "bus/vdpa/devices", "vdpa", vhost_vdpa__x="")
    host.write(f"{CARD}/vdpa0/vhost-vdpa-0/dev", "")
    host.add("devices/css0/0.0.0001/0.0.0009", "bus/ccw/devices", "ccw", online="1")
    host.add("devices/css0/0.0.0001", "bus/css/devices", "css", dev_busid="0.0.0009")
    host.link("devices/css0/0.0.0001/driver", "bus/css/drivers/io_subchannel")
    host.add("devices/virtual/net/br0", "class/net", "net", "DEVTYPE=bridge\nINTERFACE=br0\n", address="x")
    host.add("devices/virtual/block/loop0", "class/block", "block", "DEVTYPE=disk\nDEVNAME=loop0\n", size="0")
    found = host.scan()
    assert "<type>render</type>" in host.text("drm_renderD128")
    assert "<chardev>/dev/vhost-vdpa-0</chardev>" in host.text("vdpa_vdpa0")
    assert found["ccw_0_0_0009"].parent == "css_0_0_0001"
    assert "<state>online</state>" in host.text("ccw_0_0_0009")
    assert "<devno>0x0009</devno>" in host.text("css_0_0_0001")
    assert not [name for name in found if "br0" in name or "loop" in name]


def test_filters(host: Fixture) -> None:
    found = host.scan()

    def chosen(flags: int) -> set[str]:
        return {device.name for device in registry.chosen(found.values(), flags)}

    assert chosen(0) == set(found)
    assert chosen(registry.ACTIVE | 1 << registry.CAPABILITIES.index("net")) == {"net_eth7_52_54_00_aa_bb_cc"}
    assert chosen(1 << registry.CAPABILITIES.index("mdev_types")) == {"pci_0000_03_00_0"}
    assert chosen(registry.PERSISTENT) == {"computer"}
    assert chosen(registry.TRANSIENT) == set(found) - {"computer"}
    assert chosen(registry.INACTIVE) == set()
    assert chosen(registry.INACTIVE | registry.ACTIVE) == set(found)
    with pytest.raises(LibvirtError, match="Node device not found: no node device with matching name 'x'"):
        registry.with_name(found, "x")


def test_a_device_is_read_again(host: Fixture) -> None:
    known = host.scan()["net_eth7_52_54_00_aa_bb_cc"]
    host.write(f"{CARD}/net/eth7/operstate", "down")
    now = again(known, host.tree)
    assert "<link state='down'/>" in format_node_device(now.definition)
    assert now.parent == known.parent
    (host.sys / f"{CARD}/net/eth7/uevent").unlink()
    assert again(known, host.tree) is known


def test_a_link_that_leads_out_of_sysfs_is_left_alone(host: Fixture, tmp_path: Path) -> None:
    outside = tmp_path / "outside/0000:09:00.0"
    outside.mkdir(parents=True)
    (outside / "uevent").write_text("PCI_CLASS=20000\n")
    (host.sys / "bus/pci/devices/0000:09:00.0").symlink_to(outside)
    assert "pci_0000_09_00_0" not in host.scan()
