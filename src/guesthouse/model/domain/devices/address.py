"""Where a device is plugged in: the forms of `<address type='…'/>`.

Each form is a class; `ADDRESSES` maps a type to its class. `props` gives the properties of QEMU's device that put it
there. Drive addresses mean something else on each kind of disk bus: see `drive_props`.

Source: https://libvirt.org/formatdomain.html#device-addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guesthouse.errors import InternalError, XmlError
from guesthouse.model.binding import default, element, new, one, opt
from guesthouse.model.kinds import ON_OFF, UINT, Kind, hexadecimal, matching, one_of
from guesthouse.model.qemu_objects import Props, without_none

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext

_FUNCTION: Final[Kind[int]] = Kind("a number from 0 to 7", hexadecimal(1, 7).parse, lambda value: f"0x{value}")
_PORT: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}")


class Address:
    """What all forms share."""

    __slots__ = ()

    type: str

    def props(self, ctx: DeviceContext) -> Props:
        """The device's properties for this place."""
        return {}


@element("zpci")
class Zpci:
    """What identifies a PCI function to an s390x guest: a user-defined id and a function id."""

    uid: int | None = opt(hexadecimal(4, 0xFFFF))
    fid: int | None = opt(hexadecimal(8, 0xFFFFFFFF))

    def parsed(self) -> None:
        """0 stands for no id."""
        if self.uid == 0:
            raise XmlError("Invalid PCI address uid='0x0000', must be > 0x0000 and <= 0xffff")


@element("address")
class PciAddress(Address):
    """A place on a PCI bus. Without numbers it asks for any place; then all four are None."""

    type: str = default(one_of("pci"), "pci")
    domain: int | None = opt(hexadecimal(4, 0xFFFF))
    bus: int | None = opt(hexadecimal(2, 0xFF))
    slot: int | None = opt(hexadecimal(2, 0x1F))
    function: int | None = opt(_FUNCTION)
    multifunction: bool | None = opt(ON_OFF)
    zpci: Zpci | None = one(Zpci)

    def parsed(self) -> None:
        """Fill in zeros. All zeros is slot 0 of the root bus, which is reserved: libvirt takes it for unassigned."""
        numbers = (self.domain or 0, self.bus or 0, self.slot or 0, self.function or 0)
        self.domain, self.bus, self.slot, self.function = numbers if any(numbers) else (None, None, None, None)

    @property
    def assigned(self) -> bool:
        """Whether it names a place."""
        return self.slot is not None

    @classmethod
    def at(cls, bus: int, slot: int, function: int = 0, *, multifunction: bool | None = None) -> PciAddress:
        """A place in PCI domain 0."""
        return new(cls, domain=0, bus=bus, slot=slot, function=function, multifunction=multifunction)

    def props(self, ctx: DeviceContext) -> Props:
        """`bus` and `addr`, in QEMU's form `0xSLOT.0xFUNCTION`."""
        if self.bus is None or self.slot is None:
            raise InternalError("a PCI device has no address yet")
        function = f".{self.function:#x}" if self.function else ""
        return without_none(
            {
                "bus": ctx.controller("pci", self.bus).bus_name(ctx),
                "multifunction": self.multifunction,
                "addr": f"{self.slot:#x}{function}",
            }
        )


@element("address")
class CcwAddress(Address):
    """A place in an s390x guest's channel subsystem. Without numbers it asks for any place; then all three are None."""

    type: str = default(one_of("ccw"), "ccw")
    cssid: int | None = opt(hexadecimal(1, 0xFE))
    ssid: int | None = opt(hexadecimal(1, 3))
    devno: int | None = opt(hexadecimal(4, 0xFFFF))

    def parsed(self) -> None:
        """All numbers or none of them. Raises `XmlError`."""
        given = [number for number in (self.cssid, self.ssid, self.devno) if number is not None]
        if len(given) not in (0, 3):
            raise XmlError("Invalid partial specification for virtio ccw address")

    @property
    def assigned(self) -> bool:
        """Whether it names a place."""
        return self.devno is not None

    def props(self, ctx: DeviceContext) -> Props:
        """`devno`, in QEMU's form `CSSID.SSID.DEVNO`."""
        if self.cssid is None or self.ssid is None or self.devno is None:
            raise InternalError("a CCW device has no address yet")
        return {"devno": f"{self.cssid:x}.{self.ssid:x}.{self.devno:04x}"}


@element("address")
class DriveAddress(Address):
    """A place on a disk bus: `bus` and `target` only count where the controller has several."""

    type: str = default(one_of("drive"), "drive")
    controller: int = default(UINT, 0)
    bus: int = default(UINT, 0)
    target: int = default(UINT, 0)
    unit: int = default(UINT, 0)


