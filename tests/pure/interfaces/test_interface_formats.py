"""What hosts keep of their network configuration, in each of the three formats: written, read back, and edited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guesthouse.drivers.interface.documents import document_of, links_of
from guesthouse.drivers.interface.formats import Changes, Files, Format
from guesthouse.drivers.interface.formats.ifupdown import IfUpDown
from guesthouse.drivers.interface.formats.keyfile import KeyFiles
from guesthouse.drivers.interface.formats.networkd import Networkd
from guesthouse.drivers.interface.link import IPV4, IPV6, Family, Link, Monitor, by_name
from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.interface import format_interface, parse_interface

FORMATS: tuple[Format, ...] = (IfUpDown(), Networkd(), KeyFiles())
EACH = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)

MAIN = """# of the installer
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

# the uplink
allow-hotplug eth0
iface eth0 inet static
    address 192.0.2.5/24
    gateway 192.0.2.1
    dns-nameservers 192.0.2.53
auto eth9
iface eth9 inet dhcp
"""
NETWORK = """# of the administrator
[Match]
Name=eth0

[Network]
Address=192.0.2.5/24
Gateway=192.0.2.1
DNS=192.0.2.53
"""
PROFILE = """[connection]
id=Wired connection 1
uuid=84ba4c22-0cfe-46b6-87bb-909be6cb1214
type=ethernet
interface-name=eth0

[ipv4]
address1=192.0.2.5/24,192.0.2.1
dns=192.0.2.53;
method=manual
"""
BEFORE: dict[str, dict[str, str]] = {
    "ifupdown": {"network/interfaces": MAIN},
    "systemd-networkd": {"systemd/network/20-wired.network": NETWORK},
    "NetworkManager": {"NetworkManager/system-connections/Wired connection 1.nmconnection": PROFILE},
}
BRIDGE = """<interface type='bridge' name='br0'>
  <start mode='onboot'/>
  <protocol family='ipv4'>
    <ip address='192.0.2.5' prefix='24'/>
    <route gateway='192.0.2.1'/>
  </protocol>
  <bridge stp='on' delay='0'>
    <interface type='ethernet' name='eth0'>
    </interface>
  </bridge>
