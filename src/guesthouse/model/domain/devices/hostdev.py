"""Devices of the host that a guest has for itself: what their forms share, and the table of the forms.

    type        module            what the guest gets
    pci         hostdev_pci       the device itself, by VFIO
    mdev        hostdev_mdev      a part of a device that its driver cut off, by VFIO
    usb         hostdev_usb       the device, carried by QEMU
    scsi        hostdev_scsi      a logical unit of the host, or of an iSCSI target
    scsi_host   hostdev_vhost     all units of a target of the kernel's vhost-scsi

Source: https://libvirt.org/formatdomain.html#host-device-assignment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, unbound
from guesthouse.model.domain.devices.address import Address, DriveAddress
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext
from guesthouse.model.kinds import one_of

SUBSYSTEM: Final = one_of("subsystem")


class Hostdev(Device, ABC):
    """What all forms share. Subclasses declare `mode`, `type` and `managed` first."""

    __slots__ = ()

    ALIAS: ClassVar[str] = "hostdev"

    type: str
    managed: bool
    address: Address | None

    @property
    @abstractmethod
    def identity(self) -> tuple[object, ...]:
        """What it is on the host: two devices with the same are one."""

    @property
    def label(self) -> str:
        """How messages name it."""
        return ":".join(str(part) for part in self.identity[1:])

    def means(self, candidate: Hostdev) -> bool:
        """Whether the candidate is this device of the host, as far as this one says."""
        return type(candidate) is type(self) and candidate.identity == self.identity

    @property
    def not_found(self) -> str:
        """What is said where a guest does not have it."""
        return f"host {self.type} device {self.label} not found"

    @property
    def launch_group(self) -> str:
        """All forms go on the command line together, in the order of the document."""
        return "Hostdev"

    def needs_graphics(self) -> bool:
        """Whether it shows a picture, for which there has to be a display."""
        return False

    def has_ramfb(self) -> bool:
        """Whether it brings a frame buffer for the firmware."""
        return False


@element("hostdev", drops=("source", "@managed"))
class CapabilityHostdev(Hostdev):
    """A device node or a network card for a container: so that it is refused by name."""

    mode: str = attr(one_of("capabilities"))
    type: str = attr(one_of("storage", "misc", "net"))
    alias: Alias | None = unbound(None)
    address: Address | None = unbound(None)

    @property
    def identity(self) -> tuple[object, ...]:
        """Nothing of this host."""
        return (id(self),)

    def check(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError`: containers have such devices, virtual machines do not."""
        self.prepare(ctx)

    def prepare(self, ctx: DeviceContext) -> None:
        """As `check`, for a definition that another daemon left."""
        kind = "kvm" if ctx.accel == "kvm" else "qemu"
        raise UnsupportedConfigError(f"hostdev mode 'capabilities' is not supported in {kind}")


class OnBus(Protocol):
    """What is asked of a disk."""

    @property
    def bus(self) -> str:
        """The kind of bus that it is on."""

    @property
    def address(self) -> Address | None:
        """Its place there."""


def check_together(devices: Sequence[Hostdev], disks: Sequence[OnBus], graphics: int) -> None:
    """Raise `XmlError` or `UnsupportedConfigError` where devices of the host contradict each other or the disks."""
    identities = [device.identity for device in devices]
    if len(set(identities)) < len(identities):
        raise XmlError("Hostdev already exists in the domain configuration")
    if graphics == 0 and any(device.needs_graphics() for device in devices):
        raise UnsupportedConfigError("graphics device is needed for attribute value 'display=on' in <hostdev>")
    if sum(device.has_ramfb() for device in devices) > 1:
        raise UnsupportedConfigError("Only one vgpu device can have 'ramfb' enabled")
    used = {
        _place(disk.address): "another SCSI disk"
        for disk in disks
        if disk.bus == "scsi" and isinstance(disk.address, DriveAddress)
    }
    for device in devices:
        if device.type == "scsi" and isinstance(device.address, DriveAddress):
            place = _place(device.address)
            if place in used:
                raise UnsupportedConfigError(
                    "SCSI host address controller='{}' bus='{}' target='{}' unit='{}' in use by {}".format(
                        *place, used[place]
                    )
                )
            used[place] = "another SCSI host device"


def _place(address: DriveAddress) -> tuple[int, int, int, int]:
    return address.controller, address.bus, address.target, address.unit
