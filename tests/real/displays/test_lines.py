"""Lines between a real guest and its host: every kind carries bytes, in both directions where it can."""

from __future__ import annotations

import os
import select
import socket
import time
import tty
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from tests.support.daemon import Daemon
from tests.support.shell import GuestShell
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

DEVICES = """
<serial type='unix'><source mode='bind' path='{folder}/serial'/><target port='1'/></serial>
<serial type='file'><source path='{folder}/file' append='on'/><log file='{folder}/log'/><target port='2'/></serial>
<serial type='udp'><source mode='bind' host='127.0.0.1' service='{near}'/>
  <source mode='connect' host='127.0.0.1' service='{far}'/><target port='3'/></serial>
<serial type='null'><target type='pci-serial'/></serial>
<serial type='file'><source path='{folder}/debug'/><target type='isa-debug'/><address type='isa' iobase='0x402'/>
</serial>
<console type='unix'><source mode='bind' path='{folder}/console'/><target type='virtio'/></console>
<channel type='unix'><target type='virtio' name='made'/></channel>
<channel type='unix'><source mode='connect' path='{folder}/waiting'><reconnect enabled='yes' timeout='1'/></source>
  <target type='virtio' name='called'/></channel>
<channel type='pty'><target type='virtio' name='terminal'/></channel>
<channel type='tcp'><source mode='bind' host='127.0.0.1' service='{tcp}'/>
  <target type='virtio' name='network'/></channel>
<channel type='pipe'><source path='{folder}/pipe'/><target type='virtio' name='pipe'/></channel>
<channel type='tcp'><source mode='bind' host='127.0.0.1' service='{telnet}'/><protocol type='telnet'/>
  <target type='virtio' name='telnet'/></channel>
<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/><mouse mode='client'/></source>
  <target type='virtio'/></channel>
"""


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _connected(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(10)
    line.connect(str(path))
    return line


class Ports:
    """The guest's ports by name, as paths in the guest."""

    def __init__(self, shell: GuestShell) -> None:
        listing = shell.run("grep . /sys/class/virtio-ports/*/name")
        self._paths = {
            name: f"/dev/{path.split('/')[4]}" for path, _, name in (line.partition(":") for line in listing.split())
        }

    def __getitem__(self, name: str) -> str:
        return self._paths[name]


def _exchange(shell: GuestShell, port: str, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
    """A line from the guest, and one to it."""
    shell.run(f"echo from-guest > {port}")
    assert b"from-guest" in _gather(receive, b"from-guest")
    shell.run(f"head -n 1 {port} > /tmp/heard & sleep 0.3")
    send(b"from-host\n")
    shell.until("cat /tmp/heard", "from-host")
    shell.run("rm /tmp/heard")


def _gather(receive: Callable[[], bytes], wanted: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + 10
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        seen += receive()
    return seen


def _read_terminal(descriptor: int) -> bytes:
    select.select([descriptor], [], [], 5)
    return os.read(descriptor, 4096)


def _until_read(path: Path, wanted: bytes) -> None:
    deadline = time.monotonic() + 10
    while wanted not in path.read_bytes():
        assert time.monotonic() < deadline, path.read_bytes()
        time.sleep(0.05)


def test_every_line_carries_bytes(daemon: Daemon, short_path: Path) -> None:
    tcp, telnet, near, far = _free_port(), _free_port(), _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_DGRAM)
    os.mkfifo(short_path / "pipe.in")
    os.mkfifo(short_path / "pipe.out")
    (short_path / "file").write_text("kept\n")
    devices = DEVICES.format(folder=short_path, tcp=tcp, telnet=telnet, near=near, far=far)
    document = short_path / "guest.xml"
    document.write_text(tiny_xml("lines", devices=devices))
    daemon.virsh("define", str(document))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_UNIX) as waiting:
        datagrams.bind(("127.0.0.1", far))
        datagrams.settimeout(10)
        waiting.bind(str(short_path / "waiting"))
        waiting.listen()
        waiting.settimeout(20)
        daemon.virsh("start", "lines")
        shell = GuestShell(daemon.virsh("ttyconsole", "lines").stdout.strip())
        try:
            shell.until_ready()
            _sockets(daemon, shell, short_path, waiting)
            _network(shell, tcp, telnet, near, datagrams)
            _files(daemon, shell, short_path)
        finally:
            shell.close()


def _sockets(daemon: Daemon, shell: GuestShell, folder: Path, waiting: socket.socket) -> None:
    ports = Ports(shell)
    for tty_name in ("ttyS1", "ttyS2", "ttyS3", "hvc0"):
        shell.run(f"stty -F /dev/{tty_name} raw -echo")
    with _connected(folder / "serial") as line:
        _exchange(shell, "/dev/ttyS1", line.sendall, lambda: line.recv(4096))
    with _connected(folder / "console") as line:
        _exchange(shell, "/dev/hvc0", line.sendall, lambda: line.recv(4096))
    document = etree.fromstring(daemon.virsh("dumpxml", "lines").stdout)
    with _connected(_path_of(document, "made")) as line:
        _exchange(shell, ports["made"], line.sendall, lambda: line.recv(4096))
    called, _ = waiting.accept()
    with called:
        called.settimeout(10)
        _exchange(shell, ports["called"], called.sendall, lambda: called.recv(4096))
    again, _ = waiting.accept()  # QEMU calls again when its line breaks
    again.close()
    descriptor = os.open(_path_of(document, "terminal"), os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(descriptor)
        _exchange(shell, ports["terminal"], lambda data: os.write(descriptor, data), lambda: _read_terminal(descriptor))
    finally:
        os.close(descriptor)


def _path_of(document: etree._Element, channel: str) -> Path:
    """The path of the socket or terminal that a channel was given."""
    [path] = [
        source.get("path", "")
        for device in document.findall("./devices/channel")
        for target, source in zip(device.findall("target"), device.findall("source"), strict=False)
        if target.get("name") == channel
    ]
    return Path(path)


def _network(shell: GuestShell, tcp: int, telnet: int, near: int, datagrams: socket.socket) -> None:
    ports = Ports(shell)
    with socket.create_connection(("127.0.0.1", tcp), timeout=10) as line:
        _exchange(shell, ports["network"], line.sendall, lambda: line.recv(4096))
    with socket.create_connection(("127.0.0.1", telnet), timeout=10) as line:
        assert _gather(lambda: line.recv(4096), b"\xff\xfb\x01")  # IAC WILL ECHO
        _exchange(shell, ports["telnet"], line.sendall, lambda: line.recv(4096))
    _exchange(
        shell,
        "/dev/ttyS3",
        lambda data: datagrams.sendto(data, ("127.0.0.1", near)),
        lambda: datagrams.recv(4096),
    )


def _files(daemon: Daemon, shell: GuestShell, folder: Path) -> None:
    ports = Ports(shell)
    shell.run("echo to-file > /dev/ttyS2")
    _until_read(folder / "file", b"to-file")
    assert (folder / "file").read_bytes().startswith(b"kept\n")
    _until_read(folder / "log", b"to-file")
    out = os.open(folder / "pipe.out", os.O_RDONLY | os.O_NONBLOCK)
    into = os.open(folder / "pipe.in", os.O_WRONLY | os.O_NONBLOCK)
    try:
        _exchange(shell, ports["pipe"], lambda data: os.write(into, data), lambda: _read_terminal(out))
    finally:
        os.close(out)
        os.close(into)
    # Nobody is at the other end yet, and until then the guest reads an end of file.
    shell.run(f"(while [ ! -s /tmp/stream ]; do head -n 1 {ports['made']} > /tmp/stream; sleep 0.1; done) & sleep 0.1")
    daemon.python(
        "dom = conn.lookupByName('lines')\n"
        "stream = conn.newStream(0)\n"
        "dom.openChannel('made', stream, 0)\n"
        "stream.send(b'over-the-stream\\n')\n"
        "time.sleep(1)\n"
        "stream.abort()\n"
    )
    shell.until("cat /tmp/stream", "over-the-stream")
    assert shell.run("cat /proc/tty/driver/serial").count("16550A") == 4
    assert "0x0700" in shell.run("cat /sys/bus/pci/devices/*/class")  # a serial port
