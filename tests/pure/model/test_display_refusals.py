"""What cannot be honoured of character devices, displays, sound and input is refused by name, in libvirt's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.qemu_capabilities import QemuCapabilities
from tests.pure.model import device_cases as cases

INTERNAL = 1
INVALID_ARG = 8
XML_ERROR = 27
UNSUPPORTED = 67
OVERFLOW = 82

VIRTIO_PORT = "<target type='virtio' name='x'/>"
TCP = "<serial type='tcp'><source mode='{0}' host='h' service='1'>{1}</source></serial>"
VNC = "<graphics type='vnc'{0}>{1}</graphics>"
SPICE = "<graphics type='spice'{0}>{1}</graphics>"
VIDEO = "<video>{1}<model type='{0}</video>"
AUDIO = "<audio id='1' type='{0}'{1}>{2}</audio>"

#: Elements, code, part of the text.
REFUSED: list[tuple[str, int, str]] = [
    # Character devices.
    ("<channel type='spicevmc'>" + VIRTIO_PORT + "</channel>", UNSUPPORTED, "spicevmc target name 'x'"),
    ("<serial type='file'/>", INTERNAL, "Missing source path attribute for char device"),
    ("<serial type='unix'/>", INTERNAL, "Missing source path attribute for char device"),
    ("<serial type='tcp'><source host='h'/></serial>", INTERNAL, "Missing source service attribute"),
    ("<serial type='pty'><protocol type='telnet'/></serial>", XML_ERROR, "'protocol'"),
    ("<serial type='pty'><source/><source/></serial>", XML_ERROR, "only one source element"),
    ("<serial type='udp'><source/><source/><source/></serial>", XML_ERROR, "only two source elements"),
    ("<serial type='tcp'><source host='h' service='1'/><protocol type='tls'/></serial>", UNSUPPORTED, "'tls'"),
    ("<serial type='nmdm'/>", UNSUPPORTED, "unsupported chardev 'nmdm'"),
    ("<serial type='dbus'/>", UNSUPPORTED, "Missing source channel"),
    ("<serial type='spiceport'><source channel='a b'/></serial>", XML_ERROR, "'a b'"),
    (TCP.format("bind", "<reconnect enabled='yes' timeout='1'/>"), INTERNAL, "only for connect mode"),
    (TCP.format("connect", "<reconnect enabled='yes' timeout='0'/>"), INVALID_ARG, "cannot be '0'"),
    (TCP.format("connect", "<reconnect enabled='yes'/>"), XML_ERROR, "'timeout'"),
    (TCP.format("connect", "<reconnect timeout='1'/>"), XML_ERROR, "'enabled'"),
    ("<serial type='pty'><target type='sclp-serial'/></serial>", UNSUPPORTED, "'sclp-serial'"),
    ("<serial type='pty'><target type='system-serial'/></serial>", UNSUPPORTED, "not compatible"),
    (
        "<serial type='pty'><target type='pci-serial'><model name='usb-serial'/></target></serial>",
        UNSUPPORTED,
        "Target model 'usb-serial' requires target type 'usb-serial'",
    ),
    ("<console type='pty'><target type='xen'/></console>", UNSUPPORTED, "xen"),
    ("<channel type='pty'><target type='xen'/></channel>", UNSUPPORTED, "'xen'"),
    ("<channel type='unix'><target type='virtio' name='../x'/></channel>", XML_ERROR, "'../x'"),
    ("<channel type='unix'><target type='virtio' name='..'/></channel>", XML_ERROR, "'..'"),
    ("<channel type='pty'><target type='guestfwd'/></channel>", XML_ERROR, "does not define a target address"),
    ("<channel type='pty'><target type='guestfwd' address='10.0.2.1'/></channel>", XML_ERROR, "'port'"),
    ("<channel type='pty'><target type='guestfwd' address='fe80::1' port='1'/></channel>", UNSUPPORTED, "IPv4"),
    ("<channel type='pty'><target type='virtio' port='1'/></channel>", XML_ERROR, "'virtio'"),
    # Smartcards and redirection.
    ("<smartcard mode='passthrough'/>", XML_ERROR, "character device type"),
    ("<smartcard mode='host-certificates'><certificate>a</certificate></smartcard>", XML_ERROR, "exactly three"),
    ("<smartcard mode='host'><certificate>a</certificate></smartcard>", XML_ERROR, "no certificates"),
    ("<smartcard mode='host'><source path='/x'/></smartcard>", XML_ERROR, "no character device"),
    ("<smartcard mode='host'><address type='ccid' slot='1'/></smartcard>", UNSUPPORTED, "multiple smartcard"),
    ("<smartcard mode='host'/>" * 2, UNSUPPORTED, "multiple smartcard"),
    ("<redirdev bus='usb' type='spicevmc'/>", UNSUPPORTED, "USB is disabled"),
    ("<redirfilter><usbdev version='1.2.3' allow='yes'/></redirfilter>", XML_ERROR, "'1.2.3'"),
    ("<redirfilter><usbdev class='0x100' allow='yes'/></redirfilter>", XML_ERROR, "'0x100'"),
    ("<redirfilter><usbdev/></redirfilter>", XML_ERROR, "'allow'"),
    # Displays.
    ("<graphics type='rdp'/>", UNSUPPORTED, "rdp graphics are not supported"),
    ("<graphics type='desktop'/>", UNSUPPORTED, "desktop graphics are not supported"),
    (VNC.format(" port='80'", ""), UNSUPPORTED, "vnc port must be in range [5900,65535]"),
    (VNC.format(" passwd='012345678'", ""), UNSUPPORTED, "9 characters long, only 8 permitted"),
    (VNC.format(" connected='fail'", ""), UNSUPPORTED, "'keep'"),
    (VNC.format(" tlsPort='5901'", ""), UNSUPPORTED, "graphics type 'vnc' does not take 'tlsPort'"),
    (VNC.format("", "<channel name='main' mode='any'/>"), UNSUPPORTED, "'channel'"),
    (VNC.format("", "<listen type='network'/>"), XML_ERROR, "'network' attribute is required"),
    (VNC.format("", "<listen type='none' socket='/s'/>"), XML_ERROR, "only for listen type 'socket'"),
    (VNC.format("", "<listen type='none'/><listen type='none'/>"), UNSUPPORTED, "multiple"),
    (VNC.format(" listen='a'", "<listen type='address' address='b'/>"), UNSUPPORTED, "must match"),
    (VNC.format("", "<audio id='7'/>"), UNSUPPORTED, "unable to find audio backend for ID '7'"),
    (SPICE.format(" tlsPort='5901'", ""), UNSUPPORTED, "TLS is disabled in qemu.conf"),
    (SPICE.format(" sharePolicy='ignore'", ""), UNSUPPORTED, "'sharePolicy'"),
    (SPICE.format(" autoport='yes'", "") * 2, UNSUPPORTED, "only 1 graphics device of each type"),
    (
        SPICE.format("", "<gl enable='yes'/>") + "<graphics type='egl-headless'/>",
        UNSUPPORTED,
        "multiple OpenGL displays",
    ),
    ("<graphics type='sdl'/><graphics type='egl-headless'/>", UNSUPPORTED, "'egl-headless' is only supported with"),
    ("<graphics type='sdl'><gl/></graphics>", XML_ERROR, "'enable'"),
    ("<graphics type='dbus' p2p='yes' address='unix:path=/b'/>", XML_ERROR, "p2p with an address"),
    (
        "<graphics type='dbus'><audio id='1'/></graphics><audio id='1' type='none'/>",
        UNSUPPORTED,
        "not of 'dbus' kind",
    ),
    # Cards.
    (VIDEO.format("xen'/>", ""), UNSUPPORTED, "does not support video model 'xen'"),
    (VIDEO.format("vga'/>", ""), UNSUPPORTED, "only valid as primary"),
    (VIDEO.format("vga' primary='yes' heads='2'/>", ""), UNSUPPORTED, "multiple 'heads'"),
    (VIDEO.format("vga' primary='yes' vram='512'/>", ""), UNSUPPORTED, "at least 1 MiB"),
    (VIDEO.format("vga' primary='yes' ram='512'/>", ""), UNSUPPORTED, "ram attribute only"),
    (VIDEO.format("qxl' vram='4194304'/>", ""), OVERFLOW, "'vram' must be less than '4194303'"),
    (VIDEO.format("qxl' vgamem='3000'/>", ""), UNSUPPORTED, "power of two"),
    (VIDEO.format("cirrus' primary='yes'><resolution x='1' y='1'/></model>", ""), XML_ERROR, "resolution"),
    (VIDEO.format("virtio'><resolution x='0' y='1'/></model>", ""), UNSUPPORTED, "greater than 0"),
    (VIDEO.format("qxl'><acceleration accel3d='yes'/></model>", ""), UNSUPPORTED, "3d acceleration"),
    (VIDEO.format("virtio'><acceleration accel2d='yes'/></model>", ""), UNSUPPORTED, "accel2d"),
    (VIDEO.format("virtio'><acceleration rendernode='/r'/></model>", ""), UNSUPPORTED, "rendernode"),
    (VIDEO.format("qxl'/>", "<driver name='vhostuser'/>"), UNSUPPORTED, "'vhostuser' driver is only"),
    (VIDEO.format("virtio'/>", "<driver vgaconf='io'/>"), UNSUPPORTED, "vgaconf"),
    (VIDEO.format("virtio' blob='on'/>", ""), UNSUPPORTED, "memfd"),
    (VIDEO.format("none'/>", "") * 2, UNSUPPORTED, "'none' video type must be the only"),
    # Sound.
    (AUDIO.format("coreaudio", "", ""), UNSUPPORTED, "'coreaudio'"),
    (AUDIO.format("spice", "", ""), UNSUPPORTED, "without spice graphics"),
    (AUDIO.format("none", " path='/x.wav'", ""), UNSUPPORTED, "audio type 'none' takes no 'path'"),
    (AUDIO.format("alsa", "", "<input serverName='x'/>"), UNSUPPORTED, "'serverName'"),
    (AUDIO.format("none", "", "<input fixedSettings='yes'/>"), UNSUPPORTED, "requires mixing engine"),
    (AUDIO.format("none", "", "<input><settings/></input>"), UNSUPPORTED, "without fixed settings flag"),
    ("<sound model='ich7'/>", UNSUPPORTED, "'ich7' is not supported by qemu"),
    ("<sound model='ac97'><codec type='duplex'/></sound>", UNSUPPORTED, "codec"),
    ("<sound model='ich9'><audio id='9'/></sound>", UNSUPPORTED, "'9'"),
    # Input.
    ("<input type='tablet' bus='ps2'/>", UNSUPPORTED, "ps2 bus does not support tablet"),
    ("<input type='mouse' bus='xen'/>", UNSUPPORTED, "'xen'"),
    ("<input type='evdev'/>", XML_ERROR, "Missing dev path"),
    ("<input type='mouse' bus='ps2'><address type='usb' bus='0'/></input>", UNSUPPORTED, "<input> device"),
]


def judge(text: str) -> None:
    """Read the elements, fill them in and check them."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, "q35", assign=False)
    ctx.settings = HostSettings()
    for device in devices.all():
        device.defaults(ctx)
        device.check_address(ctx)
        device.check(ctx)
    devices.check_together()


@pytest.mark.parametrize(("text", "code", "part"), REFUSED)
def test_refused(text: str, code: int, part: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        judge(text)
    assert part in caught.value.message
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (SPICE.format(" autoport='yes'", ""), "spice graphics are not supported with this QEMU"),
        ("<serial type='spiceport'><source channel='a'/></serial>", "chardev 'spiceport' not supported"),
        ("<smartcard mode='host'/>", "smartcard host mode"),
        ("<smartcard mode='passthrough' type='pty'/>", "smartcard passthrough mode"),
        ("<sound model='usb'/>", "sound model 'usb'"),
    ],
)
def test_what_this_qemu_has_not_got_is_named(text: str, part: str) -> None:
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, "q35", assign=False)
    ctx.qemu = _nothing()
    device = next(device for device in devices.all())
    with pytest.raises(LibvirtError, match=part) as caught:
        device.check(ctx)
    assert caught.value.code == UNSUPPORTED


def _nothing() -> QemuCapabilities:
    return replace(cases.capabilities(frozenset()), options={})
