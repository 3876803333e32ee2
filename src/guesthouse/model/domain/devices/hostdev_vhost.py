"""All logical units of a SCSI target that the host's kernel carries (vhost-scsi).

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, default, element, must, one, opt
from guesthouse.model.domain.devices.address import Address, CcwAddress, PciAddress
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
    virtio_connection,
)
from guesthouse.model.domain.devices.hostdev import SUBSYSTEM, Hostdev
from guesthouse.model.kinds import YES_NO, matching, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject

#: The kernel's device.
DEVICE = "/dev/vhost-scsi"


@element("source")
class VhostScsiSource:
    """The target, by its name in the host's configfs."""

    protocol: str = attr(one_of("vhost"))
    wwpn: str = attr(matching(r"naa\.[0-9a-fA-F]{16}", "'naa.' and 16 hexadecimal digits"))


@element("hostdev")
class VhostScsiHostdev(Hostdev):
    """A SCSI controller of the guest whose units are those of a target of the host."""

    mode: str = default(SUBSYSTEM, "subsystem")
    type: str = attr(one_of("scsi_host"))
    managed: bool = default(YES_NO, False)
    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    source: VhostScsiSource = must(VhostScsiSource)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def identity(self) -> tuple[object, ...]:
        """The target's name."""
        return ("scsi_host", self.source.wwpn)

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device."""
        return virtio_connection(self.model)

    def check_address(self, ctx: DeviceContext) -> None:
        """A PCI or a CCW address, in libvirt's words."""
        if self.address is not None and not isinstance(self.address, (PciAddress, CcwAddress)):
            raise UnsupportedConfigError("SCSI_host host device must use 'pci' or 'ccw' address type")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the device; firmware cannot boot from it."""
        if self.boot is not None:
            raise UnsupportedConfigError("booting from assigned devices is not supported by vhost SCSI devices")
        if not (ctx.qemu.has_device("vhost-scsi-pci") or ctx.qemu.has_device("vhost-scsi-ccw")):
            raise UnsupportedConfigError("This QEMU doesn't support vhost-scsi devices")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The controller."""
        props: Props = {"driver": self.virtio_driver("vhost-scsi", self.model), "wwpn": self.source.wwpn}
        descriptor = ctx.parts.open_vhost(DEVICE)
        if descriptor is not None:
            props["vhostfd"] = str(descriptor)
        props["id"] = self.name
        return [QemuDevice(props | self.address_props(ctx))]
