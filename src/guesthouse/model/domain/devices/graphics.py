"""Graphical consoles: `<graphics>` of every type. What QEMU makes of one is in `graphics_vnc`, `graphics_spice` and
`graphics_local`.

Source: https://libvirt.org/formatdomain.html#graphical-framebuffers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, one, opt, unbound
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext, refusing
from guesthouse.model.domain.devices.graphics_kinds import GraphicsKind
from guesthouse.model.domain.devices.graphics_local import DbusKind, EglHeadlessKind, SdlKind, own_bus
from guesthouse.model.domain.devices.graphics_spice import SpiceKind
from guesthouse.model.domain.devices.graphics_vnc import VncKind
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, PORT, PROSE, TEXT, YES_NO, Kind, integer, matching, one_of
from guesthouse.model.qemu_objects import Command, QemuObject

#: Type to what it adds to the others.
KINDS: Final[dict[str, GraphicsKind]] = {
    "vnc": VncKind(),
    "spice": SpiceKind(),
    "egl-headless": EglHeadlessKind(),
    "dbus": DbusKind(),
    "sdl": SdlKind(),
}
_REFUSED: Final = {
    kind: f"{kind} graphics are not supported with this QEMU (use type='vnc')" for kind in ("rdp", "desktop")
}


def _parse_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


def _format_time(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(timespec="seconds")


#: A point in time, in UTC, without a zone.
TIME: Final[Kind[datetime]] = Kind("a time as YYYY-MM-DDThh:mm:ss", _parse_time, _format_time)
_HOST: Final = matching(r"[A-Za-z0-9_.:\-]{1,255}", "an address or a host name")
_OPTIONAL_HOST: Final = matching(r"[A-Za-z0-9_.:\-]{0,255}", "an address or a host name")
#: SPICE's channels, in the order in which they are printed.
CHANNELS: Final = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")


@element("listen")
class Listen:
    """Where it listens: an address, the address of a virtual network, a UNIX socket, or nowhere."""

    type: str = attr(one_of("address", "network", "socket", "none"))
    address: str | None = opt(_HOST)
    network: str | None = opt(PROSE)
    socket: str | None = opt(ABSOLUTE_PATH)

    def parsed(self) -> None:
        """What belongs to another type is an error."""
        if self.network is not None and self.type != "network":
            raise XmlError("'network' attribute is valid only for listen type 'network'")
        if self.socket is not None and self.type != "socket":
            raise XmlError("'socket' attribute is valid only for listen type 'socket'")
        if self.network is None and self.type == "network":
            raise XmlError("'network' attribute is required for listen type 'network'")


@element("channel")
class SpiceChannel:
    """Whether one of SPICE's channels is encrypted."""

    name: str = attr(one_of(*CHANNELS))
    mode: str = attr(one_of("any", "secure", "insecure"))


@element("gl")
class Gl:
    """Whether the guest's drawing is done by the host's graphics card, and which one."""

    enable: bool | None = opt(YES_NO)
    rendernode: str | None = opt(ABSOLUTE_PATH)


