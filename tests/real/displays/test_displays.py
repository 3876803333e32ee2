"""Displays of real guests: clients are let in, or not, as their passwords and the time say."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from tests.support import rfb, spice
from tests.support.daemon import Daemon, need

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>{devices}</devices></domain>"""


def _start(daemon: Daemon, folder: Path, devices: str, name: str = "shown") -> None:
    document = folder / f"{name}.xml"
    document.write_text(GUEST.format(name=name, devices=devices))
    daemon.virsh("define", str(document))
    daemon.virsh("start", name)


def _graphics(daemon: Daemon, name: str = "shown", *options: str) -> etree._Element:
    document = etree.fromstring(daemon.virsh("dumpxml", name, *options).stdout)
    return document.findall("./devices/graphics")[0]


def _ask(daemon: Daemon, command: str, name: str = "shown") -> dict[str, object]:
    answer = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps({"execute": command})).stdout)
    found: dict[str, object] = answer["return"]
    return found


def _change(daemon: Daemon, folder: Path, text: str, *, check: bool = True) -> str:
    document = folder / "graphics.xml"
    document.write_text(text)
    return daemon.virsh("update-device", "shown", str(document), "--live", check=check).stderr


def test_passwords_of_vnc(daemon: Daemon, tmp_path: Path) -> None:
    _start(daemon, tmp_path, "<graphics type='vnc' passwd='first' websocket='-1' sharePolicy='force-shared'/>")
    running = _graphics(daemon)
    port = int(running.get("port", "0"))
    assert port >= 5900
    assert int(running.get("websocket", "0")) >= 5700
    assert running.get("passwd") is None
    assert _graphics(daemon, "shown", "--security-info").get("passwd") == "first"
    [command_line] = [words for words in _command_lines(daemon) if "-vnc" in words]
    assert "first" not in " ".join(command_line)

    welcome = rfb.connect("127.0.0.1", port, "first")
    assert welcome.offered == (2,)
    assert welcome.accepted
    assert welcome.width >= 640
    assert not rfb.connect("127.0.0.1", port, "wrong").accepted

    element = "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' sharePolicy='force-shared' {}/>"
    _change(daemon, tmp_path, element.format("passwd='second'"))
    assert not rfb.connect("127.0.0.1", port, "first").accepted
    assert rfb.connect("127.0.0.1", port, "second").accepted
    soon = datetime.now(UTC) + timedelta(seconds=3)
    _change(daemon, tmp_path, element.format(f"passwd='second' passwdValidTo='{soon:%Y-%m-%dT%H:%M:%S}'"))
    assert rfb.connect("127.0.0.1", port, "second").accepted
    while datetime.now(UTC) <= soon + timedelta(seconds=1):
        time.sleep(0.1)
    assert not rfb.connect("127.0.0.1", port, "second").accepted
    _change(daemon, tmp_path, element.format("passwd='third' passwdValidTo='2001-01-01T00:00:00'"))
    assert not rfb.connect("127.0.0.1", port, "third").accepted
    _change(daemon, tmp_path, element.format("passwd=''"))
    assert not rfb.connect("127.0.0.1", port, "").accepted
    assert "cannot change keymap" in _change(daemon, tmp_path, element.format("keymap='de'"), check=False)
    assert _graphics(daemon, "shown", "--inactive", "--security-info").get("passwd") == "first"


def _command_lines(daemon: Daemon) -> list[list[str]]:
    return [
        (Path("/proc") / str(pid) / "cmdline").read_bytes().decode().split("\0") for pid in daemon.guest_processes()
    ]


def test_a_client_without_the_network(daemon: Daemon, tmp_path: Path) -> None:
    _start(daemon, tmp_path, "<graphics type='vnc'><listen type='socket'/></graphics>")
    path = _graphics(daemon).get("socket", "")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        assert rfb.greet(connection).accepted
    assert daemon.virsh("domdisplay", "shown").stdout.strip() == f"vnc+unix://{path}"
    done = daemon.python(
        "import os\n"
        "dom = conn.lookupByName('shown')\n"
        "fd = dom.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)\n"
        "print(os.read(fd, 12))\n"
        "try: dom.openGraphicsFD(1)\n"
        "except libvirt.libvirtError as error: print(error)\n"
    )
    banner, refusal = done.stdout.splitlines()
    assert banner.startswith("b'RFB 003.")
    assert "No graphics backend with index 1" in refusal


def test_passwords_of_spice(daemon: Daemon, tmp_path: Path) -> None:
    devices = """
      <graphics type='spice' autoport='yes' passwd='first'><image compression='off'/><mouse mode='client'/>
        <clipboard copypaste='no'/><streaming mode='filter'/></graphics>
      <channel type='spicevmc'><target type='virtio'/></channel>
      <channel type='spiceport'><source channel='org.example.port'/><target type='virtio' name='port'/></channel>
      <redirdev bus='usb' type='spicevmc'/>
      <redirfilter><usbdev class='0x08' vendor='0x1234' allow='yes'/><usbdev allow='no'/></redirfilter>
      <smartcard mode='passthrough' type='spicevmc'/>
      <video><model type='qxl' heads='2'/></video>"""
    document = GUEST.format(name="probe", devices=devices)
    (tmp_path / "probe.xml").write_text(document)
    defined = daemon.virsh("define", str(tmp_path / "probe.xml"), check=False)
    if "SPICE is not installed" in defined.stderr:
        pytest.skip("this QEMU has no module for SPICE")
    _start(daemon, tmp_path, devices)
    running = _graphics(daemon)
    port = int(running.get("port", "0"))
    seen = _ask(daemon, "query-spice")
    assert (seen["enabled"], seen["auth"], seen["host"], seen["port"]) == (True, "spice", "127.0.0.1", port)
    assert daemon.virsh("domdisplay", "shown").stdout.strip() == f"spice://127.0.0.1:{port}"

    assert spice.link("127.0.0.1", port, "first") == spice.OK
    assert spice.link("127.0.0.1", port, "wrong") == spice.PERMISSION_DENIED
    element = "<graphics type='spice' autoport='yes' listen='127.0.0.1' {}/>"
    _change(daemon, tmp_path, element.format("passwd='second' connected='disconnect'"))
    assert spice.link("127.0.0.1", port, "first") == spice.PERMISSION_DENIED
    assert spice.link("127.0.0.1", port, "second") == spice.OK
    _change(daemon, tmp_path, element.format("passwd='second' passwdValidTo='2001-01-01T00:00:00'"))
    assert spice.link("127.0.0.1", port, "second") == spice.PERMISSION_DENIED
    assert "cannot change port settings on spice" in _change(
        daemon, tmp_path, "<graphics type='spice' port='5999' listen='127.0.0.1'/>", check=False
    )


