"""The host's end of serial ports, consoles and channels: what `type` and `<source>` say, and QEMU's `-chardev` for it.

Source: https://libvirt.org/formatdomain.html#host-interface.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import element, many, new, opt, unbound
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, UINT, YES_NO, one_of
from guesthouse.model.qemu_objects import Chardev, Props, QemuObject, without_none

#: All types that libvirt documents. Those without a row in `_BACKENDS` are refused by name.
TYPES: Final = one_of(
    "null",
    "vc",
    "pty",
    "dev",
    "file",
    "pipe",
    "stdio",
    "udp",
    "tcp",
    "unix",
    "spicevmc",
    "spiceport",
    "nmdm",
    "qemu-vdagent",
    "dbus",
)
PROTOCOLS: Final = one_of("raw", "telnet", "telnets", "tls")


@element("source")
class ChardevSource:
    """Where the characters go. Which attributes count is the type's matter; UDP has one source for each direction.

    A `transient` one was found or made when the guest started (a terminal, a generated socket), and is no part of the
    definition.
    """

    mode: str | None = opt(one_of("connect", "bind"))
    path: str | None = opt(ABSOLUTE_PATH)
    append: bool | None = opt(ON_OFF)
    host: str | None = opt(TEXT)
    service: str | None = opt(TEXT)
    tls: bool | None = opt(YES_NO)
    copypaste: bool | None = opt(YES_NO, within="clipboard")
    mouse: str | None = opt(one_of("server", "client"), "mode", within="mouse")
    reconnect: bool | None = opt(YES_NO, "enabled", within="reconnect")
    timeout: int | None = opt(UINT, within="reconnect")
    transient: bool = unbound(False)

    @property
    def binds(self) -> bool:
        """Whether it listens."""
        return self.mode == "bind"


def _lasting(source: ChardevSource) -> bool:
    return not source.transient


def sources_slot() -> list[ChardevSource]:
    """The field `sources`."""
    return many(ChardevSource, live=True, keep=_lasting)


class CharacterDevice(Device):
    """What serial ports, parallel ports, consoles and channels share.

    Subclasses declare `type`, `sources`, `protocol`, `log_file` and `log_append`.
    """

    type: str
    sources: list[ChardevSource]
    protocol: str | None
    log_file: str | None
    log_append: bool | None

    @property
    def chardev(self) -> str:
        """The id of the character device."""
        return f"char{self.name}"

    @property
    def source(self) -> ChardevSource | None:
        """The source, for the types that have one."""
        return self.sources[0] if self.sources else None

    @property
    def path(self) -> str | None:
        """The path of the terminal, file, pipe, device or socket."""
        return self.sources[0].path if self.sources else None

    def set_path(self, path: str) -> None:
        """Remember the terminal that QEMU opened, or a socket that was made, while the guest runs."""
        self.sources = [new(ChardevSource, mode="bind" if self.type == "unix" else None, path=path, transient=True)]

    def read_source(self) -> None:
        """What `parsed` does for all of them: the source is whole, the protocol of a socket is known."""
        if self.type == "pty":
            for source in self.sources:
                source.transient = True
        if self.type == "tcp":
            self.protocol = self.protocol or "raw"
        elif self.protocol is not None:
            raise XmlError(f"element 'protocol' does not apply to a character device of type '{self.type}'")
        if len(self.sources) > (2 if self.type == "udp" else 1):
            raise XmlError(f"only one source element is allowed for a character device of type '{self.type}'")
        for name in _REQUIRED.get(self.type, ()):
            if not self.sources or getattr(self.sources[-1], name) is None:
                raise XmlError(f"Missing source {name} attribute for char device")
        for source in self.sources:
            if source.reconnect and source.timeout is None:
                raise XmlError("Missing required attribute 'timeout' in element 'reconnect'")

    def check_source(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError` for a type or an option that is not there."""
        if self.type not in _BACKENDS:
            hint = "this QEMU has no spice" if self.type.startswith("spice") else ""
            raise UnsupportedConfigError(f"unsupported chardev '{self.type}'", hint=hint)
        for source in self.sources:
            if source.tls:
                raise UnsupportedConfigError("TLS for character devices is not supported", hint="remove tls='yes'")
        if self.protocol in ("telnets", "tls"):
            raise UnsupportedConfigError(f"protocol '{self.protocol}' is not supported", hint="use raw or telnet")
        if self.source is not None and self.source.reconnect is not None and self.source.binds:
            raise UnsupportedConfigError("reconnect is not supported with mode='bind'")

    def backend(self, ctx: DeviceContext) -> list[QemuObject]:
        """Opened files, then the character device."""
        made: list[QemuObject] = []
        kind, props = _BACKENDS[self.type](self, ctx, made)
        if self.log_file is not None:
            opened = ctx.open_file(self.log_file, self.log_append is not False, f"{self.name}-log")
            if opened is not None:
                made.append(opened)
                props |= {"logfile": opened.path, "logappend": True}
            else:
                props |= without_none({"logfile": self.log_file, "logappend": self.log_append})
        return [*made, Chardev(self.chardev, kind, props)]


