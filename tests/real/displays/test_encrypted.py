"""Lines and displays that `qemu.conf` has encrypted, on real QEMU."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from lxml import etree

from tests.support import certificates
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>{devices}</devices></domain>"""
CONF = """
default_tls_x509_cert_dir = "{folder}"
default_tls_x509_verify = 0
vnc_tls = 1
spice_tls = 1
chardev_tls = 1
spice_password = "for-all"
vnc_password = "for-all"
"""
#: RFB's security type with encryption (VeNCrypt).
VENCRYPT = 19


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _hidden(authority: Path, port: int, *, deadline: float = 10.0) -> ssl.SSLSocket:
    """A connection to a server that the authority vouches for. Raises `OSError` for another, and where none is."""
    context = ssl.create_default_context(cafile=str(authority))
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), timeout=deadline), server_hostname="127.0.0.1"
    )


def test_what_qemu_conf_encrypts(short_path: Path) -> None:
    folder = short_path / "pki"
    authority = certificates.make(folder)
    root = short_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/qemu.conf").write_text(CONF.format(folder=folder))
    line, plain = _free_port(), _free_port()
    devices = f"""
      <serial type='tcp'><source mode='bind' host='127.0.0.1' service='{line}'/></serial>
      <serial type='tcp'><source mode='bind' host='127.0.0.1' service='{plain}' tls='no'/></serial>
      <graphics type='vnc'/>
      <graphics type='spice' autoport='yes' defaultMode='secure'/>"""
    document = short_path / "guest.xml"
    document.write_text(GUEST.format(name="hidden", devices=devices))
    daemon = Daemon(root)
    try:
        daemon.start()
        daemon.virsh("define", str(document))
        daemon.virsh("start", "hidden")
        running = etree.fromstring(daemon.virsh("dumpxml", "hidden").stdout)
        assert [source.get("tls") for source in running.findall("./devices/serial/source")] == ["yes", "no"]
        with _hidden(authority, line) as connection:
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
        with socket.create_connection(("127.0.0.1", plain), timeout=10) as open_line:
            open_line.sendall(b"x")
        with pytest.raises(OSError, match=r"SSL|timed out|reset|EOF"):
            _hidden(authority, plain, deadline=1.0).close()
        vnc, spice = running.findall("./devices/graphics")
        with socket.create_connection(("127.0.0.1", int(vnc.get("port", "0"))), timeout=10) as connection:
            connection.recv(12)
            connection.sendall(b"RFB 003.008\n")
            assert VENCRYPT in connection.recv(8)[1:]
        assert spice.get("port") is None  # everything of it is secure
        with _hidden(authority, int(spice.get("tlsPort", "0"))) as connection:
            assert connection.version() is not None
        command_lines = [(Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in daemon.guest_processes()]
        assert command_lines
        assert not any(b"for-all" in words for words in command_lines)
    finally:
        daemon.stop()
