"""Documents of interfaces as flat links, and back; and which interfaces one look at the host finds."""

from __future__ import annotations

import pytest

from guesthouse.drivers.interface.documents import Seen, document_of, links_of, macs_of
from guesthouse.drivers.interface.kernel import Device
from guesthouse.drivers.interface.link import IPV4, Family, Link, by_name
from guesthouse.drivers.interface.registry import Registry
from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.interface import Link as Cable
from guesthouse.model.interface import format_interface, parse_interface

DOCUMENTS = [
    """<interface type='ethernet' name='eth0'>
  <start mode='hotplug'/>
  <mtu size='1492'/>
  <protocol family='ipv4'>
    <dhcp peerdns='no'/>
  </protocol>
  <protocol family='ipv6'>
    <autoconf/>
    <ip address='fd00::5' prefix='64'/>
    <route gateway='fd00::1'/>
  </protocol>
</interface>
""",
    """<interface type='vlan' name='tagged'>
  <start mode='onboot'/>
  <vlan tag='42'>
    <interface name='eth0'/>
  </vlan>
</interface>
""",
    """<interface type='bond' name='bond0'>
  <start mode='none'/>
  <bond mode='active-backup'>
    <arpmon interval='100' target='192.0.2.1' validate='active'/>
    <interface type='ethernet' name='eth2'>
    </interface>
    <interface type='ethernet' name='eth1'>
    </interface>
  </bond>
</interface>
""",
    """<interface type='bridge' name='br0'>
  <start mode='onboot'/>
  <mtu size='1500'/>
  <bridge stp='off' delay='0.01'>
    <interface type='bond' name='bond0'>
      <bond mode='802.3ad'>
        <miimon freq='100' downdelay='20' updelay='10' carrier='ioctl'/>
        <interface type='ethernet' name='eth1'>
        </interface>
      </bond>
    </interface>
    <interface type='ethernet' name='eth3'>
    </interface>
    <interface type='vlan' name='eth4.7'>
      <vlan tag='7'>
        <interface name='eth4'/>
      </vlan>
    </interface>
  </bridge>
</interface>
""",
]


@pytest.mark.parametrize("xml", DOCUMENTS)
def test_links_say_all_that_documents_say(xml: str) -> None:
    [first, *inside] = links_of(parse_interface(xml))
    links = by_name([first, *inside])
    assert all(link.master in links for link in inside)
    assert format_interface(document_of(links, first.name, {})) == xml


def test_addresses_of_cards_say_which_are_meant() -> None:
    inside = "<interface type='ethernet' name='eth1'><mac address='52:54:00:00:00:01'/></interface>"
    xml = f"<interface type='bridge' name='br0'><bridge>{inside}</bridge></interface>"
    assert macs_of(parse_interface(xml)) == {"eth1": "52:54:00:00:00:01"}


def _device(link: Link, mac: str, *, active: bool = True, guests: bool = False) -> Device:
    return Device(link, Seen(mac, new(Cable, state="up")), active, guests)


REGISTRY = Registry(
    {
        "br0": _device(Link("br0", "bridge", stp=True, delay=2.0), "52:54:00:00:00:01"),
        "eth0": _device(Link("eth0", master="br0"), "52:54:00:00:00:01"),
        "vnet0": _device(Link("vnet0", master="br0"), "fe:54:00:00:00:09", guests=True),
        "eth1": _device(
            Link("eth1", families={IPV4: Family((("192.0.2.7", 24),))}), "52:54:00:00:00:02", active=False
        ),
        "eth2": _device(Link("eth2"), "52:54:00:00:00:02"),
    },
    by_name([Link("br0", "bridge", start="onboot"), Link("eth0", master="br0"), Link("br9", "bridge", start="none"),
             Link("eth1", start="onboot", families={IPV4: Family(dhcp=True)})]),
    {},
    "ifupdown",
)  # fmt: skip


def test_what_is_in_another_is_no_interface_of_its_own() -> None:
    found = [(one.name, one.active, one.mac) for one in REGISTRY.all()]
    assert found == [
        ("br0", True, "52:54:00:00:00:01"),
        ("br9", False, ""),
        ("eth1", False, "52:54:00:00:00:02"),
        ("eth2", True, "52:54:00:00:00:02"),
    ]
    assert REGISTRY.with_mac("52:54:00:00:00:01").name == "br0"
    assert REGISTRY.named("eth0").active


@pytest.mark.parametrize(
    ("mac", "code"), [("52:54:00:00:00:02", Code.MULTIPLE_INTERFACES), ("52:54:00:00:00:77", Code.NO_INTERFACE)]
)
def test_address_of_none_or_several(mac: str, code: int) -> None:
    with pytest.raises(LibvirtError) as refused:
        REGISTRY.with_mac(mac)
    assert refused.value.code == code


def test_document_of_what_is_and_of_what_is_configured() -> None:
    live = format_interface(REGISTRY.document("br0", configured=False))
    assert "<bridge stp='on' delay='2'>\n    <interface type='ethernet' name='eth0'>\n      <link state='up'/>" in live
    assert "vnet0" not in live
    configured = format_interface(REGISTRY.document("br0", configured=True))
    assert "state=" not in configured
    live = format_interface(REGISTRY.document("eth1", configured=False))
    assert "<dhcp/>\n    <ip address='192.0.2.7' prefix='24'/>" in live
    assert "192.0.2.7" not in format_interface(REGISTRY.document("eth1", configured=True))
    assert format_interface(REGISTRY.document("br9", configured=False)).startswith(
        "<interface type='bridge' name='br9'>"
    )
