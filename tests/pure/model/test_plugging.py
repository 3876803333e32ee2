"""Devices put into guests on paper: where they go, what they are called, and what speaks against them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.aliases import assign_aliases
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement, element_of, format_device, parse_device
from guesthouse.model.domain.device_matching import find, find_alias
from guesthouse.model.domain.devices.address import CcwAddress
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.plugging import Plugged, plug_into_definition, plug_into_guest
from guesthouse.model.qemu_capabilities import QemuCapabilities
from tests.support.capabilities import host_defaults, other_capabilities, qemu_capabilities

DEFAULTS = Defaults()
QEMU = qemu_capabilities()
PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 8


def guest(devices: str = PORTS, extra: str = "", qemu: QemuCapabilities = QEMU) -> Domain:
    domain = parse_domain(
        f"<domain type='qemu'><name>g</name><memory>65536</memory>{extra}<os><type machine='q35'>hvm</type></os>"
        f"<devices>{devices}</devices></domain>"
    )
    complete(domain, qemu, defaults=DEFAULTS)
    return domain


def running(devices: str = PORTS, extra: str = "", qemu: QemuCapabilities = QEMU) -> Domain:
    domain = guest(devices, extra, qemu)
    assign_aliases(domain, qemu)
    return domain


def plug(live: Domain, xml: str) -> Plugged:
    return plug_into_guest(live, parse_device(xml), QEMU, DEFAULTS)


def shown(plugged: Plugged) -> str:
    return format_device(plugged.device, Style(live=True))


def test_card_gets_name_address_and_free_slot() -> None:
    live = running()
    before = format_domain(live, Style(live=True))
    plugged = plug(live, "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>")
    assert "<alias name='net0'/>" in shown(plugged)
    assert "bus='0x03' slot='0x00'" in shown(plugged)
    assert format_domain(live, Style(live=True)) == before
    assert plugged.controllers == ()


def test_names_go_on_from_the_highest() -> None:
    live = running(PORTS + "<interface type='user'><model type='virtio'/></interface>" * 2)
    first = live.devices.interfaces[0]
    live.devices.interfaces.remove(first)
    plugged = plug(live, "<interface type='user'><model type='virtio'/></interface>")
    assert plugged.device.name == "net2"
    plugged = plug(live, "<interface type='user'><model type='virtio'/><alias name='ua-mine'/></interface>")
    assert plugged.device.name == "ua-mine"


def test_cards_of_the_host_are_numbered_with_its_other_devices() -> None:
    source = "<source><address type='pci' domain='0' bus='1' slot='0x10' function='0x{}'/></source>"
    card = f"<interface type='hostdev'><mac address='52:54:00:00:00:01'/>{source.format(0)}</interface>"
    other = f"<hostdev mode='subsystem' type='pci' managed='yes'>{source.format(2)}</hostdev>"
    qemu = replace(QEMU, devices=QEMU.devices | {"vfio-pci"})
    for there, plugged in ((card, other), (other, card)):
        live = running(PORTS + there, qemu=qemu)
        assert plug_into_guest(live, parse_device(plugged), qemu, DEFAULTS).device.name == "hostdev1"


def test_missing_scsi_controllers_come_along_and_are_alike() -> None:
    live = running(PORTS + "<controller type='scsi' index='0' model='virtio-scsi'/>")
    place = "<target dev='sdz' bus='scsi'/><address type='drive' controller='2'/>"
    plugged = plug(live, f"<disk type='file'><source file='/x'/>{place}</disk>")
    assert [(one.index, one.model, one.name) for one in plugged.controllers] == [
        (1, "virtio-scsi", "scsi1"),
        (2, "virtio-scsi", "scsi2"),
    ]
    assert plugged.device.name == "scsi2-0-0-0"
    assert plugged.added[-1] is plugged.device


def test_mainframes_number_what_comes_in_the_channel_subsystem() -> None:
    qemu = other_capabilities("s390x")
    live = parse_domain(
        "<domain type='qemu'><name>g</name><memory>65536</memory><os><type arch='s390x'>hvm</type></os>"
        "<devices><memballoon model='none'/><interface type='user'/></devices></domain>"
    )
    complete(live, qemu, defaults=host_defaults())
    assign_aliases(live, qemu)
    wanted = parse_device("<disk type='file'><source file='/x'/><target dev='sda' bus='scsi'/></disk>")
    plugged = plug_into_guest(live, wanted, qemu, host_defaults())
    assert "<address type='drive'" in shown(plugged)
    address = plugged.controllers[0].address
    assert isinstance(address, CcwAddress)
    assert (address.cssid, address.ssid, address.devno) == (0xFE, 0, 1)


def test_a_controller_is_known_by_its_number() -> None:
    live = running(PORTS + "<controller type='scsi' index='0' model='virtio-scsi'/>")
    nameless = parse_device("<controller type='scsi' model='virtio-scsi'/>")
    with pytest.raises(LibvirtError, match="controller scsi:-1 not found"):
        find(live, nameless, live=True)
    assert find(live, parse_device("<controller type='scsi' index='0'/>"), live=True).name == "scsi0"


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        (
            "<disk type='file'><source file='/y'/><target dev='vda'/></disk>",
            Code.XML_ERROR,
            "target 'vda' duplicated for disk sources '/x' and '/y'",
        ),
        (
            "<interface type='user'><model type='virtio'/><address type='pci' bus='0' slot='0x1d'/></interface>",
            Code.XML_ERROR,
            "The device at PCI address 0000:00:1d.0 requires hotplug capability, but the PCI controller with index='0' "
            "doesn't support hotplug",
        ),
        (
            "<interface type='user'><model type='virtio'/>"
            "<address type='pci' bus='7' slot='0' function='1'/></interface>",
            Code.INTERNAL_ERROR,
            "Only PCI device addresses with function=0 are supported",
        ),
        (
            "<interface type='user'><boot order='1'/></interface>",
            Code.CONFIG_UNSUPPORTED,
            "per-device boot elements cannot be used together with os/boot elements",
        ),
        (
            "<interface type='user'><alias name='ua-disk'/></interface>",
            Code.CONFIG_UNSUPPORTED,
            "non unique alias detected: ua-disk",
        ),
        (
            "<interface type='user'><model type='rtl8139'/></interface>",
            Code.INTERNAL_ERROR,
            "No more available PCI slots",
        ),
        (
            "<memory model='dimm'><target><size unit='MiB'>64</size></target></memory>",
            Code.CONFIG_UNSUPPORTED,
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
        ),
    ],
)
def test_refusals(xml: str, code: int, text: str) -> None:
    disk = "<disk type='file'><source file='/x'/><target dev='vda'/><alias name='ua-disk'/></disk>"
    with pytest.raises(LibvirtError) as caught:
        plug(running(PORTS + disk), xml)
    assert (caught.value.code, caught.value.detail) == (code, text)


def test_no_usb() -> None:
    with pytest.raises(LibvirtError, match="Domain has no USB bus support"):
        plug(running(PORTS + "<controller type='usb' model='none'/>"), "<input type='tablet' bus='usb'/>")


def test_full_usb_gets_no_hub() -> None:
    live = running(PORTS + "<input type='tablet' bus='usb'/>" * 4)
    with pytest.raises(LibvirtError, match="No free USB ports"):
        plug(live, "<input type='tablet' bus='usb'/>")


def test_definition_is_completed_as_a_whole() -> None:
    definition = guest()
    added = parse_device("<disk type='file'><source file='/x'/><target dev='sdb' bus='scsi'/></disk>")
    text = format_domain(plug_into_definition(definition, added, QEMU, DEFAULTS), Style())
    assert "<controller type='scsi' index='0' model='lsilogic'>" in text
    assert "/x" not in format_domain(definition, Style())
    assert "<alias" not in text


def test_disks_stand_in_the_order_of_their_bus() -> None:
    disks = "".join(
        f"<disk type='file'><source file='/{name}'/><target dev='{name}'/></disk>" for name in ("vda", "vdd", "sda")
    )
    for name, place in (("vdb", 1), ("vde", 2), ("vdaa", 2)):
        plugged = plug(running(PORTS + disks), f"<disk type='file'><source file='/n'/><target dev='{name}'/></disk>")
        assert plugged.domain.devices.disks[place].target.dev == name


def test_memory_counts() -> None:
    extra = "<maxMemory slots='2'>262144</maxMemory><cpu><numa><cell id='0' cpus='0' memory='65536'/></numa></cpu>"
    device = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
    live = running(extra=extra)
    plugged = plug(live, device)
    assert (plugged.domain.memory.kib, live.memory.kib) == (131072, 65536)
    assert plugged.device.name == "dimm0"
    with pytest.raises(LibvirtError, match="would exceed domain's maxMemory config size '262144'"):
        plug(live, device.replace(">64<", ">256<"))


CARDS = (
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
)


@pytest.mark.parametrize(
    ("devices", "wanted", "name"),
    [
        (CARDS, "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>", "net0"),
        (CARDS, "<interface type='user'><alias name='net2'/></interface>", "net2"),
        (
            "<disk type='file'><source file='/x'/><target dev='vdc'/></disk>",
            "<disk><target dev='vdc'/></disk>",
            "virtio-disk2",
        ),
        (
            "<rng model='virtio'><backend model='builtin'/></rng>" * 2,
            "<rng model='virtio'><backend model='builtin'/></rng>",
            "rng0",
        ),
        (
            "<channel type='unix'><target type='virtio' name='a'/></channel>"
            "<channel type='unix'><target type='virtio' name='b'/></channel>",
            "<channel type='unix'><target type='virtio' name='b'/></channel>",
            "channel1",
        ),
        ("<input type='tablet' bus='usb'/>", "<input type='tablet' bus='usb'/>", "input0"),
        ("", "<controller type='usb' index='0'/>", "usb"),
        ("", "<watchdog model='itco' action='reset'/>", "watchdog0"),
    ],
)
def test_the_device_that_is_meant(devices: str, wanted: str, name: str) -> None:
    assert find(running(PORTS + devices), parse_device(wanted, live=True), live=True).name == name


@pytest.mark.parametrize(
    ("wanted", "code", "text"),
    [
        (
            "<interface type='user'><mac address='52:54:00:00:00:02'/></interface>",
            Code.OPERATION_FAILED,
            "multiple devices matching MAC address 52:54:00:00:00:02 found",
        ),
        ("<interface type='user'/>", Code.OPERATION_FAILED, "multiple matching devices found"),
        (
            "<interface type='user'><address type='pci' bus='0x20' slot='0'/></interface>",
            Code.DEVICE_MISSING,
            "no device found at address '0000:20:00.0' matching MAC address '(<null>)' and alias '(<null>)'",
        ),
        ("<disk><target dev='vdz'/></disk>", Code.DEVICE_MISSING, "disk vdz not found"),
        ("<controller type='scsi' index='4'/>", Code.DEVICE_MISSING, "controller scsi:4 not found"),
        ("<watchdog model='i6300esb'/>", Code.OPERATION_INVALID, "no matching watchdog was found"),
        (
            "<serial type='pty'/>",
            Code.DEVICE_MISSING,
            "chr type 'serial' device not present in domain configuration",
        ),
    ],
)
def test_nothing_is_meant(wanted: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        find(running(PORTS + CARDS), parse_device(wanted, live=True), live=True)
    assert (caught.value.code, caught.value.detail) == (code, text)


def test_aliases_are_found_and_kept_only_where_they_count() -> None:
    live = running(PORTS + CARDS)
    assert find_alias(live, "net1") is live.devices.interfaces[1]
    with pytest.raises(LibvirtError, match="no device found with alias nothing"):
        find_alias(live, "nothing")
    xml = "<interface type='user'><alias name='net0'/></interface>"
    assert parse_device(xml).device.alias is None
    assert parse_device(xml, live=True).device.alias is not None
    assert parse_device(xml.replace("net0", "ua-0")).device.alias is not None


def test_every_device_of_a_guest_can_stand_alone() -> None:
    live = running(PORTS + CARDS)
    for device in live.devices.all():
        element = element_of(device)
        again = parse_device(format_device(device, Style(live=True)), live=True)
        assert (again.tag, again.field) == (element.tag, element.field)
        assert isinstance(again, DeviceElement)


@pytest.mark.parametrize(("xml", "code"), [("<nonsense/>", 67), ("<lease/>", 67), ("<disk", 35), ("", 35)])
def test_what_is_no_device(xml: str, code: int) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_device(xml)
    assert caught.value.code == code
