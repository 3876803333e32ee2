"""What dnsmasq and the firewall are told of networks, and what dnsmasq tells of leases: text in, text out."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from guesthouse.drivers.network import default, dnsmasq_conf, firewall, foreign, lease_script
from guesthouse.drivers.network.dnsmasq_conf import Files
from guesthouse.errors import LibvirtError
from guesthouse.host import forwarding
from guesthouse.host.nft import BaseChain
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface.virtualport import PortParameters, VirtualPort, merged
from guesthouse.model.network.definition import Network
from guesthouse.model.network.document import format_network, parse_network

FILES = Files.of("net", Path("/lib/dnsmasq"), Path("/run/network"))
FORWARD = "<forward mode='nat'/>"
IP = "<ip address='192.168.50.1' netmask='255.255.255.0'>{}</ip>"
RANGE = "<range start='192.168.50.2' end='192.168.50.9'/>"


def network(inner: str = "", forward: str = FORWARD, ip: str = IP.format("")) -> Network:
    return parse_network(f"<network><name>net</name>{forward}<bridge name='virbr0'/>{inner}{ip}</network>")


def lines(of: Network) -> list[str]:
    """The configuration below its heading and before what every network has."""
    text = dnsmasq_conf.configuration(of, FILES).partition("strict-order\n")[2]
    ever = ("pid-file=/run/network/net.pid", "except-interface=lo", "bind-dynamic", "interface=virbr0",
            "addn-hosts=/lib/dnsmasq/net.addnhosts", "dhcp-hostsfile=/lib/dnsmasq/net.hostsfile")  # fmt: skip
    return [line for line in text.splitlines() if line not in ever]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (network(), []),
        (network(forward=""), ["dhcp-option=3", "no-resolv", "ra-param=*,0,0"]),
        (network("<dns enable='no'/>"), ["port=0"]),
        (network("<domain name='a.b'/>"), ["domain=a.b", "expand-hosts"]),
        (network("<domain name='a.b' localOnly='yes'/>"), ["local=/a.b/", "domain=a.b", "expand-hosts"]),
        (network("<dns forwardPlainNames='no'/>"), ["domain-needed", "local=//"]),
        (
            network("<dns><forwarder domain='x.y' addr='192.0.2.1'/><forwarder domain='z'/></dns>"),
            ["server=/x.y/192.0.2.1", "server=/z/#"],
        ),
        (network("<dns><forwarder addr='192.0.2.1'/></dns>"), ["server=192.0.2.1", "no-resolv"]),
        (network("<dns><txt name='a' value='b c'/></dns>"), ["txt-record=a,b c"]),
        (network("<dns><srv service='s' protocol='tcp'/></dns>"), ["srv-host=_s._tcp"]),
        (
            network("<dns><srv service='s' protocol='tcp' domain='d' target='t' priority='3'/></dns>"),
            ["srv-host=_s._tcp.d,t,1,3"],
        ),
        (network("<mtu size='9000'/>"), ["dhcp-option=option:mtu,9000"]),
        (
            network(ip=IP.format(f"<tftp root='/t'/><dhcp>{RANGE}<bootp file='f' server='192.0.2.9'/></dhcp>")),
            ["enable-tftp", "tftp-root=/t", "dhcp-range=192.168.50.2,192.168.50.9,255.255.255.0", "dhcp-no-override",
             "dhcp-authoritative", "dhcp-boot=f,,192.0.2.9", "dhcp-lease-max=8"],
        ),
        (
            network(ip=IP.format("<dhcp><host name='h' ip='192.168.50.7'/></dhcp>")),
            ["dhcp-range=192.168.50.1,static", "dhcp-no-override", "dhcp-authoritative"],
        ),
        (
            network(ip=IP.format(f"<dhcp>{RANGE.replace('.9', '.2').replace('/>', '><lease/></range>')}</dhcp>")),
            ["dhcp-range=192.168.50.2,192.168.50.2,255.255.255.0,infinite", "dhcp-no-override", "dhcp-authoritative",
             "dhcp-lease-max=1"],
        ),
        (network(ip="<ip family='ipv6' address='fd00::1' prefix='64'/>"), ["dhcp-range=fd00::1,ra-only"]),
        (
            network(
                ip="<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::5' end='fd00::9'>"
                "<lease expiry='2' unit='hours'/></range></dhcp></ip>"
            ),
            ["dhcp-range=fd00::5,fd00::9,64,2h", "dhcp-lease-max=5", "enable-ra"],
        ),
        (
            network(ip="<ip address='10.1.2.3' prefix='16' localPtr='yes'/>"),
            ["local=/1.10.in-addr.arpa/"],
        ),
    ],
)  # fmt: skip
def test_configuration(given: Network, told: list[str]) -> None:
    assert lines(given) == told


def test_options_of_ones_own_come_last() -> None:
    space = "xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'"
    given = parse_network(
        f"<network {space}><name>net</name><bridge name='virbr0'/>{IP.format('')}"
        "<dnsmasq:options><dnsmasq:option value='log-queries'/></dnsmasq:options></network>"
    )
    assert lines(given)[-1] == "log-queries"


def test_hosts_and_names() -> None:
    first = IP.format(
        "<dhcp><host mac='52:54:00:00:00:01' name='a' ip='192.168.50.5'><lease expiry='30'/></host>"
        "<host mac='52:54:00:00:00:02' ip='192.168.50.6'/><host name='c' ip='192.168.50.7'/></dhcp>"
    )
    second = "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host id='0:1' name='d' ip='fd00::5'/></dhcp></ip>"
    names = "<dns><host ip='192.0.2.1'><hostname>x</hostname><hostname>y</hostname></host></dns>"
    given = network(names, ip=first + second)
    assert dnsmasq_conf.kept_addresses(given).splitlines() == [
        "52:54:00:00:00:01,192.168.50.5,a,30m",
        "52:54:00:00:00:02,192.168.50.6",
        "c,192.168.50.7",
        "id:0:1,d,[fd00::5]",
    ]
    assert dnsmasq_conf.more_names(given) == "192.0.2.1\tx\ty\t\n"


def test_who_needs_dnsmasq() -> None:
    assert dnsmasq_conf.needed(network())
    assert not dnsmasq_conf.needed(network("<dns enable='no'/>"))
    assert dnsmasq_conf.needed(network("<dns enable='no'/>", ip=IP.format(f"<dhcp>{RANGE}</dhcp>")))
    assert not dnsmasq_conf.needed(network(forward="", ip=""))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (network("<domain name='a&#10;b'/>"), "more than one line"),
        (network("<dns><txt name='a' value='b&#10;c'/></dns>"), "more than one line"),
        (network(ip="<ip address='10.1.2.3' prefix='17' localPtr='yes'/>"), "PTR domain for IPv4 network with"),
        (
            network(ip=IP.format(f"<dhcp>{RANGE}</dhcp>") + "<ip address='10.0.0.1' prefix='24'><dhcp>"
                    "<range start='10.0.0.2' end='10.0.0.3'/></dhcp></ip>"),
            "For IPv4, multiple DHCP definitions cannot be specified",
        ),
    ],
)  # fmt: skip
def test_what_dnsmasq_cannot_be_told(given: Network, said: str) -> None:
    with pytest.raises(LibvirtError, match=said):
        dnsmasq_conf.configuration(given, FILES)


def rules(given: Network) -> list[str]:
    return [f"{family} {chain}: {text}" for family, chain, text in firewall.rules(given)]


BARRED = [
    'ip guest_output: iif "virbr0" counter reject',
    'ip guest_input: oif "virbr0" counter reject',
    'ip guest_cross: iif "virbr0" oif "virbr0" counter accept',
]
NET = "192.168.50.0/24"


def test_rules_by_mode() -> None:
    assert rules(network(forward="")) == BARRED
    assert rules(network(forward="<forward mode='open'/>")) == []
    assert rules(network(forward="<forward mode='route' dev='eth1'/>")) == [
        *BARRED,
        f'ip guest_output: ip saddr {NET} iif "virbr0" oifname "eth1" counter accept',
        f'ip guest_input: ip daddr {NET} iifname "eth1" oif "virbr0" counter accept',
    ]
    outside = f"ip saddr {NET} ip daddr != {NET}"
    assert rules(network()) == [
        *BARRED,
        f'ip guest_output: ip saddr {NET} iif "virbr0" counter accept',
        f'ip guest_input: oif "virbr0" ip daddr {NET} ct state related,established counter accept',
        f"ip guest_nat: {outside} counter masquerade",
        f"ip guest_nat: meta l4proto udp {outside} counter masquerade to :1024-65535",
        f"ip guest_nat: meta l4proto tcp {outside} counter masquerade to :1024-65535",
        f"ip guest_nat: ip saddr {NET} ip daddr 255.255.255.255/32 counter return",
        f"ip guest_nat: ip saddr {NET} ip daddr 224.0.0.0/24 counter return",
    ]


def test_addresses_and_ports_that_the_outside_sees() -> None:
    nat = "<forward><nat><address start='192.0.2.1' end='192.0.2.9'/><port start='500' end='600'/></nat></forward>"
    found = [rule for rule in rules(network(forward=nat)) if "snat" in rule]
    assert [rule.partition("counter ")[2] for rule in found] == [
        "snat to 192.0.2.1-192.0.2.9",
        "snat to 192.0.2.1-192.0.2.9:500-600",
        "snat to 192.0.2.1-192.0.2.9:500-600",
    ]
    with pytest.raises(LibvirtError, match="Invalid port range '5-5'"):
        rules(network(forward="<forward><nat><port start='5' end='5'/></nat></forward>"))


def test_ipv6_is_routed_unless_it_is_to_be_translated() -> None:
    ip = "<ip family='ipv6' address='fd00::1' prefix='64'/>"
    assert 'ip6 guest_input: ip6 daddr fd00::/64 oif "virbr0" counter accept' in rules(network(ip=ip))
    translated = rules(network(forward="<forward><nat ipv6='yes'/></forward>", ip=ip))
    assert "ip6 guest_nat: ip6 saddr fd00::/64 ip6 daddr != fd00::/64 counter masquerade" in translated
    assert [rule for rule in rules(network()) if rule.startswith("ip6")] == []
    among = parse_network("<network ipv6='yes'><name>net</name><bridge name='virbr0'/></network>")
    assert 'ip6 guest_cross: iif "virbr0" oif "virbr0" counter accept' in rules(among)


def test_names_that_are_no_devices_are_refused() -> None:
    for name in ('a"', "a b", "*", "a\\", "eth0; flush", "a" * 16):
        with pytest.raises(LibvirtError, match="is not the name of a network device"):
            rules(network(forward=f"<forward dev='{name}'/>".replace('"', "&quot;")))


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        (("ip", "filter", "FORWARD"), "iptables -I DOCKER-USER -i virbr0 -j ACCEPT"),
        (("ip6", "filter", "FORWARD"), "ip6tables -I DOCKER-USER -o virbr0 -j ACCEPT"),
        (("inet", "firewalld", "filter_FORWARD"), "--zone=libvirt --add-interface=virbr0 && firewall-cmd --reload"),
        (("inet", "site", "fwd"), "nft insert rule inet site fwd iifname virbr0 accept"),
    ],
)
def test_what_mends_rules_that_drop(chain: tuple[str, str, str], told: str) -> None:
    dropping = BaseChain(*chain, "forward", "drop")
    assert forwarding.drops_forwarded(dropping)
    assert told in forwarding.mending(dropping, "virbr0")
    assert not forwarding.drops_forwarded(BaseChain(*chain, "forward", "accept"))
    assert not forwarding.drops_forwarded(BaseChain(*chain, "input", "drop"))
    assert not forwarding.drops_forwarded(BaseChain("ip", firewall.TABLE, "forward", "forward", "drop"))


ENV = {"VIR_BRIDGE_NAME": "virbr0"}


def call(folder: Path, *words: str, env: dict[str, str] | None = None) -> list[dict[str, object]]:
    assert lease_script.main([str(folder), *words], {**ENV, **(env or {})}) == 0
    path = folder / "virbr0.status"
    found: list[dict[str, object]] = json.loads(path.read_text()) if path.exists() else []
    return found


def test_leases(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"DNSMASQ_LEASE_EXPIRES": "1700000000 ", "DNSMASQ_CLIENT_ID": "01:52"}
    assert call(tmp_path, "init") == []
    first = call(tmp_path, "add", "52:54:00:00:00:01", "10.0.0.2", "one", env=env)
    assert first == [
        {"ip-address": "10.0.0.2", "mac-address": "52:54:00:00:00:01", "hostname": "one", "client-id": "01:52",
         "expiry-time": 1700000000}
    ]  # fmt: skip
    later = {"DNSMASQ_OLD_HOSTNAME": "uno", "DNSMASQ_LEASE_EXPIRES": "1800000000"}
    renewed = call(tmp_path, "old", "52:54:00:00:00:01", "10.0.0.2", env=later)
    assert [(one["hostname"], one["expiry-time"]) for one in renewed] == [("uno", 1800000000)]
    sixth = {"DNSMASQ_IAID": "77", "DNSMASQ_SERVER_DUID": "00:01", "DNSMASQ_LEASE_EXPIRES": "5"}
    assert len(call(tmp_path, "add", "00:04", "fd00::2", env=sixth)) == 1  # nobody knows whose it is
    assert len(call(tmp_path, "add", "00:04", "fd00::2", env={**sixth, "DNSMASQ_MAC": "52:54:00:00:00:02"})) == 2
    capsys.readouterr()
    call(tmp_path, "init")
    assert capsys.readouterr().out.splitlines() == [
        "1800000000 52:54:00:00:00:01 10.0.0.2 uno *",
        "duid 00:01",
        "5 77 fd00::2 * 00:04",
    ]
    assert [one["ip-address"] for one in call(tmp_path, "del", "52:54:00:00:00:01", "10.0.0.2")] == ["fd00::2"]
    assert len(call(tmp_path, "tftp", "9", "10.0.0.2")) == 1
    (tmp_path / "virbr0.status").write_text("broken")
    assert lease_script.read(str(tmp_path / "virbr0.status")) == []
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert lease_script.main([str(tmp_path)], ENV) == 1
    assert lease_script.main([str(tmp_path), "init"], {}) == 1


def test_how_libvirtds_rules_go() -> None:
    action = "<action layer='{}'><args><item>-D</item><item>{}</item></args></action>"
    text = (
        "<networkstatus><network/><firewall name='fwRemoval' backend='{}'><group>{}</group></firewall></networkstatus>"
    )
    actions = action.format("ipv4", "A B") + action.format("ipv6", "C") + action.format("tc", "D")
    assert foreign.orders(text.format("iptables", actions)) == [
        ["iptables", "-w", "-D", "A B"],
        ["ip6tables", "-w", "-D", "C"],
    ]
    assert foreign.orders(text.format("nftables", actions)) == []
    assert foreign.orders("<networkstatus/>") == []


def test_the_default_network() -> None:
    assert "<ip address='192.168.122.1' netmask='255.255.255.0'>" in format_network(default.definition([]))
    nested = default.definition(["0.0.0.0/0", "192.168.122.0/24", "192.168.123.128/25", "10.0.0.0/8"])
    assert "<range start='192.168.124.2' end='192.168.124.254'/>" in format_network(nested)


def test_ports_of_switches_are_put_together() -> None:
    card = new(VirtualPort, parameters=new(PortParameters, profileid="menial"))
    net = new(VirtualPort, type="802.1Qbg", parameters=new(PortParameters, managerid=5))
    found = merged(card, None, net)
    assert found is not None
    assert found.type == "802.1Qbg"
    assert found.parameters is not None
    assert (found.parameters.profileid, found.parameters.managerid) == ("menial", 5)
    assert merged(None, None) is None
    with pytest.raises(LibvirtError, match="mismatched managerids"):
        merged(net, new(VirtualPort, parameters=new(PortParameters, managerid=6)))
    with pytest.raises(LibvirtError, match=r"mismatched types \(802.1Qbg and openvswitch\)"):
        merged(net, new(VirtualPort, type="openvswitch"))
