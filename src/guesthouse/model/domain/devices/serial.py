"""Serial and parallel ports.

Source: https://libvirt.org/formatdomain.html#serial-port, #parallel-port and
#relationship-between-serial-ports-and-consoles.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import element, new, one, opt
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
from guesthouse.model.domain.devices.character_port import CharacterPort
from guesthouse.model.kinds import UINT, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Option, QemuObject

#: Type of serial port to the models that it has, the first by default, and where it is plugged in.
_SERIAL: Final = {
    "isa-serial": (("isa-serial",), Connection("isa")),
    "usb-serial": (("usb-serial",), Connection("usb")),
    "pci-serial": (("pci-serial",), PCI),
    "isa-debug": (("isa-debugcon",), Connection("isa")),
    "system-serial": (("pl011", "16550a"), NOWHERE),
    "sclp-serial": (("sclpconsole", "sclplmconsole"), NOWHERE),
    "spapr-vio-serial": (("spapr-vty",), NOWHERE),
}
_MODELS: Final = tuple(model for models, _ in _SERIAL.values() for model in models)
_S390: Final = ("s390", "s390x")
#: The models that are part of a board, and the architectures whose boards have them.
_PLATFORM_MODELS: Final = {"pl011": ("aarch64", "armv7l", "armv6l"), "16550a": ("riscv32", "riscv64", "loongarch64")}
#: The models of a type that only some architectures have.
_ELSEWHERE: Final = {
    **_PLATFORM_MODELS,
    "sclpconsole": _S390,
    "sclplmconsole": _S390,
    "spapr-vty": ("ppc64", "ppc64le"),
}


@element("target")
class SerialTarget:
    """What the guest sees; `port` counts from 0."""

    type: str | None = opt(one_of(*_SERIAL))
    port: int | None = opt(UINT)
    model: str | None = opt(one_of(*_MODELS), "name", within="model")


@element("serial")
class Serial(CharacterPort):
    """A serial port."""

    ALIAS: ClassVar[str] = "serial"

    target: SerialTarget | None = one(SerialTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def kind(self) -> str:
        """The type of the target."""
        return (self.target.type if self.target else None) or "isa-serial"

    @property
    def carries_console(self) -> bool:
        """Whether the first console is this port, if it is the first: what a machine has of itself, or on ISA."""
        return self.kind in ("isa-serial", "system-serial", "sclp-serial", "spapr-vio-serial")

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the target's type."""
        return _SERIAL[self.kind][1]

    def defaults(self, ctx: DeviceContext) -> None:
        """The type of port that the machine has of itself, and the model of the type."""
        target = self.target or new(SerialTarget)
        if target.type in (None, "isa-serial"):
            target.type = _default_type(ctx.arch)  # libvirt once took `isa-serial` for what a machine has
        if target.model is None:
            models = _SERIAL[target.type][0]
            target.model = next((name for name in models if ctx.arch in _ELSEWHERE.get(name, ())), models[0])
        self.target = target

    def check(self, ctx: DeviceContext) -> None:
        """The backend is one of ours, the port one of this machine's."""
        self.check_source(ctx)
        target = self.target or new(SerialTarget)
        model = target.model or _SERIAL[self.kind][0][0]
        if model not in _SERIAL[self.kind][0]:
            raise UnsupportedConfigError(
                f"Target model '{model}' requires target type '{_type_of_model(model)}'",
                hint=f"the type is '{self.kind}'",
            )
        if ctx.arch not in _ELSEWHERE.get(model, (ctx.arch,)):
            raise UnsupportedConfigError(
                f"Serial device with target type '{self.kind}' and target model '{model}' not compatible with guest "
                "architecture or machine type"
            )
        if model not in _PLATFORM_MODELS:
            ctx.need(model, f"serial target model '{model}'")

    def check_address(self, ctx: DeviceContext) -> None:
        """A port of the machine's own has no address."""
        if self.address is not None and self.connection(ctx) is NOWHERE:
            raise UnsupportedConfigError(f"Target type '{self.kind}' cannot have an associated address")
        CharacterPort.check_address(self, ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port; a board's own port is told its character device by `-serial`."""
        target = self.target or new(SerialTarget)
        model = target.model or _SERIAL[self.kind][0][0]
        if model in _PLATFORM_MODELS:
            return [*self.backend(ctx), Option("-serial", f"chardev:{self.chardev}")]
        front = QemuDevice({"driver": model, "chardev": self.chardev, "id": self.name})
        if model == "isa-serial":
            front.props["index"] = target.port or 0
        front.props.update(self.address_props(ctx))
        return [*self.backend(ctx), front]


def _type_of_model(model: str | None) -> str | None:
    return next((kind for kind, (models, _) in _SERIAL.items() if model in models), None)


def _default_type(arch: str) -> str:
    if arch in ("x86_64", "i686"):
        return "isa-serial"
    return "sclp-serial" if arch in _S390 else "system-serial"


@element("target")
class ParallelTarget:
    """The number of a parallel port."""

    port: int | None = opt(UINT)


@element("parallel")
class Parallel(CharacterPort):
    """A parallel port."""

    ALIAS: ClassVar[str] = "parallel"

    target: ParallelTarget | None = one(ParallelTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """The ISA bus."""
        return Connection("isa")

    def check(self, ctx: DeviceContext) -> None:
        """Only a machine with an ISA bus has one."""
        self.check_source(ctx)
        if ctx.arch in _S390:
            raise UnsupportedConfigError("parallel ports are not supported", hint="by machines of this architecture")
        ctx.need("isa-parallel", "parallel device")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device and the port."""
        front = {"driver": "isa-parallel", "chardev": self.chardev, "id": self.name} | self.address_props(ctx)
        return [*self.backend(ctx), QemuDevice(front)]
