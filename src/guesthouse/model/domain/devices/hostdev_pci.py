"""PCI devices of the host, assigned by VFIO.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError
from guesthouse.model.binding import attr, default, element, must, one, opt
from guesthouse.model.domain.devices.address import Address, PciAddress, UnassignedAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    PCIE,
    AcpiIndex,
    Alias,
    BootOrder,
    Connection,
    DeviceContext,
    Rom,
    address_slot,
    alias_slot,
    refusing,
)
from guesthouse.model.domain.devices.hostdev import SUBSYSTEM, Hostdev
from guesthouse.model.kinds import ON_OFF, TEXT, YES_NO, hexadecimal, matching, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

_NAMES: Final = refusing(
    ("vfio",),
    {
        "kvm": "host does not support legacy PCI passthrough",
        "xen": "PCI device assignment by 'xen' is not supported with QEMU",
    },
)


@element("driver")
class HostDriver:
    """Which driver of the host holds the device while the guest has it: `model` names a kernel module."""

    name: str | None = opt(_NAMES)
    model: str | None = opt(matching(r"[A-Za-z0-9_\-]{1,64}", "the name of a kernel module"))


@element("address", drops=("@type",))
class HostPciAddress:
    """Where the device is on the host."""

    domain: int = default(hexadecimal(4, 2**32 - 1), 0)
    bus: int = default(hexadecimal(2, 0xFF), 0)
    slot: int = default(hexadecimal(2, 0x1F), 0)
    function: int = default(hexadecimal(1, 7), 0)

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@element("source")
class HostPciSource:
    """The device on the host. `taken` says, while the guest runs, that its own driver is to have it again."""

    write_filtering: bool | None = opt(YES_NO, "writeFiltering")
    taken: bool | None = opt(YES_NO, status=True)
    address: HostPciAddress = must(HostPciAddress)


@element("teaming")
class HostTeaming:
    """The virtio card that takes over while this device is away."""

    type: str | None = opt(one_of("persistent", "transient"))
    persistent: str | None = opt(TEXT)


@element("hostdev")
class PciHostdev(Hostdev):
    """A PCI device. With `managed` it is taken from its driver when the guest starts, and given back afterwards."""

    mode: str = default(SUBSYSTEM, "subsystem")
    type: str = attr(one_of("pci"))
    managed: bool = default(YES_NO, False)
    display: bool | None = opt(ON_OFF)
    ramfb: bool | None = opt(ON_OFF)
    driver: HostDriver | None = one(HostDriver)
    source: HostPciSource = must(HostPciSource)
    teaming: HostTeaming | None = one(HostTeaming)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    rom: Rom | None = one(Rom)
    acpi: AcpiIndex | None = one(AcpiIndex)
    address: Address | None = address_slot()

    @property
    def identity(self) -> tuple[object, ...]:
        """Its address."""
        return ("pci", str(self.source.address))

    @property
    def label(self) -> str:
        """Its address."""
        return str(self.source.address)

    @property
    def assigned(self) -> bool:
        """Whether the guest sees it: an unassigned one is only taken from the host."""
        return not isinstance(self.address, UnassignedAddress)

    def connection(self, ctx: DeviceContext) -> Connection:
        """A slot of its own kind."""
        if not self.assigned:
            return NOWHERE
        return PCIE if ctx.parts.is_express(str(self.source.address)) else PCI

    def check_address(self, ctx: DeviceContext) -> None:
        """A PCI address, or none on purpose."""
        if isinstance(self.address, PciAddress):
            Hostdev.check_address(self, ctx)
        elif self.address is not None and not isinstance(self.address, UnassignedAddress):
            raise InternalError("PCI host devices must use 'pci' or 'unassigned' address type", domain=Origin.DOMAIN)

    def check(self, ctx: DeviceContext) -> None:
        """QEMU can do what is asked."""
        if not ctx.qemu.has_device("vfio-pci"):
            raise UnsupportedConfigError("VFIO PCI device assignment is not supported by this version of qemu")
        if self.source.write_filtering is not None:
            raise UnsupportedConfigError("Write filtering of PCI device configuration space is not supported by qemu")
        if self.ramfb and not self.display:
            raise UnsupportedConfigError("ramfb of a PCI host device requires display='on'")
        if self.teaming is not None:
            if self.teaming.type != "transient":
                raise UnsupportedConfigError("teaming hostdev devices must have type='transient'")
            if self.teaming.persistent is None:
                raise UnsupportedConfigError("missing required persistent attribute in hostdev teaming element")

    def needs_graphics(self) -> bool:
        """With `display` it does."""
        return self.display is True

    def has_ramfb(self) -> bool:
        """If it is switched on."""
        return self.ramfb is True

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device, unless the guest is not to see it."""
        if not self.assigned:
            return []
        props: Props = without_none(
            {
                "driver": "vfio-pci-nohotplug" if self.ramfb else "vfio-pci",
                "host": str(self.source.address),
                "id": self.name,
                "bootindex": self.boot_index(ctx),
                "failover_pair_id": self.teaming.persistent if self.teaming is not None else None,
                "display": None if self.display is None else "on" if self.display else "off",
                "ramfb": self.ramfb or None,
            }
        )
        props |= self.address_props(ctx)
        return [QemuDevice(props | (self.rom.props() if self.rom is not None else {}))]
