"""The host's end of serial ports, consoles, channels and their like: what `type`, `<source>`, `<protocol>` and `<log>`
say. What QEMU makes of it is in `chardev_backends`.

Source: https://libvirt.org/formatdomain.html#host-interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import element, many, new, one, opt, opt_leaf, unbound
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, UINT, YES_NO, matching, one_of
from guesthouse.model.qemu_objects import Chardev, QemuObject, without_none

if TYPE_CHECKING:
    from guesthouse.model.qemu_objects import Props

#: All types that libvirt documents.
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
#: The types whose source names a channel of the display.
_NAMED: Final = ("spiceport", "dbus")
#: Those that are told apart by who begins.
_WITH_MODE: Final = ("unix", "tcp", "udp")


@element("seclabel")
class SourceLabel:
    """The label of the file or socket under one security model, where it differs from the guest's."""

    model: str | None = opt(TEXT)
    relabel: bool | None = opt(YES_NO)
    labelskip: bool | None = opt(YES_NO, live=True)
    label: str | None = opt_leaf(TEXT)


@element("reconnect")
class Reconnect:
    """Whether QEMU connects again, and after how many seconds."""

    enabled: bool | None = opt(YES_NO)
    timeout: int | None = opt(UINT)

    def parsed(self) -> None:
        """A time is there where it counts."""
        if self.enabled is None:
            raise XmlError("Missing required attribute 'enabled' in element 'reconnect'")
        if not self.enabled:
            self.timeout = None
        elif self.timeout is None:
            raise XmlError("Missing required attribute 'timeout' in element 'reconnect'")


@element("source")
class ChardevSource:
    """Where the characters go. Which attributes count is the type's matter; UDP has one source for each direction.

    A `transient` one was found or made when the guest started (a terminal, a generated socket), and is no part of the
    definition.
    """

    mode: str | None = opt(one_of("connect", "bind"))
    path: str | None = opt(ABSOLUTE_PATH)
    append: bool | None = opt(ON_OFF)
    channel: str | None = opt(matching(r"[A-Za-z0-9_.\-]{1,255}", "a name of letters, digits, '.', '-' and '_'"))
    master: str | None = opt(ABSOLUTE_PATH)
    slave: str | None = opt(ABSOLUTE_PATH)
    host: str | None = opt(TEXT)
    service: str | None = opt(TEXT)
    tls: bool | None = opt(YES_NO)
    transient: bool | None = opt(YES_NO, status=True)
    copypaste: bool | None = opt(YES_NO, within="clipboard")
    mouse: str | None = opt(one_of("server", "client"), "mode", within="mouse")
    seclabels: list[SourceLabel] = many(SourceLabel)
    reconnect: Reconnect | None = one(Reconnect)
    tls_of_host: bool = unbound(False)

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
        elif self.protocol == "raw":
            self.protocol = None  # that is what the others have anyway, and libvirt does not print it
        elif self.protocol is not None:
            raise XmlError(f"element 'protocol' does not apply to a character device of type '{self.type}'")
        self._read_sources()

    def _read_sources(self) -> None:
        if len(self.sources) > 1 and self.type != "udp":
            raise XmlError("only one source element is allowed for character device")
        if len(self.sources) > 2:
            raise XmlError("only two source elements are allowed for character device")
        if self.type in _WITH_MODE:
            for source in self.sources:
                source.mode = source.mode or "connect"
        if self.type == "udp":
            self.sources.sort(key=lambda source: source.mode or "")
        for name in _REQUIRED.get(self.type, ()):
            if not self.sources or getattr(self.sources[-1], name) is None:
                raise InternalError(f"Missing source {name} attribute for char device", domain=Origin.DOMAIN)
        if self.type in _NAMED and (not self.sources or self.sources[0].channel is None):
            raise UnsupportedConfigError("Missing source channel attribute for char device")
        if self.type in ("unix", "tcp") and self.sources:
            _check_reconnect(self.sources[0])

    def settle_tls(self, ctx: DeviceContext) -> None:
        """Whether a TCP line is encrypted, where the definition leaves it to the host. Called when the guest starts."""
        if self.type == "tcp" and self.sources and self.sources[0].tls is None and ctx.settings.chardev_tls:
            self.sources[0].tls = self.sources[0].tls_of_host = True

    def forget_host(self) -> None:
        """Leave it to another host whether the line is encrypted, if this one had decided."""
        for source in self.sources:
            if source.tls_of_host:
                source.tls = None

    def check_source(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError` for a type or an option that is not there."""
        # Here and not above: the backends are written for this class.
        from guesthouse.model.domain.devices import chardev_backends

        chardev_backends.check(self, ctx)

    def backend(self, ctx: DeviceContext) -> list[QemuObject]:
        """Opened files, credentials, then the character device."""
        from guesthouse.model.domain.devices import chardev_backends

        made: list[QemuObject] = []
        kind, props = chardev_backends.build(self, ctx, made)
        if self.log_file is not None:
            props |= self._log(ctx, made)
        return [*made, Chardev(self.chardev, kind, props)]

    def _log(self, ctx: DeviceContext, made: list[QemuObject]) -> Props:
        opened = ctx.open_file(self.log_file or "", self.log_append is not False, f"{self.name}-log")
        if opened is None:
            return without_none({"logfile": self.log_file, "logappend": self.log_append})
        made.append(opened)
        return {"logfile": opened.path, "logappend": True}


#: Type to the attributes without which it means nothing. A UNIX socket of a channel may be left to us.
_REQUIRED: Final = {
    "file": ("path",),
    "pipe": ("path",),
    "dev": ("path",),
    "tcp": ("host", "service"),
    "udp": ("service",),
}


def _check_reconnect(source: ChardevSource) -> None:
    reconnect = source.reconnect
    if reconnect is None or not reconnect.enabled:
        return
    if source.binds:
        raise InternalError("chardev reconnect is possible only for connect mode", domain=Origin.DOMAIN)
    if reconnect.timeout == 0:
        raise LibvirtError("chardev reconnect source timeout cannot be '0'", code=Code.INVALID_ARG, domain=Origin.QEMU)


def require_socket_path(device: CharacterDevice) -> None:
    """Raise `InternalError` for a UNIX socket without a path, where none is generated."""
    if device.type == "unix" and device.path is None:
        raise InternalError("Missing source path attribute for char device", domain=Origin.DOMAIN)
