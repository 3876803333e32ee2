"""What the host's settings and the rules of old documents make of displays, sound and lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain import default_audio
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.model.qemu_objects import Object, Option
from tests.pure.model import device_cases as cases

SECRET = "6fd3f62d-9fe7-4a4e-a869-7acd6376d8ea"


def display(text: str, settings: HostSettings | None = None) -> tuple[Graphics, DeviceContext]:
    """The first display of these elements, and a context with these settings."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, "q35")
    ctx.settings = settings or HostSettings()
    return devices.graphics[0], ctx


def words(graphics: Graphics, ctx: DeviceContext) -> str:
    """The value of the display's option."""
    [found] = [made.value for made in graphics.objects(ctx) if isinstance(made, Option) and made.flag != "-k"]
    return found or ""


def free(name: str) -> int:
    """Ports for `choose_ports`."""
    return {"port": 5901, "tls_port": 5902, "websocket": 5701}[name]


def test_vnc_as_the_host_wants_it() -> None:
    settings = HostSettings(
        vnc_tls=True,
        vnc_tls_x509_cert_dir="/pki",
        vnc_tls_x509_secret_uuid=SECRET,
        vnc_sasl=True,
        vnc_sasl_dir="/sasl",
        vnc_password="for-all",
    )
    graphics, ctx = display("<graphics type='vnc' listen='::1' websocket='-1' powerControl='yes'/>", settings)
    asked: list[tuple[str, str | None]] = []

    def secret(usage: str, reference: SecretReference) -> bytes:
        asked.append((usage, reference.uuid))
        return b"open sesame"

    ctx.secret, ctx.seal = secret, lambda value: (value.decode()[::-1], "vector")
    graphics.choose_ports(free, settings)
    key, credentials, server = graphics.objects(ctx)
    assert isinstance(key, Object)
    assert (key.props["id"], key.props["data"]) == ("vnc-tls-creds0-secret0", "emases nepo")
    assert asked == [("tls", SECRET)]
    assert isinstance(credentials, Object)
    assert credentials.props == {
        "qom-type": "tls-creds-x509",
        "id": "vnc-tls-creds0",
        "dir": "/pki",
        "endpoint": "server",
        "verify-peer": False,
        "passwordid": "vnc-tls-creds0-secret0",
    }
    assert isinstance(server, Option)
    assert server.value == (
        "[::1]:1,websocket=5701,password=on,tls-creds=vnc-tls-creds0,sasl=on,power-control=on,audiodev=audio1"
    )
    assert graphics.environment(ctx) == {"SASL_CONF_PATH": "/sasl"}
    assert [command.arguments for command in graphics.after_start(ctx)] == [
        {"protocol": "vnc", "password": "for-all"},
        {"protocol": "vnc", "time": "never"},
    ]


@pytest.mark.parametrize(
    ("attributes", "now", "time"),
    [
        ("passwd='a'", 2030, "never"),
        ("passwd=''", 2030, "now"),
        ("passwd='a' passwdValidTo='2031-01-01T00:00:00'", 2030, "1924992000"),
        ("passwd='a' passwdValidTo='2030-01-01T00:00:00'", 2030, "now"),
    ],
)
def test_when_a_password_ends(attributes: str, now: int, time: str) -> None:
    graphics, _ = display(f"<graphics type='vnc' {attributes}/>")
    told = graphics.password_commands(HostSettings(), datetime(now, 1, 1, tzinfo=UTC))
    assert told[1].arguments == {"protocol": "vnc", "time": time}


def test_no_password_no_command() -> None:
    graphics, ctx = display("<graphics type='spice' autoport='yes' passwdValidTo='2030-01-01T00:00:00'/>")
    assert graphics.after_start(ctx) == []
    assert graphics.valid_to is None


@pytest.mark.parametrize(
    ("text", "tls", "ports"),
    [
        ("autoport='yes'/>", False, (5901, None)),
        ("autoport='yes'/>", True, (5901, 5902)),
        ("autoport='yes' defaultMode='secure'/>", True, (None, 5902)),
        ("autoport='yes' defaultMode='secure'><channel name='main' mode='insecure'/></graphics>", True, (5901, 5902)),
        ("autoport='yes' defaultMode='insecure'/>", True, (5901, None)),
        ("port='5990' tlsPort='-1'/>", True, (5990, 5902)),
        ("port='-1' tlsPort='-1'/>", True, (5901, 5902)),
        ("><listen type='none'/></graphics>", True, (None, None)),
    ],
)
def test_ports_of_spice(text: str, tls: bool, ports: tuple[int | None, int | None]) -> None:
    graphics, ctx = display(f"<graphics type='spice' {text}", HostSettings(spice_tls=tls))
    graphics.defaults(ctx)
    graphics.choose_ports(free, ctx.settings)
    assert (graphics.port, graphics.tls_port) == ports


