"""Displays without a server: a window on the host, drawing by the host's card, and a display on D-Bus.

Source: https://libvirt.org/formatdomain.html#graphical-framebuffers; QEMU's `-display` option.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.domain.devices.graphics_kinds import GraphicsKind, on_off
from guesthouse.model.helper_programs import Handed, HelperProgram, SecretText
from guesthouse.model.qemu_objects import Option, QemuObject, quoted
from guesthouse.model.xmltext import escape

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.graphics import Graphics

#: The buses that are made for a guest where its definition names none: they end with the guest.
_GENERATED: Final = re.compile(r"unix:path=.*/dbus/[0-9-][^/]*-dbus\.sock")
#: Bytes of a path that an address cannot have as they are (D-Bus Specification, "Server Addresses").
_TO_ESCAPE: Final = re.compile(rb"[^-0-9A-Za-z_/.\\*]")
_ESCAPED: Final = re.compile(rb"%([0-9a-f]{2})")
_BUS: Final = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>org.libvirt.qemu</type>
  <listen>{address}</listen>
  <policy context='default'>
    <allow send_destination='*' eavesdrop='true'/>
    <allow eavesdrop='true'/>
    <allow own='*'/>
  </policy>
</busconfig>
"""


def own_bus(graphics: Graphics) -> str | None:
    """The socket of the bus that is made for the guest; None where the definition says what clients connect to."""
    if graphics.bus is None or not _GENERATED.fullmatch(graphics.bus):
        return None
    path = graphics.bus.removeprefix("unix:path=").encode()
    return _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), path).decode("utf-8", "surrogateescape")


def _address_of(path: str) -> str:
    """The address of a socket: guests' names may have characters that part the words of an address."""
    return "unix:path=" + _TO_ESCAPE.sub(lambda match: b"%%%02x" % ord(match[0]), path.encode()).decode()


def _gl_words(graphics: Graphics) -> list[str]:
    gl = graphics.gl
    if gl is None:
        return []
    words = [] if gl.enable is None else [f"gl={on_off(gl.enable)}"]
    return words if gl.rendernode is None else [*words, f"rendernode={quoted(gl.rendernode)}"]


class SdlKind(GraphicsKind):
    """A window on the host's X server."""

    options = frozenset(("display", "xauth", "fullscreen", "gl"))

    def read(self, graphics: Graphics) -> None:
        """No full screen is what there is anyway. The card is not chosen here."""
        graphics.fullscreen = graphics.fullscreen or None
        if graphics.gl is not None and graphics.gl.rendernode is not None:
            raise UnsupportedConfigError("<gl> of sdl graphics takes no rendernode")
        if graphics.gl is not None and graphics.gl.enable is None:
            raise XmlError("Missing required attribute 'enable' in element 'gl'")

    def environment(self, graphics: Graphics, ctx: DeviceContext) -> dict[str, str]:
        """The X server, and the key to it."""
        words = {"XAUTHORITY": graphics.xauth, "DISPLAY": graphics.display}
        return {name: value for name, value in words.items() if value is not None}

    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """The window."""
        made: list[QemuObject] = [Option("-full-screen")] if graphics.fullscreen else []
        return [*made, Option("-display", ",".join(["sdl", *_gl_words(graphics)]))]


class EglHeadlessKind(GraphicsKind):
    """Drawing by the host's card, for a VNC or SPICE display beside it."""

    options = frozenset(("gl",))

    def read(self, graphics: Graphics) -> None:
        """It is always on."""
        if graphics.gl is not None:
            graphics.gl.enable = None
            if graphics.gl.rendernode is None:
                graphics.gl = None

    def draws(self, graphics: Graphics) -> bool:
        """That is all it does."""
        return True

    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """The display."""
        return [Option("-display", ",".join(["egl-headless", *_gl_words(graphics)]))]


class DbusKind(GraphicsKind):
    """A display that clients reach over D-Bus: at a bus, or over a connection of their own (`p2p`)."""

    options = frozenset(("p2p", "bus", "gl", "audio"))

    def read(self, graphics: Graphics) -> None:
        """A connection of one's own has no bus."""
        graphics.p2p = graphics.p2p or None
        if graphics.p2p and graphics.bus is not None:
            raise XmlError("D-Bus p2p with an address is not supported")
        if graphics.gl is not None and graphics.gl.enable is None:
            raise XmlError("Missing required attribute 'enable' in element 'gl'")

    def defaults(self, graphics: Graphics) -> None:
        """A bus that was made for an earlier start is gone."""
        if own_bus(graphics) is not None:
            graphics.bus = None

    def draws(self, graphics: Graphics) -> bool:
        """If the definition turns it on."""
        return graphics.gl is not None and graphics.gl.enable is True

    def prepare(self, graphics: Graphics, ctx: DeviceContext) -> None:
        """The bus is in a directory of all guests' buses, where libvirt has it."""
        if not graphics.p2p and graphics.bus is None:
            directory = PurePosixPath(ctx.channel_dir).parent.parent / "dbus"
            graphics.bus = _address_of(f"{directory}/{ctx.short_name}-dbus.sock")

    def helpers(self, graphics: Graphics, ctx: DeviceContext) -> list[HelperProgram]:
        """A bus for this guest alone, unless the definition names one."""
        path = own_bus(graphics)
        if path is None:
            return []
        settings = SecretText(_BUS.format(address=escape(graphics.bus or "")).encode())
        return [
            HelperProgram(
                "dbus",
                ("dbus-daemon", "--nofork", "--nosyslog", "--nopidfile", Handed(settings, "--config-file=/dev/fd/")),
                ready=path,
                package="dbus-daemon",
            )
        ]

    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """The display."""
        place = "p2p=on" if graphics.p2p else f"addr={quoted(graphics.bus or '')}"
        words = ["dbus", place, *_gl_words(graphics)]
        if graphics.audio is not None:
            words.append(f"audiodev=audio{graphics.audio}")
        return [Option("-display", ",".join(words))]