_Made = list[QemuObject]
_Backend = Callable[[CharacterDevice, DeviceContext, _Made], tuple[str, Props]]


def _plain(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return device.type, {}


def _file(device: CharacterDevice, ctx: DeviceContext, made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    path = source.path or ""
    opened = ctx.open_file(path, source.append is True, f"{device.name}-source")
    if opened is None:
        return "file", without_none({"path": path, "append": source.append})
    made.append(opened)
    return "file", {"path": opened.path, "append": True}


def _pipe(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return "pipe", {"path": device.path}


def _host_device(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return "parallel" if device.ALIAS == "parallel" else "serial", {"path": device.path}


def _reconnect(source: ChardevSource, ctx: DeviceContext) -> Props:
    if source.reconnect is None:
        return {}
    seconds = (source.timeout or 0) if source.reconnect else 0
    if ctx.qemu.has_option("chardev", "reconnect-ms"):
        return {"reconnect-ms": seconds * 1000}
    return {"reconnect": seconds}


def _unix(device: CharacterDevice, ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    path = source.path or ""
    if not source.binds:
        return "socket", {"path": path} | _reconnect(source, ctx)
    descriptor = ctx.listen(path)
    place: Props = {"path": path} if descriptor is None else {"fd": descriptor}
    return "socket", place | {"server": True, "wait": False}


def _tcp(device: CharacterDevice, ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    props: Props = {"host": source.host, "port": source.service}
    if device.protocol == "telnet":
        props["telnet"] = True
    if source.binds:
        props |= {"server": True, "wait": False}
    return "socket", props | _reconnect(source, ctx)


def _udp(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    ends = {source.mode: source for source in device.sources}
    far = ends.get("connect") or ends.get(None) or new(ChardevSource)
    near = ends.get("bind") or new(ChardevSource)
    return "udp", {
        "host": far.host or "",
        "port": far.service or "0",
        "localaddr": near.host or "",
        "localport": near.service or "0",
    }


def _vdagent(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    source = device.source or new(ChardevSource)
    mouse = None if source.mouse is None else source.mouse == "client"
    return "qemu-vdagent", without_none({"name": "vdagent", "clipboard": source.copypaste, "mouse": mouse})


#: Type to what makes QEMU's backend and its properties.
_BACKENDS: Final[dict[str, _Backend]] = {
    "null": _plain,
    "vc": _plain,
    "pty": _plain,
    "stdio": _plain,
    "file": _file,
    "pipe": _pipe,
    "dev": _host_device,
    "unix": _unix,
    "tcp": _tcp,
    "udp": _udp,
    "qemu-vdagent": _vdagent,
}

#: Type to the attributes without which it means nothing. A UNIX socket of a channel may be left to us.
_REQUIRED: Final = {
    "file": ("path",),
    "pipe": ("path",),
    "dev": ("path",),
    "tcp": ("host", "service"),
    "udp": ("service",),
}


def require_socket_path(device: CharacterDevice) -> None:
    """Raise `XmlError` for a UNIX socket without a path, where none is generated."""
    if device.type == "unix" and device.path is None:
        raise XmlError("Missing source path attribute for char device")
