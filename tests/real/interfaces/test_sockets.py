"""Real guests on networks that need nothing of the host: sockets between two of them, passt with a forwarded port."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.tiny_console import TinyConsole, console, define, eventually

MAC = "<mac address='52:54:00:00:00:{:02x}'/>"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Daemon(Path(folder) / "root")
        try:
            yield made.start()
        finally:
            made.stop()


def free_port() -> int:
    """A port of the loopback address that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_sockets_between_two_guests(daemon: Daemon) -> None:
    """One pair of cards on a TCP connection, one on UDP."""
    tcp, here, there = (free_port() for _ in range(3))
    place = "<source address='127.0.0.1' port='{}'>{}</source><model type='virtio'/>"
    local = "<local address='127.0.0.1' port='{}'/>"
    kinds = (
        ("server", place.format(tcp, ""), "client", place.format(tcp, "")),
        ("udp", place.format(here, local.format(there)), "udp", place.format(there, local.format(here))),
    )
    for number, name in enumerate(("left", "right")):
        cards = [
            f"<interface type='{row[2 * number]}'>{MAC.format(16 * number + at)}{row[2 * number + 1]}</interface>"
            for at, row in enumerate(kinds)
        ]
        define(daemon, name, "".join(cards))
        daemon.virsh("start", name)
    with console(daemon, "left") as left, console(daemon, "right") as right:
        for card in ("eth0", "eth1"):
            left.run(f"ip addr add 10.{card[-1]}.0.1/24 dev {card}")
            right.run(f"ip addr add 10.{card[-1]}.0.2/24 dev {card}")
        for network in (0, 1):
            assert " 0% packet loss" in left.run(f"ping -c 1 -w 20 10.{network}.0.2")
    for name in ("left", "right"):
        daemon.virsh("destroy", name)


def test_passt_forwards_a_port(daemon: Daemon, tmp_path: Path) -> None:
    need("passt")
    port = free_port()
    define(
        daemon,
        "served",
        f"""<interface type='user'>{MAC.format(64)}
          <portForward proto='tcp' address='127.0.0.1'>
            <range start='{port}' to='7777'/>
          </portForward>
          <model type='virtio'/>
          <backend type='passt' logFile='{tmp_path}/passt.log'/>
        </interface>""",
    )
    daemon.virsh("start", "served")
    told = (tmp_path / "passt.log").read_text()
    own, router = (re.search(rf"{word}: ([0-9.]+)", told) for word in ("assign", "router"))
    if own is None or router is None:
        pytest.skip("the host has no IPv4 address that passt could lend")
    with console(daemon, "served") as guest, socket.create_server(("127.0.0.1", 0)) as listener:
        guest.run(f"ip addr add {own[1]}/32 dev eth0; ip route add default dev eth0")
        guest.run("(while true; do echo from-the-guest | nc -l -p 7777; done) >/dev/null 2>&1 & true")
        before = segments(guest)

        def reached() -> bool:
            # Debian 12's passt may lose the guest's answer; that the guest was reached, its own counter tells.
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return segments(guest) > before

        eventually(reached, 30)
        # The address of the host's router is the host itself.
        listener.settimeout(20)
        guest.run(f"(echo from-the-guest | nc -w 3 {router[1]} {listener.getsockname()[1]}) & true")
        with listener.accept()[0] as connection:
            connection.settimeout(20)
            assert connection.recv(64) == b"from-the-guest\n"
    daemon.virsh("destroy", "served")
    with contextlib.closing(socket.socket()) as probe:
        assert ended(probe, port)


def segments(guest: TinyConsole) -> int:
    """How many segments of TCP a guest has received."""
    names, values = (line.split() for line in guest.run("cat /proc/net/snmp").splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("InSegs")])


def ended(probe: socket.socket, port: int) -> bool:
    """Whether nobody listens there any more, after a moment."""
    end = time.monotonic() + 5
    while probe.connect_ex(("127.0.0.1", port)) == 0:
        probe.close()
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
        probe = socket.socket()
    return True