def test_a_secure_port_needs_certificates() -> None:
    graphics, ctx = display("<graphics type='spice' autoport='yes' defaultMode='secure'/>")
    with pytest.raises(LibvirtError, match=r"TLS port requested but spice TLS is disabled in qemu\.conf"):
        graphics.choose_ports(free, ctx.settings)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<graphics type='spice' port='5901' defaultMode='secure'/>", "TLS connection is not available"),
        ("<graphics type='spice' tlsPort='5901' defaultMode='insecure'/>", "plaintext connection is not available"),
        (
            "<graphics type='spice' port='5901'><channel name='main' mode='secure'/></graphics>",
            "spice secure channels set",
        ),
        (
            "<graphics type='spice' tlsPort='5901'><channel name='main' mode='insecure'/></graphics>",
            "spice insecure channels set",
        ),
    ],
)
def test_channels_need_their_port(text: str, part: str) -> None:
    graphics, ctx = display(text, HostSettings(spice_tls=True))
    with pytest.raises(LibvirtError, match=part):
        graphics.objects(ctx)


def test_sockets_where_the_host_wants_them() -> None:
    settings = HostSettings(vnc_auto_unix_socket=True, spice_auto_unix_socket=True)
    vnc, ctx = display("<graphics type='vnc' websocket='-1'/>", settings)
    ctx.guest_dir = "/guest"
    vnc.prepare(ctx)
    vnc.choose_ports(free, settings)
    assert words(vnc, ctx) == "vnc=unix:/guest/vnc.sock,audiodev=audio1"
    spice, ctx = display("<graphics type='spice' autoport='yes'/>", settings)
    ctx.guest_dir = "/guest"
    spice.prepare(ctx)
    spice.choose_ports(free, settings)
    assert words(spice, ctx) == "unix=on,addr=/guest/spice.sock,disable-ticketing=on,seamless-migration=on"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # A socket that libvirt once generated stands for an address.
        (
            "<graphics type='vnc' socket='/var/lib/libvirt/qemu/old.vnc'/>",
            "<graphics type='vnc' port='-1' autoport='yes'>",
        ),
        (
            "<graphics type='vnc' socket='/mine'><listen type='address' address='::'/></graphics>",
            "<graphics type='vnc' socket='/mine'>",
        ),
        (
            "<graphics type='vnc' port='5907' autoport='yes' listen=''/>",
            "<graphics type='vnc' port='-1' autoport='yes'>",
        ),
        ("<graphics type='spice' port='5907' autoport='yes'/>", "<graphics type='spice' autoport='yes'>"),
        ("<graphics type='spice'/>", "<graphics type='spice'>\n    <listen type='none'/>"),
        (
            "<graphics type='spice' port='5900'><channel name='inputs' mode='secure'/>"
            "<channel name='main' mode='secure'/><channel name='inputs' mode='any'/></graphics>",
            "<channel name='main' mode='secure'/>\n  </graphics>",
        ),
        (
            "<graphics type='dbus' address='unix:path=/run/libvirt/qemu/dbus/3-web-dbus.sock'/>",
            "<graphics type='dbus'/>",
        ),
        ("<graphics type='egl-headless'><gl enable='yes'/></graphics>", "<graphics type='egl-headless'/>"),
        ("<graphics type='sdl' fullscreen='no'/>", "<graphics type='sdl'/>"),
    ],
)
def test_one_form_for_what_can_be_said_in_two(text: str, written: str) -> None:
    devices = cases.parse(f"<devices>{text}</devices>")
    devices.graphics[0].defaults(cases.context(devices, "q35"))
    assert written in cases.text_of(devices, Style())


def test_a_bus_for_the_guest_alone() -> None:
    graphics, ctx = display("<graphics type='dbus'/>")
    ctx.channel_dir = "/run/libvirt/qemu/channel/1-a&b;c"
    ctx.short_name = "1-a&b;c"
    graphics.prepare(ctx)
    [bus] = graphics.helpers(ctx)
    assert graphics.own_bus == bus.ready == "/run/libvirt/qemu/dbus/1-a&b;c-dbus.sock"
    assert words(graphics, ctx) == "dbus,addr=unix:path=/run/libvirt/qemu/dbus/1-a%26b%3bc-dbus.sock"
    assert bus.argv[0] == "dbus-daemon"
    own, ctx = display("<graphics type='dbus' address='unix:path=/mine'/>")
    own.prepare(ctx)
    assert (own.helpers(ctx), own.own_bus) == ([], None)


