"""Consoles: the first serial port under another name, which libvirt prints twice, or a console of their own.

Source: https://libvirt.org/formatdomain.html#console.
"""

from __future__ import annotations

from typing import ClassVar

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import element, new, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.devices.character_port import CharacterPort
from guesthouse.model.domain.devices.serial import Serial
from guesthouse.model.kinds import ABSOLUTE_PATH, UINT, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import QemuObject

#: Type of a console that is no serial port to QEMU's device, for s390x.
_SCLP = {"sclp": "sclpconsole", "sclplm": "sclplmconsole"}


@element("target")
class ConsoleTarget:
    """What kind of console; `port` counts from 0."""

    type: str | None = opt(one_of("serial", "virtio", "xen", "uml", "lxc", "openvz", "sclp", "sclplm"))
    port: int | None = opt(UINT)


@element("console")
class Console(CharacterPort):
    """A console: the first serial port, a virtio console, or one of a mainframe."""

    ALIAS: ClassVar[str] = "console"

    tty: str | None = opt(ABSOLUTE_PATH, live=True)
    target: ConsoleTarget | None = one(ConsoleTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def is_serial(self) -> bool:
        """Whether it is the first serial port under another name."""
        return self.target is None or self.target.type in (None, "serial")

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio console is a port of a virtio-serial controller."""
        virtio = self.target is not None and self.target.type == "virtio"
        return Connection("virtio-serial") if virtio else NOWHERE

    def check_address(self, ctx: DeviceContext) -> None:
        """The first console has its serial port's address, which is checked there."""
        if not self.is_serial:
            CharacterPort.check_address(self, ctx)

    def set_path(self, path: str) -> None:
        """Remember the terminal; the first console also says it as `tty`."""
        CharacterPort.set_path(self, path)
        first = self.target is None or not self.target.port
        self.tty = path if self.type == "pty" and first else None

    def mirror(self, serial: Serial) -> None:
        """Become the other name of the first serial port."""
        self.type = serial.type
        self.sources = serial.sources
        self.protocol = serial.protocol
        self.log_file, self.log_append = serial.log_file, serial.log_append
        self.alias, self.address = serial.alias, serial.address
        port = serial.target.port if serial.target is not None else 0
        self.target = new(ConsoleTarget, type="serial", port=port)
        self.tty = serial.path if serial.type == "pty" else None

    def check(self, ctx: DeviceContext) -> None:
        """The kind is one that QEMU has."""
        self.check_source(ctx)
        if self.is_serial or self.target is None:
            return
        kind = self.target.type or ""
        if kind not in ("virtio", *_SCLP):
            raise UnsupportedConfigError(f"unsupported console target type {kind}")
        if kind in _SCLP:
            ctx.need(_SCLP[kind], f"console target type '{kind}'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """Nothing for the serial port's other name; else the character device and the console."""
        if self.is_serial or self.target is None:
            return []
        driver = _SCLP.get(self.target.type or "", "virtconsole")
        front = {"driver": driver} | self.address_props(ctx) | {"chardev": self.chardev, "id": self.name}
        return [*self.backend(ctx), QemuDevice(front)]
