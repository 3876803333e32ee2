"""What a card is connected to, and what QEMU and other programs are told of it."""

from __future__ import annotations

import pytest
from lxml import etree

from guesthouse.drivers.domain.interfaces import switches, tune
from guesthouse.drivers.domain.interfaces.wiring import Wiring, connected, tap_mac
from guesthouse.drivers.network_service import NetworkPort
from guesthouse.errors import LibvirtError
from guesthouse.host.links import VlanTags
from guesthouse.host.tc import Limit
from guesthouse.model.binding import Reading, new, read
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Inbound, Outbound
from guesthouse.model.domain.devices.interface.virtualport import PortParameters

LIMITS = "<bandwidth><inbound average='10' peak='20' burst='30'/><outbound average='40'/></bandwidth>"


def card(kind: str, content: str) -> Interface:
    """A card as it is read."""
    return read(Interface, etree.fromstring(f"<interface type='{kind}'>{content}</interface>"), Reading())


def test_a_tap_sends_what_the_guest_receives() -> None:
    end = connected(card("bridge", f"<source bridge='br0'/>{LIMITS}"))
    assert (end.kind, end.other, end.limits) == ("bridge", "br0", (Limit(10, 20, 30), Limit(40)))


def test_a_macvtap_is_the_guests_own() -> None:
    end = connected(card("direct", f"<source dev='eth0' mode='private'/>{LIMITS}"))
    assert (end.other, end.mode, end.limits) == ("eth0", "private", (Limit(40), Limit(10, 20, 30)))


def test_a_network_adds_what_the_card_leaves_open() -> None:
    interface = card("network", f"<source network='n'/>{LIMITS}<mtu size='1400'/>")
    port = NetworkPort("id", "bridge", bridge="virbr0", mtu=9000, isolated=True, bandwidth=new(Bandwidth))
    end = connected(interface, port)
    assert (end.kind, end.other, end.mtu, end.isolated) == ("bridge", "virbr0", 1400, True)
    assert end.bandwidth is interface.bandwidth


@pytest.mark.parametrize(
    ("vlan", "tags"),
    [
        ("<vlan><tag id='42'/></vlan>", VlanTags(42, untagged=True)),
        ("<vlan trunk='yes'><tag id='42'/></vlan>", VlanTags(None, untagged=False, others=(42,))),
        (
            "<vlan><tag id='42'/><tag id='7' nativeMode='untagged'/></vlan>",
            VlanTags(7, untagged=True, others=(42,)),
        ),
        ("<vlan><tag id='42'/><tag id='7' nativeMode='tagged'/></vlan>", VlanTags(7, untagged=False, others=(42,))),
    ],
)
def test_vlans_of_a_bridge(vlan: str, tags: VlanTags) -> None:
    assert connected(card("bridge", f"<source bridge='br0'/>{vlan}")).tags == tags


def test_orders_for_open_vswitch() -> None:
    uuid = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa50"
    end = connected(
        card(
            "bridge",
            "<source bridge='ovsbr0'/><vlan trunk='yes'><tag id='42'/><tag id='7' nativeMode='tagged'/></vlan>"
            f"<virtualport type='openvswitch'><parameters interfaceid='{uuid}' profileid='web'/></virtualport>",
        )
    )
    assert end.virtual_port is not None
    parameters = end.virtual_port.parameters or new(PortParameters)
    assert switches.ovs_orders(end, parameters, "vnet0", "52:54:00:00:00:01", "guest-uuid") == [
        *["ovs-vsctl", "--timeout=5", "--", "--if-exists", "del-port", "vnet0", "--", "add-port", "ovsbr0", "vnet0"],
        *["vlan_mode=native-tagged", "tag=7", "trunk=42,7"],
        *["--", "set", "Interface", "vnet0", 'external-ids:attached-mac="52:54:00:00:00:01"'],
        *["--", "set", "Interface", "vnet0", f'external-ids:iface-id="{uuid}"'],
        *["--", "set", "Interface", "vnet0", 'external-ids:vm-id="guest-uuid"'],
        *["--", "set", "Interface", "vnet0", 'external-ids:port-profile="web"'],
        *["--", "set", "Interface", "vnet0", "external-ids:iface-status=active"],
    ]


@pytest.mark.parametrize(
    ("profile", "value"), [('a"b', r'"a\"b"'), (r"a\b", r'"a\\b"'), ("a,b=c {d}", '"a,b=c {d}"'), ("ü", r'"\u00fc"')]
)
def test_a_profile_is_one_value_whatever_stands_in_it(profile: str, value: str) -> None:
    """As ovs-vsctl reads a string in quotes: with the escapes of JSON."""
    end = connected(card("bridge", "<source bridge='ovsbr0'/><virtualport type='openvswitch'/>"))
    orders = switches.ovs_orders(end, new(PortParameters, profileid=profile), "vnet0", "52:54:00:00:00:01", "uuid")
    assert f"external-ids:port-profile={value}" in orders


@pytest.mark.parametrize("switch", ["802.1Qbh"])
def test_switches_that_nobody_tells(switch: str) -> None:
    text = f"<source dev='e'/><virtualport type='{switch}'><parameters profileid='p'/></virtualport>"
    with pytest.raises(LibvirtError, match=switch):
        switches.check(connected(card("direct", text)))


@pytest.mark.parametrize(
    ("mac", "other"), [("52:54:00:00:00:01", "fe:54:00:00:00:01"), ("fe:00:00:00:00:01", "fa:00:00:00:00:01")]
)
def test_the_hosts_end_has_another_address(mac: str, other: str) -> None:
    assert tap_mac(mac) == other


def test_descriptors_have_names_for_a_running_qemu() -> None:
    wiring = Wiring([7, 8], [9, 10])
    assert wiring.inherited().taps == ("7", "8")
    ends = wiring.handed_over("net0")
    assert (ends.taps, ends.vhosts) == (("tapfd-net00", "tapfd-net01"), ("vhostfd-net00", "vhostfd-net01"))
    assert [(one.name, one.fd) for one in ends.handed_over][1:3] == [("tapfd-net01", 8), ("vhostfd-net00", 9)]


def limits(inbound: tuple[int, ...] | None, outbound: tuple[int, ...] | None) -> Bandwidth | None:
    """Limits by average, peak and burst."""

    def filled(kind: type[Inbound | Outbound], values: tuple[int, ...] | None) -> object:
        if values is None:
            return None
        return new(kind, **dict(zip(("average", "peak", "burst"), values, strict=False)))

    if inbound is None and outbound is None:
        return None
    return new(Bandwidth, inbound=filled(Inbound, inbound), outbound=filled(Outbound, outbound))


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        (limits(None, None), {"inbound.average": 1, "inbound.peak": 2}, limits((1, 2), None)),
        (limits((5, 6, 7), (8,)), {"inbound.average": 1}, limits((1,), (8,))),
        (limits((5,), (8,)), {"inbound.average": 0}, limits(None, (8,))),
        (limits((5,), None), {"inbound.average": 0}, None),
        (limits((5,), (8,)), {"outbound.average": 9, "outbound.burst": 1}, limits((5,), (9, None, 1))),  # type: ignore[arg-type]
        (limits((5,), (8,)), {}, limits((5,), (8,))),
    ],
)
def test_new_limits_take_the_place_of_a_direction(
    before: Bandwidth | None, values: dict[str, int], after: Bandwidth | None
) -> None:
    assert tune.merged(before, values) == after
