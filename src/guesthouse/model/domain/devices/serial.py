"""Serial and parallel ports, and consoles.

The first console of a PC is the first serial port under another name: libvirt prints it twice, and so do we.

Source: https://libvirt.org/formatdomain.html#consoles-serial-parallel-channel-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import default, element, new, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    Alias,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
)
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    require_socket_path,
    sources_slot,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, UINT, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Option, QemuObject

#: Type of serial port to the model that it has by default, and where it is plugged in.
_SERIAL: Final = {
    "isa-serial": ("isa-serial", Connection("isa")),
    "usb-serial": ("usb-serial", Connection("usb")),
    "pci-serial": ("pci-serial", PCI),
    "isa-debug": ("isa-debugcon", Connection("isa")),
    "system-serial": ("pl011", NOWHERE),
}
_PLATFORM_MODELS: Final = ("pl011", "16550a")
_OTHER_ARCHES: Final = ("spapr-vio-serial", "sclp-serial")


@element("target")
class SerialTarget:
    """What the guest sees; `port` counts from 0."""

    type: str | None = opt(one_of(*_SERIAL, *_OTHER_ARCHES))
    port: int | None = opt(UINT)
    model: str | None = opt(
        one_of("isa-serial", "usb-serial", "pci-serial", "isa-debugcon", "pl011", "16550a"), "name", within="model"
    )


@element("serial")
class Serial(CharacterDevice):
    """A serial port."""

    ALIAS: ClassVar[str] = "serial"

    type: str = default(TYPES, "pty")
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    target: SerialTarget | None = one(SerialTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is whole."""
        self.read_source()
        require_socket_path(self)

    @property
    def kind(self) -> str:
        """The type of the target."""
        return (self.target.type if self.target else None) or "isa-serial"

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the target's type."""
        return _SERIAL[self.kind][1] if self.kind in _SERIAL else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """An ISA port on a PC, the board's own elsewhere; and the model of the type."""
        target = self.target or new(SerialTarget)
        if target.type is None:
            target.type = "isa-serial" if ctx.x86 else "system-serial"
        if target.model is None and target.type in _SERIAL:
            target.model = _SERIAL[target.type][0]
            if target.type == "system-serial" and ctx.arch.startswith(("riscv", "loongarch")):
                target.model = "16550a"
        self.target = target

    def check(self, ctx: DeviceContext) -> None:
        """The backend is one of ours, the port one of this QEMU's."""
        self.check_source(ctx)
        target = self.target or new(SerialTarget)
        if target.type in _OTHER_ARCHES or (target.type == "system-serial" and ctx.x86):
            raise UnsupportedConfigError(f"Serial device with target type '{target.type}' is not supported")
        if target.model is not None and target.model not in _PLATFORM_MODELS:
            ctx.need(target.model, f"serial target model '{target.model}'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port; a board's own port is told its character device by `-serial`."""
        target = self.target or new(SerialTarget)
        model = target.model or _SERIAL[self.kind][0]
        if model in _PLATFORM_MODELS:
            return [*self.backend(ctx), Option("-serial", f"chardev:{self.chardev}")]
        front = QemuDevice({"driver": model, "chardev": self.chardev, "id": self.name})
        if model == "isa-serial":
            front.props["index"] = target.port or 0
        front.props.update(self.address_props(ctx))
        return [*self.backend(ctx), front]


@element("target")
class ParallelTarget:
    """The number of a parallel port."""

    port: int | None = opt(UINT)


@element("parallel")
class Parallel(CharacterDevice):
    """A parallel port."""

    ALIAS: ClassVar[str] = "parallel"

    type: str = default(TYPES, "pty")
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    target: ParallelTarget | None = one(ParallelTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is whole."""
        self.read_source()
        require_socket_path(self)

    def connection(self, ctx: DeviceContext) -> Connection:
        """The ISA bus."""
        return Connection("isa")

    def check(self, ctx: DeviceContext) -> None:
        """Only a PC has one."""
        self.check_source(ctx)
        ctx.need("isa-parallel", "parallel device")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port."""
        return [
            *self.backend(ctx),
            QemuDevice({"driver": "isa-parallel", "chardev": self.chardev, "id": self.name}),
        ]


@element("target")
class ConsoleTarget:
    """What kind of console; `port` counts from 0."""

    type: str | None = opt(one_of("serial", "virtio", "xen", "uml", "lxc", "openvz", "sclp", "sclplm"))
    port: int | None = opt(UINT)


@element("console")
class Console(CharacterDevice):
    """A console: the first serial port, or a virtio console."""

    ALIAS: ClassVar[str] = "console"

    type: str = default(TYPES, "pty")
    tty: str | None = opt(ABSOLUTE_PATH, live=True)
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    target: ConsoleTarget | None = one(ConsoleTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is whole."""
        self.read_source()
        require_socket_path(self)

    @property
    def is_serial(self) -> bool:
        """Whether it is the first serial port under another name."""
        return self.target is None or self.target.type in (None, "serial")

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio console is a port of a virtio-serial controller."""
        return NOWHERE if self.is_serial else Connection("virtio-serial")

    def check_address(self, ctx: DeviceContext) -> None:
        """The first console has its serial port's address, which is checked there."""
        if not self.is_serial:
            CharacterDevice.check_address(self, ctx)

    def set_path(self, path: str) -> None:
        """Remember the terminal; the first console also says it as `tty`."""
        CharacterDevice.set_path(self, path)
        first = self.target is None or not self.target.port
        self.tty = path if self.type == "pty" and first else None

    def mirror(self, serial: Serial) -> None:
        """Become the other name of the first serial port."""
        self.type = serial.type
        self.sources = serial.sources
        self.protocol = serial.protocol
        self.log_file, self.log_append = serial.log_file, serial.log_append
        self.alias, self.address = serial.alias, serial.address
        self.target = new(ConsoleTarget, type="serial", port=0)
        self.tty = serial.path if serial.type == "pty" else None

    def check(self, ctx: DeviceContext) -> None:
        """The kind is one that QEMU has."""
        self.check_source(ctx)
        if not self.is_serial and self.target is not None and self.target.type != "virtio":
            raise UnsupportedConfigError(f"unsupported console target type {self.target.type}")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """Nothing for the serial port's other name; else the character device and the console."""
        if self.is_serial:
            return []
        front = {"driver": "virtconsole"} | self.address_props(ctx) | {"chardev": self.chardev, "id": self.name}
        return [*self.backend(ctx), QemuDevice(front)]
