"""Filters as nftables rules: each kind of rule, chains and their order, variables; and what is refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guesthouse.drivers.nwfilter.kernel import check
from guesthouse.drivers.nwfilter.shipped import SHIPPED
from guesthouse.errors import LibvirtError
from guesthouse.model.nwfilter.filter import Filter, format_nwfilter, parse_nwfilter
from guesthouse.model.nwfilter.learning import BASIC, DROP_ALL, dhcp_only, method
from guesthouse.model.nwfilter.nft.chains import Chains, chains_of
from guesthouse.model.nwfilter.nft.transaction import Installed, Tracking, Writer
from guesthouse.model.nwfilter.tree import check_loops, flatten, names_in
from tests.support.golden import compare

FOLDER = Path(__file__).parent / "golden"
VALUES = {
    "MAC": ("52:54:00:00:00:01",),
    "IP": ("10.1.2.3", "10.1.2.4"),
    "SERVERS": ("10.0.0.1", "10.0.0.2"),
    "PORTS": ("80", "8080", "81"),
    "TWICE": ("10.7.7.7", "10.7.7.7"),
    "DHCPSERVER": ("10.0.0.1",),
    "GATEWAY_MAC": ("52:54:00:00:00:fe",),
}
INNER = {
    "inner": "<filter name='inner' chain='ipv4'><rule action='drop' direction='out'>"
    "<ip match='no' dstipaddr='$GATE'/></rule>"
    "<rule action='return' direction='out'><ip srcipaddr='$IP'/></rule></filter>",
    "vlans": "<filter name='vlans' chain='vlan'><rule action='drop' direction='inout'/></filter>",
    "talk": "<filter name='talk' chain='stp-x:y'><rule action='drop' direction='out'/></filter>",
    "all-ip": "<filter name='all-ip' chain='ipv4'><rule action='accept' direction='inout'/></filter>",
    "own-arp": "<filter name='own-arp' chain='arp-own' priority='-460'>"
    "<rule action='drop' direction='out' priority='9'/>"
    "<rule action='return' direction='out' priority='-9'><arp arpsrcmacaddr='$MAC'/></rule></filter>",
    "six": "<filter name='six' chain='ipv6'><rule action='drop' direction='in'/></filter>",
    "reverse": "<filter name='reverse' chain='rarp'><rule action='drop' direction='in'/></filter>",
    "cards": "<filter name='cards' chain='mac'><rule action='return' direction='out'><mac srcmacaddr='$MAC'/></rule>"
    "<rule action='drop' direction='out'/></filter>",
}
KNOWN = {one.name: one for one in map(parse_nwfilter, (*SHIPPED, *INNER.values()))}
OWN = ("frames", "packets", "packets-ipv6", "states", "variables", "chains")


def read(name: str) -> Filter:
    return parse_nwfilter((FOLDER / f"{name}.xml").read_text())


def chains(definition: Filter, device: str = "vnet0") -> Chains:
    return chains_of(device, flatten(definition, VALUES, KNOWN.get))


def one_rule(text: str) -> Chains:
    return chains(parse_nwfilter(f"<filter name='x'>{text}</filter>"))


@pytest.mark.parametrize("name", OWN)
def test_every_kind_of_rule(name: str) -> None:
    written = Writer("filters", Tracking.INET).rebuilt([Installed(chains(read(name)), 7)])
    compare(FOLDER / f"{name}.nft", _own(written))


def _own(text: str) -> str:
    """What is about the device alone: the rest is the same for all."""
    return "".join(f"{line}\n" for line in text.splitlines() if "vnet0" in line)


@pytest.mark.parametrize("name", OWN)
def test_documents_are_printed_as_they_are(name: str) -> None:
    assert parse_nwfilter(format_nwfilter(read(name))) == read(name)


@pytest.mark.parametrize("name", ["clean-traffic", "clean-traffic-gateway", "allow-dhcp-server"])
def test_filters_that_every_host_has(name: str) -> None:
    written = Writer("filters", Tracking.BRIDGE).rebuilt([Installed(chains(KNOWN[name]), 1)])
    compare(FOLDER / f"shipped-{name}.nft", _own(written))


def test_what_goes_before_an_address_is_known() -> None:
    for name, definition in (
        ("basic", BASIC),
        ("drop-all", DROP_ALL),
        ("dhcp-only", dhcp_only(servers=False)),
        ("dhcp-server-only", dhcp_only(servers=True)),
    ):
        written = Writer("filters", Tracking.NONE).rebuilt([Installed(chains(definition), 1)])
        compare(FOLDER / f"until-{name}.nft", _own(written))


@pytest.mark.parametrize("tracking", Tracking)
def test_transactions(tracking: Tracking) -> None:
    writer = Writer("filters", tracking)
    states, frames = Installed(chains(read("states")), 1), Installed(chains(read("packets"), "tap-0.5"), 2)
    text = "".join(
        f"# {what}\n{orders}"
        for what, orders in (
            ("nothing", writer.rebuilt([])),
            ("two", writer.rebuilt([states, frames])),
            ("the first is another", writer.changed([states], [Installed(chains(BASIC), 1)])),
            ("the second is gone", writer.changed([frames], [])),
        )
    )
    compare(FOLDER / f"transactions-{tracking.value}.nft", text)


def test_what_a_kernel_cannot_do() -> None:
    both = one_rule("<rule action='reject' direction='inout'><tcp/></rule>")
    assert both.packets["packets-in/vnet0"] == ["meta protocol ip meta l4proto 6 reject"]
    check(both, Tracking.INET)
    for tracking in (Tracking.BRIDGE, Tracking.NONE):
        with pytest.raises(LibvirtError, match="action 'reject' for packets to a guest cannot be had"):
            check(both, tracking)
    check(one_rule("<rule action='reject' direction='out'><tcp/></rule>"), Tracking.BRIDGE)
    check(one_rule("<rule action='accept' direction='inout'><tcp/></rule>"), Tracking.NONE)
    for rule in ("<rule action='accept' direction='in'><tcp/></rule>",
                 "<rule action='drop' direction='out'><tcp connlimit-above='3'/></rule>"):  # fmt: skip
        check(one_rule(rule), Tracking.BRIDGE)
        with pytest.raises(LibvirtError, match="rules with the state of connections cannot be had"):
            check(one_rule(rule), Tracking.NONE)


def test_no_text_of_a_document_is_an_order() -> None:
    hostile = "&quot; drop\nflush ruleset ; é"
    made = one_rule(f"<rule action='drop' direction='out'><mac comment='{hostile}'/></rule>")
    assert made.frames["frames-out/vnet0"] == ['drop comment "? drop flush ruleset ; ?"']
    for device in ('a"b', "a b", "a;b", "", "sixteen-letters-", "a/b", "a*"):
        with pytest.raises(LibvirtError, match="cannot be used with network filters"):
            chains(BASIC, device)
    assert list(chains(DROP_ALL, "a_b:c").frames) == ["frames-out/a_5fb_3ac", "frames-in/a_5fb_3ac"]


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("<rule action='drop' direction='in'><all ipset='x' ipsetflags='src'/></rule>", "'ipset' of 'all'"),
        ("<rule action='drop' direction='in'><ip srcipmask='8'/></rule>", "'srcipmask' of 'ip' means nothing without"),
        ("<rule action='drop' direction='in'><tcp srcportend='8'/></rule>", "'srcportend' of 'tcp' means nothing"),
        (
            "<rule action='drop' direction='in'><udp dstportstart='0x10' dstportend='9'/></rule>",
            "the range from '0x10' to '9' ends before it begins",
        ),
        (
            "<rule action='drop' direction='in'><all-ipv6 srcipfrom='::2' srcipto='::1'/></rule>",
            "the range from '::2' to '::1' ends",
        ),
        ("<rule action='drop' direction='in'><arp gratuitous='true'/></rule>", "'gratuitous' of 'arp'"),
        ("<rule action='drop' direction='inout'><stp srcmacaddr='$MAC'/></rule>", "STP filtering in inout direction"),
        ("<rule action='drop' direction='in'><ip srcipaddr='$MAC'/></rule>", "value '52:54:00:00:00:01' of variable"),
        (
            "<rule action='drop' direction='in'><ip srcipaddr='$IP' dstipaddr='$PORTS'/></rule>",
            "Cardinality of list items must be the same",
        ),
        ("<filterref filter='nowhere'/>", "referenced filter 'nowhere' is missing"),
    ],
)
def test_refusals(rule: str, error: str) -> None:
    with pytest.raises(LibvirtError, match=error):
        one_rule(rule)


def test_trees_that_explode_are_refused() -> None:
    rule = "<rule action='drop' direction='out'/>"
    known = {"f0": parse_nwfilter(f"<filter name='f0'>{rule}</filter>")}
    for level in range(1, 40):
        twice = f"<filterref filter='f{level - 1}'/>" * 2
        known[f"f{level}"] = parse_nwfilter(f"<filter name='f{level}'>{twice}</filter>")
    with pytest.raises(LibvirtError, match="comes to more than 20000 rules"):
        flatten(known["f39"], {}, known.get)
    many = {"A": tuple(f"10.0.{one}.1" for one in range(200)), "B": tuple(f"10.1.{one}.1" for one in range(200))}
    wide = parse_nwfilter(
        "<filter name='x'><rule action='drop' direction='out'>"
        "<ip srcipaddr='$A[@1]' dstipaddr='$B[@2]'/></rule></filter>"
    )
    with pytest.raises(LibvirtError, match="stands for more than 4096 rules"):
        chains_of("vnet0", flatten(wide, many, known.get))


def test_loops() -> None:
    known = {
        name: parse_nwfilter(f"<filter name='{name}'><filterref filter='{other}'/></filter>")
        for name, other in (("a", "b"), ("b", "c"))
    }
    check_loops(known["a"], known.get)
    assert names_in("a", known.get) == {"a", "b", "c"}
    for other in ("a", "c"):
        candidate = parse_nwfilter(f"<filter name='c'><filterref filter='{other}'/></filter>")
        with pytest.raises(LibvirtError, match="filter would introduce a loop"):
            check_loops(candidate, known.get)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "any"),
        ({"CTRL_IP_LEARNING": ("dhcp",)}, "dhcp"),
        ({"IP": ("10.0.0.1",)}, None),
        ({"CTRL_IP_LEARNING": ("none",)}, "unresolvable variables or unavailable list elements: IP \\("),
        ({"CTRL_IP_LEARNING": ("arp",)}, "filter 'x' learning value 'arp' invalid."),
        ({"MAC": ()}, "unavailable list elements: IP, MAC \\("),
    ],
)
def test_learning(given: dict[str, tuple[str, ...]], found: str | None) -> None:
    values = {"MAC": VALUES["MAC"], **given}
    placed = flatten(KNOWN["clean-traffic"], values, KNOWN.get)
    if found in ("any", "dhcp", None):
        assert method(placed, values, "x") == found
        return
    with pytest.raises(LibvirtError) as caught:
        method(placed, values, "x")
    assert re.search(found, caught.value.message)
