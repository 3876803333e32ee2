"""Devices that a guest has although its definition does not name them, as libvirt adds them."""

from __future__ import annotations

from guesthouse.errors import XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain import controllers, default_audio
from guesthouse.model.domain.addresses import ccid, drive, hostdev_units, virtio_serial
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.input import Input
from guesthouse.model.domain.devices.iommu import INTEL, Iommu
from guesthouse.model.domain.devices.memballoon import Memballoon
from guesthouse.model.domain.devices.panic import Panic
from guesthouse.model.domain.devices.video import Video
from guesthouse.model.domain.devices.watchdog import Watchdog
from guesthouse.model.domain.features import Features, Ioapic
from guesthouse.model.domain.machines import Q35, WITHOUT_IOMMU, MachineFamily


def add_machine_devices(domain: Domain, ctx: DeviceContext, family: MachineFamily) -> None:
    """What belongs to every guest on this kind of machine.

    Raises `XmlError` where PCI bus 0 is given as something that the machine does not have.
    """
    devices = domain.devices
    ps2 = domain.features.ps2 if domain.features is not None else None
    if family.ps2 and ps2 is not False:
        for kind in ("mouse", "keyboard"):
            if not any(item.type == kind and item.bus in (None, "ps2") for item in devices.inputs):
                devices.inputs.append(new(Input, type=kind, bus="ps2"))
    if controllers.find(devices, "usb", 0) is None:
        model = next((model for device, model in family.usb if ctx.qemu.has_device(device)), None)
        if model is not None:
            controllers.ensure(devices, "usb", 0, model)
    if family.sata:
        controllers.ensure(devices, "sata", 0)
    root = controllers.find(devices, "pci", 0) if family.root else None
    if root is None and family.root:
        controllers.ensure(devices, "pci", 0, family.root)
    elif root is not None and root.model != family.root:
        raise XmlError(
            f"The PCI controller with index='0' must be model='{family.root}' for this machine type, but model="
            f"'{root.model}' was found instead"
        )
    if family.balloon and devices.memballoon is None:
        devices.memballoon = new(Memballoon, model="virtio")
    if family.panic and not any(item.model in (None, family.panic) for item in devices.panics):
        devices.panics.append(new(Panic, model=family.panic))
    _add_iommu(domain, family)
    if family.watchdog and not any(item.model == family.watchdog for item in devices.watchdogs):
        action = devices.watchdogs[0].action if devices.watchdogs else "reset"
        devices.watchdogs.append(new(Watchdog, model=family.watchdog, action=action))
    default_audio.add(devices, ctx.settings)


def _add_iommu(domain: Domain, family: MachineFamily) -> None:
    """More than 255 processors need an IOMMU with wide interrupt destinations, and that a split interrupt controller.

    A unit that the document has is completed; a Q35 guest that has none gets one.
    """
    devices = domain.devices
    if domain.vcpu.maximum > WITHOUT_IOMMU and family is Q35:
        if devices.iommu is None:
            devices.iommu = new(Iommu, model=INTEL)
        devices.iommu.serve_many_processors()
    if devices.iommu is not None and devices.iommu.remaps_interrupts:
        domain.features = domain.features or new(Features)
        domain.features.ioapic = domain.features.ioapic or new(Ioapic, driver="qemu")


def add_dependent_devices(domain: Domain, ctx: DeviceContext) -> None:
    """What follows from other devices: consoles, controllers, a graphics card."""
    domain.devices.settle_consoles()
    domain.devices.settle_displays()
    drive.add_controllers(domain)
    hostdev_units.add_controllers(domain)
    virtio_serial.add_controllers(domain, ctx)
    ccid.assign(domain)
    if domain.devices.graphics and not domain.devices.videos:
        domain.devices.videos.append(new(Video))