@element("address")
class VirtioSerialAddress(Address):
    """A port of a virtio-serial controller; port 0 of each is kept for a console."""

    type: str = default(one_of("virtio-serial"), "virtio-serial")
    controller: int = default(UINT, 0)
    bus: int = default(UINT, 0)
    port: int = default(UINT, 0)

    def props(self, ctx: DeviceContext) -> Props:
        """`bus` and `nr`."""
        return {"bus": f"{ctx.controller('virtio-serial', self.controller).name}.{self.bus}", "nr": self.port}


@element("address")
class UsbAddress(Address):
    """A USB port; `port` is `1`, or `1.2` behind a hub. `bus` is the controller's index."""

    type: str = default(one_of("usb"), "usb")
    bus: int = default(UINT, 0)
    port: str | None = opt(matching(_PORT.pattern, "a USB port such as 1 or 1.2"))

    def props(self, ctx: DeviceContext) -> Props:
        """`bus` and `port`."""
        return without_none({"bus": f"{ctx.controller('usb', self.bus).name}.0", "port": self.port})


@element("address")
class CcidAddress(Address):
    """A slot of a smartcard controller."""

    type: str = default(one_of("ccid"), "ccid")
    controller: int = default(UINT, 0)
    slot: int = default(UINT, 0)

    def props(self, ctx: DeviceContext) -> Props:
        """`bus`."""
        return {"bus": f"{ctx.controller('ccid', self.controller).name}.0"}


@element("address")
class IsaAddress(Address):
    """An I/O port and an interrupt of the ISA bus."""

    type: str = default(one_of("isa"), "isa")
    iobase: int | None = opt(hexadecimal(1, 0xFFFF))
    irq: int | None = opt(hexadecimal(1, 0xFF))

    def props(self, ctx: DeviceContext) -> Props:
        """`iobase` and `irq`."""
        return without_none({"iobase": self.iobase or None, "irq": self.irq or None})


@element("address")
class MmioAddress(Address):
    """A virtio-mmio transport of an Arm or RISC-V board."""

    type: str = default(one_of("virtio-mmio"), "virtio-mmio")


@element("address")
class UnassignedAddress(Address):
    """No place at all: the device is taken from the host, and the guest does not see it."""

    type: str = default(one_of("unassigned"), "unassigned")


#: The value of `type` to the form.
ADDRESSES: Final[dict[str, type[Address]]] = {
    "pci": PciAddress,
    "drive": DriveAddress,
    "virtio-serial": VirtioSerialAddress,
    "usb": UsbAddress,
    "ccid": CcidAddress,
    "isa": IsaAddress,
    "virtio-mmio": MmioAddress,
    "unassigned": UnassignedAddress,
    "ccw": CcwAddress,
}

#: SCSI controllers whose bus has ids and no logical units behind them.
_NARROW_SCSI: Final = ("lsilogic", "dc390", "am53c974", "ncr53c90")


def _ide(address: DriveAddress, ctx: DeviceContext) -> Props:
    return {"bus": f"{_disk_controller('ide', address, ctx)}.{address.bus}", "unit": address.unit}


def _sata(address: DriveAddress, ctx: DeviceContext) -> Props:
    return {"bus": f"{_disk_controller('sata', address, ctx)}.{address.unit}"}


def _disk_controller(kind: str, address: DriveAddress, ctx: DeviceContext) -> str:
    """QEMU's name of a controller: that of the chipset is called `ide`, whatever alias a user gives it."""
    controller = ctx.controller(kind, address.controller)
    built_in = address.controller == 0 and (ctx.i440fx if kind == "ide" else ctx.q35)
    return "ide" if built_in else controller.name


def _fdc(address: DriveAddress, _ctx: DeviceContext) -> Props:
    return {"unit": address.unit}


def _scsi(address: DriveAddress, ctx: DeviceContext) -> Props:
    controller = ctx.controller("scsi", address.controller)
    if controller.model in _NARROW_SCSI:
        return {"bus": f"{controller.name}.{address.bus}", "scsi-id": address.unit}
    return {
        "bus": f"{controller.name}.0",
        "channel": address.bus,
        "scsi-id": address.target,
        "lun": address.unit,
    }


_DRIVE: Final[dict[str, Callable[[DriveAddress, DeviceContext], Props]]] = {
    "ide": _ide,
    "sata": _sata,
    "fdc": _fdc,
    "scsi": _scsi,
}


def drive_props(address: DriveAddress, bus: str, ctx: DeviceContext) -> Props:
    """The properties of a disk on a bus of kind `bus` (`ide`, `sata`, `fdc`, `scsi`).

    Raises `XmlError` for another kind.
    """
    try:
        form = _DRIVE[bus]
    except KeyError:
        raise XmlError(f"address type='drive' is not supported for bus '{bus}'") from None
    return form(address, ctx)
