"""Filters on a device of a bridge: what a guest may not send or get does not come through, and the rest does.

The guest is a pair of devices on which the test sends frames that it makes itself. A frame that must not come is sent
before one that must: when that is there, the other one is not on its way any more.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import OPENING, SYSTEM_PYTHON, Daemon, need
from tests.support.frames import DEADLINE, EVERYBODY, Wire, arp, dhcp_answer, ethernet, ipv4, ipv6, tagged, tcp, udp
from tests.support.netns import Namespace
from tests.support.tiny_console import eventually

pytestmark = pytest.mark.real

GOLDEN = Path(__file__).resolve().parents[2] / "pure/nwfilter/golden"
MAC, OTHER_MAC, PEER_MAC = "52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:99"
IP, OTHER_IP, PEER_IP = "10.9.0.2", "10.9.0.3", "10.9.0.1"
OUT, BACK = (MAC, PEER_MAC), (PEER_MAC, MAC)
SYN, SYN_ACK, ACK = 2, 0x12, 0x10
BINDING = """<filterbinding><owner><name>web</name><uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid></owner>
<portdev name='port0'/><mac address='52:54:00:00:00:0a'/><filterref filter='{}'>{}</filterref></filterbinding>"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    need("ip", "nft", "virsh", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("ip link add br0 type bridge", "the kernel has no bridges")
        made.need("ip link add guest0 type veth peer name port0", "the kernel has no pairs of devices")
        made.need("nft add table bridge trial && nft delete table bridge trial", "the kernel cannot filter on bridges")
        made.run("ip link add peer0 type veth peer name port1")
        for port in ("port0", "port1"):
            made.run(f"ip link set {port} master br0")
        for device in ("br0", "guest0", "port0", "peer0", "port1"):
            made.run(f"ip link set {device} up")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def daemon(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = namespace.daemon(tmp_path_factory.mktemp("filters") / "root")
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def wires(namespace: Namespace) -> Iterator[tuple[Wire, Wire]]:
    guest, peer = Wire(namespace, "guest0"), Wire(namespace, "peer0")
    try:
        yield guest, peer
    finally:
        guest.close()
        peer.close()


class Bound:
    """The filter on `port0`."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder

    def bind(self, name: str, **parameters: str) -> None:
        given = "".join(f"<parameter name='{key}' value='{value}'/>" for key, value in parameters.items())
        (self.folder / "binding.xml").write_text(BINDING.format(name, given))
        self.daemon.virsh("nwfilter-binding-create", str(self.folder / "binding.xml"))

    def define(self, text: str) -> None:
        (self.folder / "filter.xml").write_text(text)
        self.daemon.virsh("nwfilter-define", str(self.folder / "filter.xml"))

    def shown(self) -> str:
        return self.daemon.virsh("nwfilter-binding-dumpxml", "port0").stdout


@pytest.fixture
def bound(daemon: Daemon, tmp_path: Path) -> Iterator[Bound]:
    yield Bound(daemon, tmp_path)
    daemon.virsh("nwfilter-binding-delete", "port0")


def passes(source: Wire, target: Wire, stopped: list[bytes], last: bytes) -> None:
    """That `last` comes through, and nothing of what is `stopped`."""
    source.send(*stopped, last)
    came = target.until(last)
    assert [frame.hex() for frame in stopped if frame in came] == []


def mark(number: int) -> bytes:
    """Data that tells one frame from the next."""
    return number.to_bytes(4, "big") * 8


def test_spoofed_frames_do_not_come(bound: Bound, wires: tuple[Wire, Wire]) -> None:
    guest, peer = wires
    lies = [
        arp(OTHER_MAC, MAC, IP),
        arp(MAC, OTHER_MAC, IP),
        arp(MAC, MAC, OTHER_IP),
        udp(OUT, (OTHER_IP, PEER_IP), (9, 9)),
        udp((OTHER_MAC, PEER_MAC), (IP, PEER_IP), (9, 9)),
        ipv4(OUT, ("0.0.0.0", PEER_IP), 6, bytes(20)),
        ipv6((MAC, PEER_MAC)),
        ethernet(MAC, EVERYBODY, 0x88CC, b"LLDP"),
    ]
    in_vlan = udp(OUT, (OTHER_IP, PEER_IP), (9, 10))
    for lie in lies:  # without a filter all of them come
        guest.send(lie)
        peer.until(lie)
    guest.send(tagged(in_vlan, 5))
    peer.until(in_vlan)
    bound.bind("clean-traffic", IP=IP)
    for number, honest in enumerate(
        (
            arp(MAC, MAC, IP),
            udp(OUT, (IP, PEER_IP), (9, 9), mark(1)),
            udp((MAC, EVERYBODY), ("0.0.0.0", "255.255.255.255"), (68, 67)),
            ipv4(OUT, (IP, PEER_IP), 1, b"\x08\0" + bytes(20)),
        )
    ):
        passes(guest, peer, lies if number == 0 else [], honest)
    guest.send(tagged(in_vlan, 5), honest)
    assert in_vlan not in peer.until(honest)
    passes(peer, guest, [ipv6((PEER_MAC, MAC))], udp(BACK, (PEER_IP, IP), (9, 9), mark(2)))
    bound.daemon.kill()  # the rules are the kernel's, whoever lives
    passes(guest, peer, lies, udp(OUT, (IP, PEER_IP), (9, 9), mark(3)))
    bound.daemon.start()
    assert "clean-traffic" in bound.daemon.virsh("nwfilter-binding-list").stdout
    passes(guest, peer, lies, udp(OUT, (IP, PEER_IP), (9, 9), mark(4)))


def test_a_filter_changes_while_it_is_in_use(
    bound: Bound, wires: tuple[Wire, Wire], namespace: Namespace, tmp_path: Path
) -> None:
    guest, peer = wires
    text = "<filter name='{}'><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d0{}</uuid>{}</filter>"
    rule = "<rule action='drop' direction='{}'><ip protocol='udp' dstportstart='{}'/></rule>"
    first, second = (udp(OUT, (IP, PEER_IP), (5, port)) for port in (1001, 1002))
    bound.define(text.format("inner", 1, rule.format("out", 1001)))
    bound.define(text.format("outer", 2, "<filterref filter='inner'/>"))
    bound.bind("outer")
    passes(guest, peer, [first], second)
    bound.define(text.format("inner", 1, rule.format("out", 1002)))
    passes(guest, peer, [second], first)
    before = namespace.run("nft list ruleset")
    for wrong, reason in (
        ("<rule action='drop' direction='in'><all ipset='x' ipsetflags='src'/></rule>", "'ipset' of 'all' is not"),
        ("<filterref filter='nowhere'/>", "referenced filter 'nowhere' is missing"),
        ("<filterref filter='outer'/>", "filter would introduce a loop"),
        ("<rule action='drop' direction='in'><ip srcipaddr='$A' dstipaddr='$B'/></rule>", "list elements: A, B"),
    ):
        (tmp_path / "wrong.xml").write_text(text.format("inner", 1, wrong))
        refused = bound.daemon.virsh("nwfilter-define", str(tmp_path / "wrong.xml"), check=False)
        assert refused.returncode == 1
        assert reason in refused.stderr
        assert namespace.run("nft list ruleset") == before
    assert "1002" in bound.daemon.virsh("nwfilter-dumpxml", "inner").stdout
    refused = bound.daemon.virsh("nwfilter-undefine", "inner", check=False)
    assert "nwfilter is in use" in refused.stderr
    namespace.run("nft flush ruleset")  # somebody else's mistake; the next change mends it
    bound.define(text.format("inner", 1, rule.format("out", 1003)))
    passes(guest, peer, [udp(OUT, (IP, PEER_IP), (5, 1003))], second)
    path = bound.daemon.root / "etc/nwfilter/inner.xml"
    path.write_text(path.read_text().replace("1003", "1004"))
    os.kill(bound.daemon.pid, signal.SIGHUP)
    eventually(lambda: "1004" in namespace.run("nft list ruleset"), DEADLINE)
    passes(guest, peer, [udp(OUT, (IP, PEER_IP), (5, 1004))], udp(OUT, (IP, PEER_IP), (5, 1003)))


def test_connections(bound: Bound, wires: tuple[Wire, Wire], namespace: Namespace) -> None:
    namespace.need(
        "cd /proc/sys/net/bridge && grep -q 1 bridge-nf-call-iptables && grep -q 1 bridge-nf-call-ip6tables || "
        "nft 'add table bridge t; add chain bridge t c; add rule bridge t c ct state new; delete table bridge t'",
        "the kernel tracks no connections on bridges",
    )
    guest, peer = wires
    bound.define(
        "<filter name='service'><rule action='accept' direction='in'><tcp dstportstart='22'/></rule>"
        "<rule action='accept' direction='out'><udp dstportstart='53'/></rule>"
        "<rule action='drop' direction='out'><icmp connlimit-above='1'/></rule>"
        "<rule action='accept' direction='out'><icmp/></rule>"
        "<rule action='drop' direction='inout'><all/></rule></filter>"
    )
    bound.bind("service")
    there, here = (PEER_IP, IP), (IP, PEER_IP)
    unasked = [tcp(OUT, here, (22, 7777), SYN_ACK, ack=2), tcp(OUT, here, (7777, 22), SYN), udp(OUT, here, (5, 54))]
    ask = udp(OUT, here, (5353, 53))
    passes(guest, peer, unasked, ask)
    passes(peer, guest, [udp(BACK, there, (54, 5353)), udp(BACK, there, (53, 99))], udp(BACK, there, (53, 5353)))
    begin = tcp(BACK, there, (7000, 22), SYN)
    passes(peer, guest, [tcp(BACK, there, (7000, 23), SYN)], begin)
    passes(guest, peer, [], tcp(OUT, here, (22, 7000), SYN_ACK, ack=2))
    passes(peer, guest, [], tcp(BACK, there, (7000, 22), ACK, ack=2))
    pings = [ipv4(OUT, here, 1, b"\x08\0" + (0xF7FF - number).to_bytes(2, "big") + bytes((0, number)) + bytes(18))
             for number in range(2)]  # fmt: skip
    passes(guest, peer, [], pings[0])
    passes(guest, peer, pings[1:], udp(OUT, here, (5354, 53)))
    assert arp(MAC, MAC, OTHER_IP) in _sent(guest, peer, arp(MAC, MAC, OTHER_IP))  # rules of packets leave ARP alone


def _sent(source: Wire, target: Wire, frame: bytes) -> list[bytes]:
    source.send(frame)
    return target.until(frame)


def test_an_address_is_learned(bound: Bound, wires: tuple[Wire, Wire]) -> None:
    guest, peer = wires
    bound.bind("clean-traffic")
    assert "name='IP'" not in bound.shown()
    lie = udp(OUT, (OTHER_IP, PEER_IP), (9, 9))
    passes(guest, peer, [udp((OTHER_MAC, PEER_MAC), (IP, PEER_IP), (9, 9))], arp(MAC, MAC, IP))
    eventually(lambda: f"<parameter name='IP' value='{IP}'/>" in bound.shown(), DEADLINE)
    passes(guest, peer, [lie], udp(OUT, (IP, PEER_IP), (9, 9), mark(1)))
    bound.daemon.kill()
    bound.daemon.start()
    assert f"<parameter name='IP' value='{IP}'/>" in bound.shown()
    passes(guest, peer, [lie], udp(OUT, (IP, PEER_IP), (9, 9), mark(2)))


def test_leases(bound: Bound, wires: tuple[Wire, Wire]) -> None:
    guest, peer = wires
    bound.bind("clean-traffic", CTRL_IP_LEARNING="dhcp", DHCPSERVER=PEER_IP)
    ask = udp((MAC, EVERYBODY), ("0.0.0.0", "255.255.255.255"), (68, 67))
    passes(guest, peer, [arp(MAC, MAC, IP), udp(OUT, (IP, PEER_IP), (9, 9), mark(1))], ask)
    honest = dhcp_answer(BACK, PEER_IP, IP, 1000)
    passes(peer, guest, [dhcp_answer(BACK, "10.9.0.66", OTHER_IP, 100), udp(BACK, (PEER_IP, IP), (9, 9))], honest)
    eventually(lambda: f"<parameter name='IP' value='{IP}'/>" in bound.shown(), DEADLINE)
    assert OTHER_IP not in bound.shown()
    passes(guest, peer, [udp(OUT, (OTHER_IP, PEER_IP), (9, 9))], udp(OUT, (IP, PEER_IP), (9, 9), mark(3)))
    peer.send(dhcp_answer(BACK, PEER_IP, IP, 1))  # renewed for a second
    eventually(lambda: "name='IP'" not in bound.shown(), DEADLINE)
    passes(guest, peer, [udp(OUT, (IP, PEER_IP), (9, 9), mark(2))], ask)


#: Binds, changes and unbinds without a pause, and says each time that something was done.
BUSY = r"""
import itertools
binding = sys.argv[2]
for number in itertools.count():
    for device in ("busy0", "busy1", "busy2"):
        conn.nwfilterBindingCreateXML(binding.replace("port0", device))
        print("bound", flush=True)
    conn.nwfilterDefineXML("<filter name='busy'><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d09</uuid>"
                           f"<rule action='drop' direction='out' priority='{number % 900}'/></filter>")
    print("defined", flush=True)
    for device in ("busy2", "busy0", "busy1"):
        conn.nwfilterBindingLookupByPortDev(device).delete()
        print("unbound", flush=True)
"""


@pytest.mark.parametrize("steps", [2, 5])
def test_a_daemon_that_is_killed_at_work(daemon: Daemon, namespace: Namespace, tmp_path: Path, steps: int) -> None:
    """What it says after its restart is what the kernel has."""
    text = "<filter name='busy'><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d09</uuid></filter>"
    (tmp_path / "busy.xml").write_text(text)
    daemon.virsh("nwfilter-define", str(tmp_path / "busy.xml"))
    argv = [SYSTEM_PYTHON, "-c", OPENING + BUSY, daemon.uri, BINDING.format("busy", "")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as busy:
        assert busy.stdout is not None
        said = [busy.stdout.readline() for _ in range(7 + steps)]
        daemon.kill()
        busy.kill()
    assert said[3:5] == [b"defined\n", b"unbound\n"]
    daemon.start()
    told = [line.split()[0] for line in daemon.virsh("nwfilter-binding-list").stdout.splitlines()[2:] if line.strip()]
    rules = namespace.run("nft list ruleset")
    assert sorted(re.findall(r'"(busy\d)" : goto frames-out/', rules)) == told
    assert rules.count("chain frames-out/") == len(told)
    assert "trial" not in rules
    priority = re.search(r"priority='(\d+)'", daemon.virsh("nwfilter-dumpxml", "busy").stdout)
    assert priority is not None
    for device in told:
        daemon.virsh("nwfilter-binding-delete", device)
    daemon.virsh("nwfilter-undefine", "busy")
    assert "nwfilter" not in namespace.run("nft list tables")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.nft")), ids=lambda path: path.stem)
def test_every_written_rule_is_accepted(namespace: Namespace, path: Path) -> None:
    text = path.read_text()
    if not path.name.startswith("transactions"):
        maps = {
            "frames-out": "ifname : verdict", "frames-in": "ifname : verdict", "marks-out": "ifname : mark",
            "marks-in": "ifname : mark", "packets-out": "mark : verdict", "packets-in": "mark : verdict",
        }  # fmt: skip
        text = (
            "".join(
                f"add table {family} filters\nadd map {family} filters {name} {{ type {kind} ; }}\n"
                for family in ("bridge", "inet")
                for name, kind in maps.items()
            )
            + text
        )
    done = subprocess.run(
        [*namespace.prefix, "nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    if "ct" in _complaint(done.stderr):
        pytest.skip("the kernel has no connection tracking for bridges")
    assert done.returncode == 0, done.stderr


def _complaint(said: str) -> str:
    """The words that are underlined in what nft could not do, where it knows no connections."""
    return "ct" if re.search(r"add rule bridge .* ct (state|direction|count)|ip saddr ct count", said) else ""
