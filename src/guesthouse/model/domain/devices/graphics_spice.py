"""SPICE displays.

Source: https://libvirt.org/formatdomain.html#graphical-framebuffers; QEMU's `-spice` option.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.devices.graphics_kinds import GraphicsKind, keyboard, on_off
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.qemu_objects import Option, QemuObject, quoted

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.graphics import Graphics

#: The order in which channels are printed, which is that of libvirt's numbers for them.
_CHANNELS: Final = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")
_OPTION: Final = {"secure": "tls-channel", "insecure": "plaintext-channel"}


class SpiceKind(GraphicsKind):
    """What SPICE adds."""

    options = frozenset(
        (
            *("port", "tls_port", "autoport", "listen", "keymap", "default_mode", "passwd", "valid_to", "connected"),
            *("listens", "channels", "image", "jpeg", "zlib", "playback", "streaming", "mouse", "copypaste"),
            *("filetransfer", "gl"),
        )
    )

    def read(self, graphics: Graphics) -> None:
        """Zero is no port; without any it listens nowhere. The last word about a channel counts."""
        graphics.port, graphics.tls_port = graphics.port or None, graphics.tls_port or None
        if graphics.port == -1 and graphics.tls_port == -1:
            graphics.autoport = True
        if graphics.default_mode == "any":
            graphics.default_mode = None
        modes = {channel.name: channel for channel in graphics.channels}
        graphics.channels = [modes[name] for name in _CHANNELS if name in modes and modes[name].mode != "any"]
        first = graphics.listens[0]
        if graphics.on_network and not (graphics.autoport or graphics.port or graphics.tls_port):
            first.type, first.address, first.network = "none", None, None
            graphics.mirror_listen()
        if graphics.on_network:
            graphics.autoport = graphics.autoport or False
        else:
            graphics.port = graphics.tls_port = graphics.autoport = None

    def defaults(self, graphics: Graphics) -> None:
        """Ports beside `autoport` are those that an earlier start chose."""
        if graphics.autoport:
            graphics.port = graphics.tls_port = None

    def check(self, graphics: Graphics, ctx: DeviceContext) -> None:
        """QEMU has SPICE, and the host what its ports and its card need."""
        if not ctx.has_spice:
            raise UnsupportedConfigError(
                "spice graphics are not supported with this QEMU", hint="its module for SPICE is not installed"
            )
        if graphics.on_network and (graphics.tls_port or 0) > 0 and not ctx.settings.spice_tls:
            raise UnsupportedConfigError("spice TLS port set in XML configuration, but TLS is disabled in qemu.conf")
        if graphics.gl is not None and graphics.gl.enable is None:
            raise UnsupportedConfigError("<gl> of spice graphics needs the attribute 'enable'")

    def place(self, ctx: DeviceContext) -> tuple[str, bool]:
        """What the host's settings say."""
        return ctx.settings.spice_listen, ctx.settings.spice_auto_unix_socket

    def password(self, settings: HostSettings) -> str | None:
        """What the host's settings say."""
        return settings.spice_password

    def draws(self, graphics: Graphics) -> bool:
        """If the definition turns it on."""
        return graphics.gl is not None and graphics.gl.enable is True

    def choose_ports(self, graphics: Graphics, free: Callable[[str], int], settings: HostSettings) -> None:
        """A port for what may be read by everybody, and one for what may not."""
        plain = secure = False
        if graphics.autoport:
            modes = {channel.mode for channel in graphics.channels}
            anything = graphics.default_mode is None
            secure = "secure" in modes or graphics.default_mode == "secure" or (anything and settings.spice_tls)
            plain = "insecure" in modes or graphics.default_mode == "insecure" or anything
        if plain or graphics.port == -1:
            graphics.port = free("port")
        if secure or graphics.tls_port == -1:
            if not settings.spice_tls:
                raise UnsupportedConfigError(
                    "Auto allocation of spice TLS port requested but spice TLS is disabled in qemu.conf"
                )
            graphics.tls_port = free("tls_port")

    def environment(self, graphics: Graphics, ctx: DeviceContext) -> dict[str, str]:
        """Where SASL looks for its settings."""
        directory = ctx.settings.spice_sasl_dir
        return {"SASL_CONF_PATH": directory} if ctx.settings.spice_sasl and directory else {}

    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """The server, and the keyboard's layout."""
        words = [*_place(graphics), *_security(graphics, ctx), *_channels(graphics), *_pictures(graphics)]
        return [Option("-spice", ",".join([*words, "seamless-migration=on"])), *keyboard(graphics)]