@pytest.mark.parametrize(
    ("devices", "settings", "kinds"),
    [
        ("", HostSettings(), ["none"]),
        ("<graphics type='vnc'/>", HostSettings(), ["none"]),
        ("<graphics type='vnc'/><graphics type='spice' autoport='yes'/>", HostSettings(), ["spice"]),
        ("<graphics type='dbus' p2p='yes'/>", HostSettings(), []),
        ("<graphics type='dbus' p2p='yes'/><sound model='ich9'/>", HostSettings(), ["none"]),
        ("<graphics type='sdl'/>", HostSettings(), []),
        ("<graphics type='sdl'/>", HostSettings(environment=(("QEMU_AUDIO_DRV", "pa"),)), ["pulseaudio"]),
        ("", HostSettings(nographics_allow_host_audio=True, environment=(("QEMU_AUDIO_DRV", "wav"),)), ["file"]),
        ("<audio id='3' type='alsa'/>", HostSettings(), ["alsa"]),
    ],
)
def test_sound_where_the_definition_is_silent(devices: str, settings: HostSettings, kinds: list[str]) -> None:
    parsed = cases.parse(f"<devices>{devices}</devices>")
    default_audio.add(parsed, settings)
    assert [audio.type for audio in parsed.audios] == kinds


def test_an_unknown_driver_in_the_environment() -> None:
    parsed = cases.parse("<devices><graphics type='vnc'/></devices>")
    settings = HostSettings(vnc_allow_host_audio=True, environment=(("QEMU_AUDIO_DRV", "tin-can"),))
    with pytest.raises(LibvirtError, match="unknown QEMU_AUDIO_DRV setting tin-can"):
        default_audio.add(parsed, settings)


def test_environments() -> None:
    devices = cases.parse(cases.source("host-audio"))
    ctx = cases.context(devices, "pc")
    ctx.settings = HostSettings(environment=(("XDG_RUNTIME_DIR", "/run/user/0"),))
    assert [audio.environment(ctx) for audio in devices.audios if audio.type == "pipewire"] == [
        {"PIPEWIRE_RUNTIME_DIR": "/run/user/1000"}
    ]
    devices.audios[4].runtime_dir = None
    assert devices.audios[4].environment(ctx) == {"XDG_RUNTIME_DIR": "/run/user/0"}
    sdl, ctx = display("<graphics type='sdl' display=':1' xauth='/x'/>")
    assert sdl.environment(ctx) == {"XAUTHORITY": "/x", "DISPLAY": ":1"}


def test_lines_are_encrypted_where_the_host_wants_it() -> None:
    devices = cases.parse(
        "<devices><serial type='tcp'><source mode='connect' host='h' service='1'/></serial>"
        "<serial type='tcp'><source mode='connect' host='h' service='1' tls='no'/></serial></devices>"
    )
    ctx = cases.context(devices, "q35")
    ctx.settings = HostSettings(chardev_tls=True)
    for device in devices.serials:
        device.prepare(ctx)
    assert [device.sources[0].tls for device in devices.serials] == [True, False]


@pytest.mark.parametrize(
    ("defined", "running", "told"),
    [
        (
            "<graphics type='vnc'/>",
            "<graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'/>",
            "<graphics type='vnc' port='-1' autoport='yes'>\n    <listen type='address'/>",
        ),
        (
            "<graphics type='vnc' listen='::1' port='5901'/>",
            "<graphics type='vnc' listen='::1' port='5901'/>",
            "<graphics type='vnc' port='5901' autoport='no' listen='::1'>\n    <listen type='address' address='::1'/>",
        ),
        (
            "<graphics type='vnc'><listen type='socket'/></graphics>",
            "<graphics type='vnc' socket='/guest/vnc.sock'/>",
            "<graphics type='vnc'>\n    <listen type='socket'/>",
        ),
        (
            "<graphics type='vnc'/>",
            "<graphics type='vnc' socket='/guest/vnc.sock'/>",
            "<graphics type='vnc' autoport='yes'>\n    <listen type='address'/>",
        ),
        (
            "<graphics type='spice' autoport='yes'><listen type='network' network='n'/></graphics>",
            "<graphics type='spice' port='5900' autoport='yes'><listen type='network' address='1.2.3.4' network='n'/>"
            "</graphics>",
            "<graphics type='spice' port='5900' autoport='yes'>\n    <listen type='network' network='n'/>",
        ),
        ("<graphics type='spice'/>", "<graphics type='spice'/>", "<graphics type='spice' autoport='no'/>"),
        ("<graphics type='dbus'/>", "<graphics type='dbus' p2p='yes'/>", "<graphics type='dbus' p2p='yes'/>"),
    ],
)
def test_what_another_host_is_told(defined: str, running: str, told: str) -> None:
    before = cases.parse(f"<devices>{defined}</devices>")
    live = cases.parse(f"<devices>{running}</devices>")
    live.graphics[0].forget_host(before.graphics[0])
    assert told in cases.text_of(live, Style(migratable=True))


def test_another_host_decides_itself_whether_lines_are_encrypted() -> None:
    devices = cases.parse(
        "<devices><serial type='tcp'><source mode='connect' host='h' service='1'/></serial>"
        "<serial type='tcp'><source mode='connect' host='h' service='1' tls='yes'/></serial></devices>"
    )
    ctx = cases.context(devices, "q35")
    ctx.settings = HostSettings(chardev_tls=True)
    for device in devices.serials:
        device.prepare(ctx)
        device.forget_host()
    assert [device.sources[0].tls for device in devices.serials] == [None, True]
