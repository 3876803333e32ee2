"""VNC displays.

Source: https://libvirt.org/formatdomain.html#graphical-framebuffers; QEMU's `-vnc` option.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guesthouse.errors import InternalError, UnsupportedConfigError
from guesthouse.model.domain.devices.graphics_kinds import GraphicsKind, keyboard, on_off
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.domain.tls import server_credentials
from guesthouse.model.qemu_objects import Option, QemuObject, quoted

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.graphics import Graphics

#: The port of VNC's display 0.
FIRST_PORT: Final = 5900
_LAST_PORT: Final = 65535
_PASSWORD: Final = 8
_CREDENTIALS: Final = "vnc-tls-creds0"
#: Sockets that libvirt generated where `qemu.conf` said so, and wrote to definitions in the years of old.
_GENERATED: Final = re.compile(r"/var/lib/libvirt/qemu/.+")


class VncKind(GraphicsKind):
    """What VNC adds."""

    options = frozenset(
        (
            *("socket", "port", "autoport", "websocket", "listen", "keymap", "share_policy", "power_control"),
            *("passwd", "valid_to", "connected", "listens", "audio"),
        )
    )

    def read(self, graphics: Graphics) -> None:
        """Without a port, or with port -1, one is chosen; what is not on the network has none."""
        if not graphics.on_network:
            graphics.port = graphics.autoport = graphics.websocket = None
            return
        if graphics.autoport is None:
            graphics.autoport = graphics.port in (None, -1)
        if graphics.autoport and graphics.port in (None, 0):
            graphics.port = -1

    def defaults(self, graphics: Graphics) -> None:
        """A port beside `autoport` is one that an earlier start chose; a generated socket stood for an address."""
        first = graphics.listens[0]
        if first.type == "socket" and first.socket is not None and _GENERATED.fullmatch(first.socket):
            first.type, first.socket = "address", None
            graphics.autoport = True
            graphics.mirror_listen()
        if graphics.autoport:
            graphics.port = -1

    def check(self, graphics: Graphics, ctx: DeviceContext) -> None:
        """A port that VNC can have, and a password that it can take."""
        if graphics.on_network and not graphics.autoport and not FIRST_PORT <= (graphics.port or 0) <= _LAST_PORT:
            raise UnsupportedConfigError(f"vnc port must be in range [{FIRST_PORT},{_LAST_PORT}]")
        if graphics.passwd is not None and len(graphics.passwd.encode()) > _PASSWORD:
            raise UnsupportedConfigError(
                f"VNC password is {len(graphics.passwd.encode())} characters long, only {_PASSWORD} permitted"
            )

    def place(self, ctx: DeviceContext) -> tuple[str, bool]:
        """What the host's settings say."""
        return ctx.vnc_listen, ctx.settings.vnc_auto_unix_socket

    def password(self, settings: HostSettings) -> str | None:
        """What the host's settings say."""
        return settings.vnc_password

    def choose_ports(self, graphics: Graphics, free: Callable[[str], int], settings: HostSettings) -> None:
        """The port of the display, and that of its websocket."""
        if graphics.autoport:
            graphics.port = free("port")
        if graphics.websocket == -1:
            graphics.websocket = free("websocket")

    def environment(self, graphics: Graphics, ctx: DeviceContext) -> dict[str, str]:
        """Where SASL looks for its settings."""
        directory = ctx.settings.vnc_sasl_dir
        return {"SASL_CONF_PATH": directory} if ctx.settings.vnc_sasl and directory else {}

    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """Credentials, the server, and the keyboard's layout."""
        settings = ctx.settings
        made: list[QemuObject] = []
        words = [self._place(graphics)]
        if graphics.websocket is not None and graphics.websocket > 0:
            words.append(f"websocket={graphics.websocket}")
        if graphics.share_policy is not None:
            words.append(f"share={graphics.share_policy}")
        if graphics.default_password(settings) is not None:
            words.append("password=on")
        if settings.vnc_tls:
            words.append(f"tls-creds={_CREDENTIALS}")
            made.extend(
                server_credentials(
                    _CREDENTIALS,
                    settings.vnc_tls_x509_cert_dir,
                    ctx,
                    verify=settings.vnc_tls_x509_verify,
                    secret=settings.vnc_tls_x509_secret_uuid,
                    secret_id=f"{_CREDENTIALS}-secret0",
                )
            )
        if settings.vnc_sasl:
            words.append("sasl=on")
        if graphics.power_control is not None:
            words.append(f"power-control={on_off(graphics.power_control)}")
        words.append(f"audiodev=audio{graphics.audio or next(iter(ctx.audio_ids), 1)}")
        return [*made, Option("-vnc", ",".join(words)), *keyboard(graphics)]

    def _place(self, graphics: Graphics) -> str:
        first = graphics.listens[0]
        if first.type == "none":
            return "none"
        if first.type == "socket":
            return f"vnc=unix:{quoted(first.socket or '')}"
        if graphics.port is None or graphics.port < FIRST_PORT:
            raise InternalError("the port of the VNC server was not chosen yet")
        address = first.address or ""
        return f"{f'[{address}]' if ':' in address else address}:{graphics.port - FIRST_PORT}"