def _has_plain(graphics: Graphics) -> bool:
    return not graphics.on_network or (graphics.port or 0) > 0


def _has_secure(graphics: Graphics) -> bool:
    return graphics.on_network and (graphics.tls_port or 0) > 0


def _place(graphics: Graphics) -> Iterator[str]:
    first = graphics.listens[0]
    if first.type == "socket":
        yield "unix=on"
        yield f"addr={quoted(first.socket or '')}"
    elif first.type == "none":
        yield "port=0"
    else:
        if (graphics.port or 0) > 0:
            yield f"port={graphics.port}"
        if (graphics.tls_port or 0) > 0:
            yield f"tls-port={graphics.tls_port}"
        if first.address and (_has_plain(graphics) or _has_secure(graphics)):
            yield f"addr={quoted(first.address)}"


def _security(graphics: Graphics, ctx: DeviceContext) -> Iterator[str]:
    settings = ctx.settings
    if settings.spice_sasl:
        yield "sasl=on"
    if graphics.mouse is not None:
        yield f"agent-mouse={on_off(graphics.mouse == 'client')}"
    if graphics.default_password(settings) is None:
        yield "disable-ticketing=on"
    if _has_secure(graphics):
        yield f"x509-dir={quoted(settings.spice_tls_x509_cert_dir)}"


def _channels(graphics: Graphics) -> Iterator[str]:
    """Raises `UnsupportedConfigError` for a channel on a kind of line that there is not."""
    default = graphics.default_mode
    if default == "secure" and not _has_secure(graphics):
        raise UnsupportedConfigError(
            "spice defaultMode secure requested in XML configuration, but TLS connection is not available"
        )
    if default == "insecure" and not _has_plain(graphics):
        raise UnsupportedConfigError(
            "spice defaultMode insecure requested in XML configuration, but plaintext connection is not available"
        )
    if default is not None:
        yield f"{_OPTION[default]}=default"
    for channel in graphics.channels:
        if channel.mode == "secure" and not _has_secure(graphics):
            raise UnsupportedConfigError(
                "spice secure channels set in XML configuration, but TLS connection is not available"
            )
        if channel.mode == "insecure" and not _has_plain(graphics):
            raise UnsupportedConfigError(
                "spice insecure channels set in XML configuration, but plaintext connection is not available"
            )
        yield f"{_OPTION[channel.mode]}={channel.name}"


def _pictures(graphics: Graphics) -> Iterator[str]:
    playback = None if graphics.playback is None else on_off(graphics.playback)
    for name, value in (
        ("image-compression", graphics.image),
        ("jpeg-wan-compression", graphics.jpeg),
        ("zlib-glz-wan-compression", graphics.zlib),
        ("playback-compression", playback),
        ("streaming-video", graphics.streaming),
    ):
        if value is not None:
            yield f"{name}={value}"
    if graphics.copypaste is False:
        yield "disable-copy-paste=on"
    if graphics.filetransfer is False:
        yield "disable-agent-file-xfer=on"
    if graphics.gl is not None and graphics.gl.enable:
        yield "gl=on"
        if graphics.gl.rendernode is not None:
            yield f"rendernode={quoted(graphics.gl.rendernode)}"