</interface>
"""


def applied(files: Files, changes: Changes) -> dict[str, str]:
    """The files after a change."""
    return {path: text for path, text in {**files, **changes}.items() if text is not None}


def host_addresses(name: str) -> st.SearchStrategy[str]:
    return st.ip_addresses(v=6 if name == IPV6 else 4).map(str)


@st.composite
def families(draw: st.DrawFn, name: str) -> Family:
    bits = 128 if name == IPV6 else 32
    dhcp = draw(st.booleans())
    autoconf = name == IPV6 and draw(st.booleans())
    fixed = draw(st.lists(st.tuples(host_addresses(name), st.integers(1, bits)), max_size=2, unique=True))
    gateway = draw(st.none() | host_addresses(name)) if fixed else None
    return Family(tuple(fixed), gateway, dhcp and not autoconf, autoconf=autoconf)


@st.composite
def tops(draw: st.DrawFn, link: Link) -> Link:
    found = {name: family for name in (IPV4, IPV6) if (family := draw(families(name)))}
    mtu = draw(st.none() | st.integers(68, 9000))
    return replace(link, start=draw(st.sampled_from(("none", "onboot"))), mtu=mtu, families=found)


@st.composite
def sets_of_links(draw: st.DrawFn) -> dict[str, Link]:
    """A bridge with a card and a bond of two, a VLAN, and a card."""
    stp, delay = draw(st.none() | st.booleans()), draw(st.none() | st.integers(0, 30))
    bridge = Link("br0", "bridge", stp=stp, delay=None if delay is None else float(delay))
    monitor = draw(
        st.none()
        | st.builds(Monitor, st.just("mii"), st.integers(1, 9999), st.integers(0, 99), st.integers(0, 99))
        | st.builds(Monitor, st.just("arp"), st.integers(1, 9999), target=st.just("192.0.2.9"),
                    validate=st.sampled_from((None, "all", "backup")))
    )  # fmt: skip
    return by_name(
        [
            draw(tops(bridge)),
            Link("eth0", master="br0"),
            Link("bond0", "bond", master="br0", mode="active-backup", monitor=monitor),
            Link("eth1", master="bond0"),
            Link("eth2", master="bond0", primary=True),
            draw(tops(Link("eth3"))),
            draw(tops(Link("eth3.42", "vlan", tag=42, device="eth3"))),
            draw(tops(Link("lab", "vlan", tag=7, device="eth3"))),
        ]
    )


@EACH
@settings(max_examples=30, deadline=None)
@given(links=sets_of_links())
def test_what_is_written_is_read(form: Format, links: dict[str, Link]) -> None:
    files = applied({}, form.change({}, links, ()))
    assert form.parse(files) == links
    assert form.change(files, links, ()) == {}
    assert applied(files, form.change(files, {}, links)) in ({}, {"network/interfaces": "\n"})


@EACH
def test_bridge_takes_over_a_card_that_somebody_else_configured(form: Format) -> None:
    before = BEFORE[form.name]
    eth0 = form.parse(before)["eth0"]
    assert eth0.family(IPV4) == Family((("192.0.2.5", 24),), "192.0.2.1")
    put = by_name(links_of(parse_interface(BRIDGE)))
    after = applied(before, form.change(before, put, ()))
    found = form.parse(after)
    assert found["eth0"].master == "br0"
    assert not found["eth0"].families
    assert format_interface(document_of(found, "br0", {})) == BRIDGE
    assert any("192.0.2.53" in text for text in after.values()), "what a document cannot say is lost"
    again = applied(after, form.change(after, {"eth0": eth0}, ["br0"]))
    assert form.parse(again)["eth0"] == eth0
    assert "br0" not in form.parse(again)
    assert "br0" not in "".join(again.values())


def test_stanzas_of_others_stay() -> None:
    before = BEFORE["ifupdown"]
    put = by_name(links_of(parse_interface(BRIDGE)))
    after = applied(before, IfUpDown().change(before, put, ()))
    main = after["network/interfaces"]
    assert main.startswith(
        "# of the installer\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n"
    )
    assert "auto eth9\niface eth9 inet dhcp\n" in main
    assert "eth0" not in main.replace("# the uplink", "")
    assert after["network/interfaces.d/guesthouse"] == (
        "auto br0\niface br0 inet static\n    bridge_ports eth0\n    bridge_stp on\n    bridge_fd 0\n"
        "    address 192.0.2.5/24\n    gateway 192.0.2.1\n\niface eth0 inet manual\n    dns-nameservers 192.0.2.53\n"
    )


def test_hotplug_and_masks_of_ifupdown() -> None:
    files = {"network/interfaces": "allow-hotplug e1\niface e1 inet static\n address 10.0.0.1\n netmask 255.255.0.0\n"}
    found = IfUpDown().parse(files)
    assert found["e1"] == Link("e1", start="hotplug", families={IPV4: Family((("10.0.0.1", 16),))})
    put = {"e1": replace(found["e1"], mtu=1400)}
    assert (
        "allow-hotplug e1\niface e1 inet static\n    mtu 1400\n    address 10.0.0.1/16\n"
        in (applied(files, IfUpDown().change(files, put, ()))["network/interfaces"])
    )


def test_ifupdown_cannot_leave_name_servers_out() -> None:
    wanted = Link("eth0", start="none", families={IPV4: Family(dhcp=True, peer_dns=False)})
    with pytest.raises(UnsupportedConfigError, match="name servers"):
        IfUpDown().change({}, {"eth0": wanted}, ())
    for form in (Networkd(), KeyFiles()):
        assert form.parse(applied({}, form.change({}, {"eth0": wanted}, ()))) == {"eth0": wanted}


def test_networkd_leaves_patterns_alone() -> None:
    files = {"systemd/network/80-all.network": "[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n"}
    assert Networkd().parse(files) == {}
    changes = Networkd().change(files, {"eth0": Link("eth0", start="onboot")}, ())
    assert list(changes) == ["systemd/network/05-guesthouse-eth0.network"]


def test_profiles_name_each_other_by_uuid() -> None:
    folder = "NetworkManager/system-connections"
    files = {
        f"{folder}/a.nmconnection": "[connection]\nuuid=u-1\ntype=bridge\ninterface-name=br7\n",
        f"{folder}/b.nmconnection": "[connection]\nuuid=u-2\ntype=ethernet\ninterface-name=eth7\nmaster=u-1\n",
        f"{folder}/c.nmconnection": "[connection]\nuuid=u-3\ntype=wifi\ninterface-name=wlan0\n",
    }
    found = KeyFiles().parse(files)
    assert set(found) == {"br7", "eth7"}
    assert found["eth7"].master == "br7"


def test_document_that_virsh_makes_of_a_bridge() -> None:
    left_over = BRIDGE.replace("type='bridge' name='br0'", "type='ethernet' name='eth0'")
    [link] = links_of(parse_interface(left_over))
    assert link == Link("eth0", start="onboot", families={IPV4: Family((("192.0.2.5", 24),), "192.0.2.1")})