def test_a_display_on_a_bus_of_its_own(daemon: Daemon, tmp_path: Path) -> None:
    need("dbus-daemon", "gdbus")
    _start(
        daemon,
        tmp_path,
        """<graphics type='dbus'><audio id='1'/></graphics><audio id='1' type='dbus'/>
        <channel type='dbus'><source channel='org.example.line'/><target type='virtio' name='line'/></channel>
        <redirdev bus='usb' type='dbus'/><sound model='ich9'/><video><model type='virtio' heads='3'/></video>""",
    )
    address = _graphics(daemon).get("address", "")
    assert address.startswith(f"unix:path={daemon.root}/")
    told = daemon.run("gdbus", "introspect", "--address", address, "--dest", "org.qemu", "-o", "/org/qemu/Display1")
    assert "VM" in told.stdout
    assert "Console_2" in told.stdout  # a screen for each head
    assert "Audio" in told.stdout
    assert daemon.virsh("domdisplay", "shown").stdout.strip() == f"dbus+{address.replace('path=', '//')}"
    bus = Path(address.removeprefix("unix:path="))
    assert bus.is_socket()
    daemon.virsh("destroy", "shown")
    deadline = time.monotonic() + 10
    while _answers(bus):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    daemon.virsh("start", "shown")
    assert _answers(Path(_graphics(daemon).get("address", "").removeprefix("unix:path=")))
    daemon.virsh("destroy", "shown")


def test_a_client_of_its_own_on_d_bus(daemon: Daemon, tmp_path: Path) -> None:
    _start(daemon, tmp_path, "<graphics type='dbus' p2p='yes'/>")
    done = daemon.python(
        "import os\n"
        "fd = conn.lookupByName('shown').openGraphicsFD(0)\n"
        "os.write(fd, b'\\0AUTH EXTERNAL ' + str(os.geteuid()).encode().hex().encode() + b'\\r\\n')\n"
        "print(os.read(fd, 100))\n"
    )
    assert done.stdout.startswith("b'OK ")  # the server's answer of D-Bus's authentication


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def test_cards_sounds_and_usb(daemon: Daemon, tmp_path: Path) -> None:
    inputs = "".join(f"<input type='{kind}' bus='usb'/>" for kind in ("tablet", "mouse", "keyboard", "tablet", "mouse"))
    _start(
        daemon,
        tmp_path,
        f"""<controller type='usb' index='0' model='qemu-xhci' ports='4'/>{inputs}
        <graphics type='vnc'/>
        <video><model type='virtio' heads='4'><resolution x='1024' y='600'/></model></video>
        <video><model type='qxl' heads='2' vram64='131072'/></video>
        <audio id='1' type='none'><input mixingEngine='yes' fixedSettings='yes' voices='1' bufferLength='9000'>
          <settings frequency='44100' channels='2' format='s16'/></input></audio>
        <audio id='2' type='file' path='{tmp_path}/sound.wav' timerPeriod='9000'/>
        <audio id='3' type='alsa'/>
        <sound model='pcspk'/><sound model='virtio'><audio id='2'/></sound><sound model='sb16'/>
        <sound model='ich6'><codec type='micro'/><codec type='output'/><audio id='2'/></sound>
        <sound model='usb' multichannel='yes'/><sound model='es1370'/><sound model='ac97'/>
        <redirdev bus='usb' type='unix'><source mode='bind' path='{daemon.root}/redirected'/></redirdev>
        <smartcard mode='passthrough' type='unix'><source mode='bind' path='{daemon.root}/card'/></smartcard>""",
    )
    usb = daemon.virsh("qemu-monitor-command", "shown", "--hmp", "info usb").stdout
    found = {line.rpartition("ID: ")[2]: line.partition("Port ")[2].partition(",")[0] for line in usb.splitlines()}
    found.pop("", None)
    document = etree.fromstring(daemon.virsh("dumpxml", "shown").stdout)
    assert found == {
        alias.get("name"): address.get("port")
        for device in document.findall("./devices/*")
        for alias, address in zip(device.findall("alias"), device.findall("address[@type='usb']"), strict=False)
    }
    assert len(found) == 9  # what was asked for, the reader, and the hub that had to be added for them
    for screen in ("0", "4"):
        picture = tmp_path / f"screen-{screen}.png"
        daemon.virsh("screenshot", "shown", str(picture), "--screen", screen)
        assert picture.read_bytes().startswith(b"\x89PNG")
    heads = daemon.virsh(
        *("qemu-monitor-command", "shown"),
        '{"execute":"qom-get","arguments":{"path":"video0","property":"max_outputs"}}',
    )
    assert json.loads(heads.stdout)["return"] == 4
