"""Slots, ports and drives: libvirt's rules of assignment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.errors import InternalError, LibvirtError, XmlError
from guesthouse.model.binding import Style
from guesthouse.model.domain.addresses import slots
from guesthouse.model.domain.addresses.slots import Bus, Place, Slots
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.devices.address import PciAddress
from guesthouse.model.domain.document import format_domain, parse_domain
from tests.support.capabilities import host_defaults, qemu_capabilities

PCIE = slots.PCIE | slots.AUTOASSIGN
PCI = slots.PCI | slots.AUTOASSIGN
PORT = slots.CONTROLLER_NEEDS["pcie-root-port"]


def test_express_devices_get_ports_of_their_own() -> None:
    buses = Slots([Bus.of("pcie-root")], growing=True)
    assert [buses.reserve_next(PCIE) for _ in range(3)] == [Place(1, 0), Place(2, 0), Place(3, 0)]
    assert [bus.model for bus in buses.buses] == ["pcie-root", *["pcie-root-port"] * 3]


def test_root_ports_share_slots() -> None:
    buses = Slots([Bus.of("pcie-root")], growing=True)
    assert [buses.reserve_next(PORT) for _ in range(9)][-2:] == [Place(0, 1, 7), Place(0, 2, 0)]


def test_a_conventional_device_brings_bridges() -> None:
    buses = Slots([Bus.of("pcie-root")], growing=True)
    assert buses.reserve_next(PCI) == Place(2, 1)
    assert [bus.model for bus in buses.buses] == ["pcie-root", "pcie-root-port", "pcie-to-pci-bridge"]
    assert buses.reserve_next(PCIE) == Place(3, 0)


def test_a_full_root_brings_a_bridge() -> None:
    buses = Slots([Bus.of("pci-root")], growing=True)
    places = [buses.reserve_next(PCI) for _ in range(32)]
    assert places[0] == Place(0, 1)
    assert places[-1] == Place(1, 1)


def test_without_growing_there_is_an_end() -> None:
    buses = Slots([Bus.of("pcie-root")], growing=False)
    with pytest.raises(InternalError, match="No more available PCI slots"):
        buses.reserve_next(PCIE)


@pytest.mark.parametrize(
    ("place", "needs", "words"),
    [
        (Place(5, 0), PCIE, "Only PCI buses up to 1 are available"),
        (Place(0, 0), PCIE, "slot must be >= 1"),
        (Place(1, 1), PCIE, "slot must be <= 0"),
        (Place(0, 1, 8), PCIE, "function must be <= 7"),
        (Place(1, 0), PORT, "It requires a controller that accepts a pcie-root-port"),
        (Place(1, 0), slots.PCIE | slots.INTEGRATED, "needs to be an integrated device"),
    ],
)
def test_places_that_do_not_suit(place: Place, needs: int, words: str) -> None:
    buses = Slots([Bus.of("pcie-root"), Bus.of("pcie-root-port")], growing=False)
    with pytest.raises(XmlError, match=words):
        buses.reserve(place, needs)


def test_a_given_conventional_device_may_sit_on_express() -> None:
    buses = Slots([Bus.of("pcie-root")], growing=False)
    buses.reserve(Place(0, 5), PCI)
    assert buses.in_use(0, 5)


@given(st.lists(st.sampled_from([PCIE, PCI, PORT]), max_size=40))
def test_no_place_is_given_twice(needs: list[int]) -> None:
    buses = Slots([Bus.of("pcie-root")], growing=True)
    places = [buses.reserve_next(need) for need in needs]
    assert len(set(places)) == len(places)


DEVICE = st.sampled_from(
    [
        "<interface type='user'><model type='virtio'/></interface>",
        "<interface type='user'><model type='e1000'/></interface>",
        "<controller type='scsi' model='virtio-scsi'/>",
        "<controller type='usb' model='qemu-xhci' index='{n}'/>",
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
        "<channel type='pty'><target type='virtio' name='c{n}'/></channel>",
        "<input type='tablet' bus='usb'/>",
        "<disk type='file'><source file='/{n}'/><target dev='vd{letter}' bus='virtio'/></disk>",
        "<disk type='file'><source file='/{n}'/><target dev='sd{letter}' bus='sata'/></disk>",
        "<controller type='pci' model='pcie-root-port'/>",
    ]
)


@given(st.lists(DEVICE, max_size=24), st.sampled_from(["q35", "pc"]))
def test_whatever_is_plugged_in_has_a_place_and_keeps_it(devices: list[str], machine: str) -> None:
    body = "".join(device.format(n=number + 1, letter=chr(97 + number)) for number, device in enumerate(devices))
    if machine == "pc":
        body = body.replace("<controller type='pci' model='pcie-root-port'/>", "")
    else:
        body = "<controller type='pci' index='0' model='pcie-root'/>" + body
    xml = f"""<domain type='qemu'><name>g</name><memory>1024</memory>
      <os><type machine='{machine}'>hvm</type></os><devices>{body}</devices></domain>"""
    domain = parse_domain(xml)
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    taken = [
        (address.bus, address.slot, address.function)
        for device in domain.devices.all()
        if isinstance(address := getattr(device, "address", None), PciAddress)
    ]
    assert len(set(taken)) == len(taken)
    text = format_domain(domain, Style())
    again = parse_domain(text)
    complete(again, qemu_capabilities(), defaults=host_defaults())
    assert format_domain(again, Style()) == text


def test_a_port_stays_free_on_a_new_guest() -> None:
    xml = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='q35'>hvm</type></os>
      <devices><controller type='usb' model='none'/><memballoon model='virtio'/></devices></domain>"""
    domain = parse_domain(xml)
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    assert [controller.index for controller in domain.devices.controllers if controller.type == "pci"] == [0, 1, 2]


def test_a_chip_has_its_fixed_place() -> None:
    xml = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>
      <devices><controller type='usb' index='0' model='piix3-uhci'><address type='pci' slot='4'/></controller></devices>
      </domain>"""
    with pytest.raises(LibvirtError, match=r"must have PCI address 0:0:1\.2"):
        complete(parse_domain(xml), qemu_capabilities(), defaults=host_defaults())
