"""Graphical consoles: VNC.

Source: https://libvirt.org/formatdomain.html#graphical-framebuffers; QEMU's `-vnc` option.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar, Final

from guesthouse.errors import InternalError, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, opt, unbound
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext, refusing
from guesthouse.model.kinds import ABSOLUTE_PATH, PORT, PROSE, YES_NO, Kind, integer, matching, one_of
from guesthouse.model.qemu_objects import Command, Option, QemuObject, quoted

#: The port of VNC's display 0.
FIRST_PORT: Final = 5900
_VNC_PASSWORD: Final = 8

_REFUSED: Final = {
    "spice": "spice graphics are not supported with this QEMU; use type='vnc'",
    "sdl": "graphics type 'sdl' is not supported; use type='vnc'",
    "rdp": "graphics type 'rdp' is not supported; use type='vnc'",
    "desktop": "graphics type 'desktop' is not supported; use type='vnc'",
    "egl-headless": "graphics type 'egl-headless' is not supported; use type='vnc'",
    "dbus": "graphics type 'dbus' is not supported; use type='vnc'",
}


def _parse_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


def _format_time(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(timespec="seconds")


#: A point in time, in UTC, without a zone.
TIME: Final[Kind[datetime]] = Kind("a time as YYYY-MM-DDThh:mm:ss", _parse_time, _format_time)
_HOST: Final = matching(r"[A-Za-z0-9_.:\-]{1,255}", "an address or a host name")


@element("listen")
class Listen:
    """Where it listens: an address, a UNIX socket, or nowhere.

    A `generated` socket was named by us when the guest started.
    """

    type: str = attr(one_of("address", "network", "socket", "none"))
    address: str | None = opt(_HOST)
    network: str | None = opt(PROSE)
    socket: str | None = opt(ABSOLUTE_PATH)


@element("graphics")
class Graphics(Device):
    """A VNC server. While the guest runs, `port` is the port that was chosen; in a definition -1 leaves that to us."""

    ALIAS: ClassVar[str] = ""

    type: str = attr(refusing(("vnc",), _REFUSED))
    socket: str | None = opt(ABSOLUTE_PATH)
    port: int | None = opt(PORT)
    autoport: bool | None = opt(YES_NO)
    websocket: int | None = opt(PORT)
    listen: str | None = opt(_HOST)
    keymap: str | None = opt(matching(r"[A-Za-z0-9_\-]{1,32}", "the name of a keyboard layout"))
    share_policy: str | None = opt(one_of("allow-exclusive", "force-shared", "ignore"), "sharePolicy")
    power_control: bool | None = opt(YES_NO, "powerControl")
    passwd: str | None = opt(PROSE, secure=True)
    valid_to: datetime | None = opt(TIME, "passwdValidTo")
    connected: str | None = opt(one_of("fail", "disconnect", "keep"))
    listens: list[Listen] = many(Listen)
    audio: int | None = opt(integer(1, 2**31 - 1), "id", within="audio")
    alias: Alias | None = unbound(None)

    def parsed(self) -> None:
        """The older attributes and the `<listen>` elements say the same."""
        if not self.listens:
            if self.socket is not None:
                self.listens = [new(Listen, type="socket", socket=self.socket)]
            else:
                self.listens = [new(Listen, type="address", address=self.listen)]
        first = self.listens[0]
        if self.listen is not None and first.type == "address" and first.address not in (None, self.listen):
            raise XmlError(
                f"graphics 'listen' attribute '{self.listen}' must match 'address' attribute of first listen element "
                f"(found '{first.address}')"
            )
        if self.socket is not None and first.type == "socket" and first.socket not in (None, self.socket):
            raise XmlError(
                f"graphics 'socket' attribute '{self.socket}' must match 'socket' attribute of first listen element "
                f"(found '{first.socket}')"
            )
        if first.type == "address":
            first.address = first.address or self.listen
        self._mirror_listen()
        self._read_ports()

    def _mirror_listen(self) -> None:
        first = self.listens[0]
        self.listen = first.address if first.type == "address" else None
        self.socket = first.socket if first.type == "socket" else None

    def _read_ports(self) -> None:
        if not self.on_network:
            self.port = self.autoport = self.websocket = None
            return
        if self.autoport is None:
            self.autoport = self.port in (None, -1)
        if self.autoport and self.port in (None, 0):
            self.port = -1

    @property
    def on_network(self) -> bool:
        """Whether it has ports."""
        return self.listens[0].type in ("address", "network")

    def defaults(self, ctx: DeviceContext) -> None:
        """A port beside `autoport` is one that an earlier start chose."""
        if self.autoport:
            self.port = -1

    def check(self, ctx: DeviceContext) -> None:
        """One listener, of a kind that we have, on a port that VNC can have."""
        if len(self.listens) > 1:
            raise UnsupportedConfigError("qemu does not support multiple listens for one graphics device")
        if self.listens[0].type == "network":
            raise UnsupportedConfigError(
                "graphics that listen on a virtual network are not supported", hint="use <listen type='address'/>"
            )
        if self.on_network and not self.autoport and not FIRST_PORT <= (self.port or 0) <= 65535:
            raise UnsupportedConfigError(f"vnc port must be in range [{FIRST_PORT},65535]")
        if self.passwd is not None and len(self.passwd) > _VNC_PASSWORD:
            raise UnsupportedConfigError(f"VNC password is {len(self.passwd)} characters long, only 8 permitted")
        if self.connected is not None and self.connected != "keep":
            raise UnsupportedConfigError("VNC supports connected='keep' only")
        if self.audio is not None and self.audio not in ctx.audio_ids:
            raise UnsupportedConfigError(f"unable to find audio backend for ID '{self.audio}'", hint="see <audio>")

    def prepare(self, ctx: DeviceContext) -> None:
        """Fill in the address or the socket that the definition leaves to us. Called when the guest starts."""
        first = self.listens[0]
        if first.type == "address" and first.address is None:
            first.address = ctx.vnc_listen
        if first.type == "socket" and first.socket is None:
            first.socket = f"{ctx.guest_dir}/vnc.sock"
        self._mirror_listen()

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The server, and the keyboard's layout. Raises `InternalError` before a port was chosen."""
        words = [self._place()]
        if self.websocket is not None and self.websocket > 0:
            words.append(f"websocket={self.websocket}")
        if self.share_policy is not None:
            words.append(f"share={self.share_policy}")
        if self.passwd is not None:
            words.append("password=on")
        if self.power_control is not None:
            words.append(f"power-control={'on' if self.power_control else 'off'}")
        words.append(f"audiodev=audio{self.audio or next(iter(ctx.audio_ids), 1)}")
        made: list[QemuObject] = [Option("-vnc", ",".join(words))]
        if self.keymap is not None:
            made.append(Option("-k", self.keymap))
        return made

    def _place(self) -> str:
        first = self.listens[0]
        if first.type == "none":
            return "none"
        if first.type == "socket":
            return f"vnc=unix:{quoted(first.socket or '')}"
        if self.port is None or self.port < FIRST_PORT:
            raise InternalError("the port of the VNC server was not chosen yet")
        address = first.address or ""
        return f"{f'[{address}]' if ':' in address else address}:{self.port - FIRST_PORT}"

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Set the password, which is never on the command line, and the time when it ends."""
        if self.passwd is None:
            return []
        made = [
            Command(
                "set_password",
                {"protocol": "vnc", "password": self.passwd, "connected": self.connected or "keep"},
            )
        ]
        if self.valid_to is not None:
            ends = str(int(self.valid_to.timestamp()))
            made.append(Command("expire_password", {"protocol": "vnc", "time": ends}))
        return made