@element("graphics")
class Graphics(Device):
    """A display. While the guest runs, `port` is the port that was chosen; in a definition -1 leaves that to us.

    Which of the attributes count is the type's matter; those that do not are an error.
    """

    ALIAS: ClassVar[str] = ""

    type: str = attr(refusing(tuple(KINDS), _REFUSED))
    socket: str | None = opt(ABSOLUTE_PATH)
    port: int | None = opt(PORT)
    tls_port: int | None = opt(PORT, "tlsPort")
    autoport: bool | None = opt(YES_NO)
    websocket: int | None = opt(PORT)
    listen: str | None = opt(_OPTIONAL_HOST)
    keymap: str | None = opt(matching(r"[A-Za-z0-9_\-]{1,32}", "the name of a keyboard layout"))
    default_mode: str | None = opt(one_of("any", "secure", "insecure"), "defaultMode")
    share_policy: str | None = opt(one_of("allow-exclusive", "force-shared", "ignore"), "sharePolicy")
    power_control: bool | None = opt(YES_NO, "powerControl")
    passwd: str | None = opt(PROSE, secure=True)
    valid_to: datetime | None = opt(TIME, "passwdValidTo")
    connected: str | None = opt(one_of("fail", "disconnect", "keep"))
    display: str | None = opt(TEXT)
    xauth: str | None = opt(ABSOLUTE_PATH)
    fullscreen: bool | None = opt(YES_NO)
    p2p: bool | None = opt(YES_NO)
    bus: str | None = opt(TEXT, "address")
    listens: list[Listen] = many(Listen)
    channels: list[SpiceChannel] = many(SpiceChannel)
    image: str | None = opt(one_of("auto_glz", "auto_lz", "quic", "glz", "lz", "off"), "compression", within="image")
    jpeg: str | None = opt(one_of("auto", "never", "always"), "compression", within="jpeg")
    zlib: str | None = opt(one_of("auto", "never", "always"), "compression", within="zlib")
    playback: bool | None = opt(ON_OFF, "compression", within="playback")
    streaming: str | None = opt(one_of("filter", "all", "off"), "mode", within="streaming")
    mouse: str | None = opt(one_of("server", "client"), "mode", within="mouse")
    copypaste: bool | None = opt(YES_NO, within="clipboard")
    filetransfer: bool | None = opt(YES_NO, "enable", within="filetransfer")
    gl: Gl | None = one(Gl)
    audio: int | None = opt(integer(1, 2**31 - 1), "id", within="audio")
    alias: Alias | None = unbound(None)

    def parsed(self) -> None:
        """What belongs to another type is an error; the older attributes and the `<listen>` elements say the same."""
        kind = self._kind
        for name in _OPTIONS:
            if name not in kind.options and getattr(self, name) not in (None, []):
                raise UnsupportedConfigError(
                    f"graphics type '{self.type}' does not take '{_XML_NAMES.get(name, name)}'", hint="remove it"
                )
        if self.passwd is None:
            self._check_connected()
            self.valid_to = self.connected = None  # nothing that they could be about
        if "listens" in kind.options:
            self._read_listens()
        kind.read(self)
        self._check_connected()

    def _check_connected(self) -> None:
        if self.type == "vnc" and self.connected not in (None, "keep"):
            raise UnsupportedConfigError("VNC supports connected='keep' only")

    def _read_listens(self) -> None:
        if not self.listens:
            if self.socket is not None:
                self.listens = [new(Listen, type="socket", socket=self.socket)]
            else:
                self.listens = [new(Listen, type="address", address=self.listen or None)]
        first = self.listens[0]
        if self.listen and first.type == "address" and first.address not in (None, self.listen):
            raise UnsupportedConfigError(
                f"graphics 'listen' attribute '{self.listen}' must match 'address' attribute of first listen element "
                f"(found '{first.address}')"
            )
        if self.socket is not None and first.type == "socket" and first.socket not in (None, self.socket):
            raise UnsupportedConfigError(
                f"graphics 'socket' attribute '{self.socket}' must match 'socket' attribute of first listen element "
                f"(found '{first.socket}')"
            )
        if self.socket is not None and first.type in ("address", "network"):
            self.listens[0] = first = new(Listen, type="socket", socket=self.socket)
        if first.type == "address":
            first.address = first.address or self.listen or None
        if first.type == "socket":
            first.socket = first.socket or self.socket
        self.mirror_listen()

    def mirror_listen(self) -> None:
        """Say the first `<listen>` element as attributes too, as clients of old want it."""
        first = self.listens[0]
        self.listen = first.address if first.type in ("address", "network") else None
        self.socket = first.socket if first.type == "socket" and self.type == "vnc" else None

    @property
    def _kind(self) -> GraphicsKind:
        return KINDS[self.type]

    @property
    def on_network(self) -> bool:
        """Whether it has ports."""
        return bool(self.listens) and self.listens[0].type in ("address", "network")

    def wants_rendernode(self) -> bool:
        """Whether the host's graphics card is used, and the definition does not say which one."""
        return self._kind.draws(self) and (self.gl is None or self.gl.rendernode is None)

    @property
    def own_bus(self) -> str | None:
        """The socket of a bus that is made for this guest alone."""
        return own_bus(self) if self.type == "dbus" else None

    def default_password(self, settings: HostSettings) -> str | None:
        """The password: its own, or the one for all guests of the host."""
        return self.passwd if self.passwd is not None else self._kind.password(settings)

    def defaults(self, ctx: DeviceContext) -> None:
        """Ports and addresses that an earlier start chose are dropped."""
        for listen in self.listens:
            if listen.type == "network":
                listen.address = None
        if self.listens:
            self.mirror_listen()
        self._kind.defaults(self)

    def check(self, ctx: DeviceContext) -> None:
        """One listener, of a kind that we have, with ports that there are; and an audio backend that is there."""
        if len(self.listens) > 1:
            raise UnsupportedConfigError("qemu does not support multiple listens for one graphics device")
        if self.audio is not None and self.audio not in ctx.audio_ids:
            raise UnsupportedConfigError(f"unable to find audio backend for ID '{self.audio}'", hint="see <audio>")
        self._kind.check(self, ctx)

    def prepare(self, ctx: DeviceContext) -> None:
        """Fill in the address or the socket that the definition leaves to us. Called when the guest starts.

        Raises `UnsupportedConfigError` where the host has no graphics card, or no such network.
        """
        if self.wants_rendernode():
            self.gl = self.gl or new(Gl)
            self.gl.rendernode = ctx.rendernode()
        if self.listens:
            self._place(self.listens[0], ctx)
            self.mirror_listen()
        self._kind.prepare(self, ctx)

    def _place(self, first: Listen, ctx: DeviceContext) -> None:
        listen, auto_unix = self._kind.place(ctx)
        own = f"{ctx.guest_dir}/{self.type}.sock"
        if first.type == "address" and first.address is None:
            if auto_unix:
                first.type, first.socket = "socket", own
                self.port = self.tls_port = self.websocket = self.autoport = None
            else:
                first.address = listen
        elif first.type == "network" and first.address is None:
            first.address = ctx.network_address(first.network or "")
        elif first.type == "socket" and first.socket is None:
            first.socket = own

    def forget_host(self, defined: Graphics | None) -> None:
        """Leave out what this host chose; `defined` is the display in the definition, where there is one.

        The rules are those of libvirt's migratable documents, which hosts of old have to understand.
        """
        if self.autoport and self.type == "vnc":
            self.port = -1
        if not self.listens:
            return
        first = self.listens[0]
        asked = defined.listens[0] if defined is not None and defined.listens else None
        if first.type == "network" or (first.type == "address" and asked is not None and asked.address is None):
            first.address = None
        if first.type == "socket" and asked is not None and asked.socket is None:
            first.socket = None
            if asked.type == "address":  # a socket because the host wants sockets
                first.type, self.autoport = "address", True
        self.mirror_listen()
        if self.type == "spice" and first.type == "none":
            self.autoport, self.listens = False, []

    def choose_ports(self, free: Callable[[str], int], settings: HostSettings) -> None:
        """Take ports where the definition leaves them open. `free` gives one for `port`, `tls_port` or `websocket`."""
        if self.on_network:
            self._kind.choose_ports(self, free, settings)

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """The bus of a D-Bus display, where the definition names none."""
        return self._kind.helpers(self, ctx)

    def environment(self, ctx: DeviceContext) -> dict[str, str]:
        """What QEMU reads from its environment for this display."""
        return self._kind.environment(self, ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The display, and the keyboard's layout. Raises `InternalError` before a port was chosen."""
        return self._kind.objects(self, ctx)

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Set the password, which is never on the command line, and the time when it ends."""
        return self.password_commands(ctx.settings, datetime.now(UTC))

    def password_commands(self, settings: HostSettings, now: datetime) -> list[Command]:
        """What makes the present password and its end known to a running QEMU; nothing where there is no password.

        An empty password lets nobody in.
        """
        password = self.default_password(settings)
        if password is None:
            return []
        arguments = {"protocol": self.type, "password": password}
        if self.connected is not None:
            arguments["connected"] = self.connected
        ends = "never"
        if password == "" or (self.valid_to is not None and self.valid_to <= now):
            ends = "now"
        elif self.valid_to is not None:
            ends = str(int(self.valid_to.timestamp()))
        return [
            Command("set_password", dict(arguments)),
            Command("expire_password", {"protocol": self.type, "time": ends}),
        ]


#: The fields that only some types take, and their names in XML where these differ.
_XML_NAMES: Final = {
    "tls_port": "tlsPort",
    "default_mode": "defaultMode",
    "share_policy": "sharePolicy",
    "power_control": "powerControl",
    "valid_to": "passwdValidTo",
    "bus": "address",
    "listens": "listen",
    "channels": "channel",
    "copypaste": "clipboard",
}
_OPTIONS: Final = (
    *("socket", "port", "tls_port", "autoport", "websocket", "listen", "keymap", "default_mode", "share_policy"),
    *("power_control", "passwd", "valid_to", "connected", "display", "xauth", "fullscreen", "p2p", "bus"),
    *("listens", "channels", "image", "jpeg", "zlib", "playback", "streaming", "mouse", "copypaste", "filetransfer"),
    *("gl", "audio"),
)
