"""Putting a device into a guest, on paper: into its definition, or into what runs.

Into a definition, everything is completed as if the device had been there from the start. Into what runs, nothing of
the guest may move: the device gets the next alias and a free place in a slot that can be plugged, and the only thing
that may come along is a controller that can be plugged itself.

The rules are libvirt's (https://libvirt.org/pci-hotplug.html).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from guesthouse.errors import InternalError, OperationInvalidError, UnsupportedConfigError, XmlError
from guesthouse.model.binding import clone, new
from guesthouse.model.domain import controllers
from guesthouse.model.domain.addresses import drive, hostdev_units, pci, usb, virtio_serial, virtio_transport, zpci
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.context import definition_context
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement
from guesthouse.model.domain.devices import Devices, memory_slots
from guesthouse.model.domain.devices.address import DriveAddress
from guesthouse.model.domain.devices.base import Alias, BootOrder, Device, DeviceContext
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.disk import Disk, name_index
from guesthouse.model.domain.devices.interface import Interface, Mac
from guesthouse.model.domain.devices.memory import MemoryDevice
from guesthouse.model.domain.devices.serial import Serial, SerialTarget
from guesthouse.model.domain.devices.serial_console import Console
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.machines import CCW, family_of
from guesthouse.model.qemu_capabilities import QemuCapabilities

#: Kinds of controllers that may be added to a running guest because a device needs them.
_PLUGGABLE_CONTROLLERS: Final = ("scsi", "virtio-serial")


@dataclass(frozen=True, slots=True)
class Plugged:
    """A guest as it will be: `domain` is a copy of what runs, with `device` and the `controllers` that it brings."""

    domain: Domain
    device: Device
    controllers: tuple[Controller, ...]

    @property
    def added(self) -> tuple[Device, ...]:
        """All that is new, in the order in which QEMU has to get it."""
        return *self.controllers, self.device


def insert(domain: Domain, field: str, device: Device) -> None:
    """Put a device into its field of `domain.devices`, where libvirt puts it.

    Raises `OperationInvalidError` where there can be only one and is one.
    """
    devices = domain.devices
    held = getattr(devices, field)
    if isinstance(device, Disk):
        _insert_disk(devices.disks, device)
    elif isinstance(device, Controller):
        if device.index is None:
            device.index = controllers.unused_index(devices, device.type)
        controllers.insert(devices.controllers, device)
    elif isinstance(held, list):
        if isinstance(device, Serial):
            _insert_serial(devices, device)
        else:
            if isinstance(device, Console) and device.target is not None:
                device.target.port = device.target.port or 0  # libvirt counts them when the guest starts
            held.append(device)
    elif held is not None:
        raise OperationInvalidError(f"domain already has {_ARTICLES.get(field, f'a {field}')} device")
    else:
        setattr(devices, field, device)


def _insert_serial(devices: Devices, serial: Serial) -> None:
    """Behind the others, with the next number; the first one gets a console as its other name."""
    serial.target = serial.target or new(SerialTarget)
    if serial.target.port is None:
        serial.target.port = max((item.target.port or 0 for item in devices.serials if item.target), default=-1) + 1
    if not devices.serials and not devices.consoles:
        devices.consoles.append(new(Console))
    devices.serials.append(serial)
    devices.mirror_console()


def remove(domain: Domain, field: str, device: Device) -> None:
    """Take a device out of its field; the very object, not one that is alike. Does nothing where it is not there."""
    held = getattr(domain.devices, field)
    if isinstance(held, list):
        held[:] = [other for other in held if other is not device]
    elif held is device:
        setattr(domain.devices, field, None)


def _insert_disk(disks: list[Disk], disk: Disk) -> None:
    """Behind those of its bus with a lower name, or at the end where the bus has none."""
    number = name_index(disk.target.dev)
    alike = [place for place, other in enumerate(disks) if other.bus == disk.bus]
    later = next((place for place in alike if name_index(disks[place].target.dev) > number), None)
    disks.insert(later if later is not None else alike[-1] + 1 if alike else len(disks), disk)


def resize(domain: Domain, device: Device, sign: int) -> None:
    """Count a memory device that comes (`sign` 1) or goes (-1) to the guest's memory."""
    if isinstance(device, MemoryDevice):
        domain.memory.kib += sign * device.kib
        if domain.current_memory is not None:
            domain.current_memory.kib += sign * device.kib


def plug_into_definition(
    definition: Domain, wanted: DeviceElement, qemu: QemuCapabilities, defaults: Defaults
) -> Domain:
    """A copy of `definition` with the device, completed and checked. Raises what `complete` raises."""
    domain = copy(definition)
    device = clone(wanted.device)
    check_alone(domain, device, qemu, defaults)
    check_new(domain, device, live=False)
    insert(domain, wanted.field, device)
    resize(domain, device, 1)
    complete(domain, qemu, defaults=defaults)
    domain.devices.mirror_console()
    return domain


def plug_into_guest(live: Domain, wanted: DeviceElement, qemu: QemuCapabilities, defaults: Defaults) -> Plugged:
    """What runs, with the device in it: completed, checked, with an alias and an address. `live` stays as it is.

    Raises `XmlError`, `UnsupportedConfigError`, `OperationInvalidError` and `InternalError` with libvirt's texts.
    """
    domain = copy(live)
    device = clone(wanted.device)
    before = {id(controller) for controller in domain.devices.controllers}
    hubs = len(domain.devices.hubs)
    check_new(domain, device, live=True)
    if isinstance(device, MemoryDevice):
        device.align()
    insert(domain, wanted.field, device)
    resize(domain, device, 1)
    ctx = definition_context(domain, qemu, defaults)
    device.defaults(ctx)
    memory_slots.assign_slots(domain.devices.memories, ctx.memory)
    if isinstance(device, Interface) and device.mac is None:
        device.mac = new(Mac, address=new_mac(defaults))
    _place_on_bus(domain, device, ctx)
    added = [item for item in domain.devices.controllers if id(item) not in before and item is not device]
    _check_controllers(domain, device, added)
    ctx = definition_context(domain, qemu, defaults)
    for controller in added:
        controller.defaults(ctx)
    _place_in_slot(domain, (*added, device), ctx)
    if device.connection(ctx).bus == "usb":
        usb.assign(domain, ctx)
        if len(domain.devices.hubs) != hubs:
            raise InternalError("No free USB ports", hint="plug a hub in first")
    ctx = definition_context(domain, qemu, defaults)
    for item in (*added, device):
        _name(domain, item, ctx)
        item.check_address(ctx)
        item.check(ctx)
    domain.devices.check_together()
    return Plugged(domain, device, tuple(added))


def check_alone(domain: Domain, device: Device, qemu: QemuCapabilities, defaults: Defaults) -> None:
    """Raise what speaks against the device whatever guest it is for, as libvirt does when it reads it.

    Nothing of `device` changes.
    """
    trial = clone(device)
    ctx = definition_context(domain, qemu, defaults)
    trial.defaults(ctx)
    trial.check_address(ctx)
    if not isinstance(trial, Controller):
        trial.check(ctx)


def new_mac(defaults: Defaults) -> str:
    """A MAC address that is nobody's yet, as far as chance goes."""
    return ":".join([defaults.mac_prefix, *(f"{byte:02x}" for byte in os.urandom(3))])


def check_new(domain: Domain, device: Device, *, live: bool) -> None:
    """Whether a device can come at all: its alias, its place in the boot order, its bus and its name are free.

    Raises `UnsupportedConfigError`, `OperationInvalidError`, and `XmlError` for a disk's name in a running guest.
    """
    if device.alias is not None:
        taken = {other.alias.name for other in domain.devices.all() if other.alias is not None}
        if device.alias.name in taken:
            raise UnsupportedConfigError(f"non unique alias detected: {device.alias.name}")
    check_boot_order(domain, device, None)
    check_usb(domain, device)
    if isinstance(device, Disk):
        _check_disk(domain, device, live=live)
    elif isinstance(device, MemoryDevice):
        _check_memory(domain, device)
    elif isinstance(device, Controller) and not live:
        _check_index(domain, device)


def _check_index(domain: Domain, device: Controller) -> None:
    if device.index is not None and controllers.find(domain.devices, device.type, device.index) is not None:
        raise OperationInvalidError(f"controller index='{device.index}' already exists")


def _check_memory(domain: Domain, device: MemoryDevice) -> None:
    most = domain.max_memory.kib if domain.max_memory is not None else 0
    if not most:
        raise UnsupportedConfigError("cannot use/hotplug a memory device when domain 'maxMemory' is not defined")
    if domain.memory.kib + device.kib > most:
        raise UnsupportedConfigError(
            f"Attaching memory device with size '{device.kib}' would exceed domain's maxMemory config size '{most}'"
        )


def check_usb(domain: Domain, device: Device) -> None:
    """Raise `UnsupportedConfigError` for a USB device where the guest has no USB."""
    bus = getattr(device, "bus", None) or getattr(getattr(device, "target", None), "bus", None)
    has_usb = any(item.type == "usb" and item.model != "none" for item in domain.devices.controllers)
    if bus == "usb" and not has_usb:
        raise UnsupportedConfigError("Device configuration is not compatible: Domain has no USB bus support")


def check_boot_order(domain: Domain, device: Device, replaced: Device | None) -> None:
    """Raise `UnsupportedConfigError` where the device wants a place in the boot order that it cannot have."""
    boot = boot_of(device)
    if boot is None:
        return
    if domain.os.boot:
        raise UnsupportedConfigError("per-device boot elements cannot be used together with os/boot elements")
    for other in domain.devices.all():
        held = boot_of(other)
        if other is not replaced and held is not None and held.order == boot.order:
            raise UnsupportedConfigError(f"boot order {boot.order} is already used by another device")


def boot_of(device: Device) -> BootOrder | None:
    """The device's place in the boot order, if its kind can have one and it has."""
    return cast(BootOrder | None, getattr(device, "boot", None))


def _check_disk(domain: Domain, disk: Disk, *, live: bool) -> None:
    for other in domain.devices.disks:
        if other.target.dev == disk.target.dev:
            if not live:
                raise OperationInvalidError(f"target {disk.target.dev} already exists")
            raise XmlError(
                f"target '{disk.target.dev}' duplicated for disk sources '{other.path or '(null)'}' and "
                f"'{disk.path or '(null)'}'"
            )
    address = disk.address
    if disk.bus == "scsi" and isinstance(address, DriveAddress) and address in _scsi_addresses(domain):
        raise OperationInvalidError("Domain already contains a disk with that address")


def _scsi_addresses(domain: Domain) -> Iterator[DriveAddress]:
    for other in domain.devices.disks:
        if other.bus == "scsi" and isinstance(other.address, DriveAddress):
            yield other.address


def _place_on_bus(domain: Domain, device: Device, ctx: DeviceContext) -> None:
    """Addresses that are no PCI ones, and the controllers that they name."""
    bus = device.connection(ctx).bus
    if isinstance(device, Disk) and bus in drive.PLACES:
        if device.address is None:
            controller, number, unit = drive.PLACES[bus](name_index(device.target.dev))
            device.address = new(DriveAddress, controller=controller, bus=number, unit=unit)
        others = [other for other in domain.devices.disks if other is not device]
        if bus == "scsi" and any(other.bus == bus and other.address == device.address for other in others):
            raise OperationInvalidError("Domain already contains a disk with that address")
        drive.assign(domain)
        drive.add_controllers(domain)
    elif bus == "scsi":
        hostdev_units.assign(domain)
        hostdev_units.add_controllers(domain)
    elif bus == "virtio-serial":
        virtio_serial.add_controllers(domain, ctx)
        virtio_serial.assign(domain, ctx)


def _place_in_slot(domain: Domain, added: tuple[Device, ...], ctx: DeviceContext) -> None:
    """Numbers in the channel subsystem, and addresses on PCI for what has none."""
    family = family_of(domain.os.arch, domain.os.machine)
    if family.transport == CCW:
        virtio_transport.assign(domain, ctx, family)
    if family.root:
        pci.plug(domain, ctx, family, added)
    if family.transport == CCW and ctx.qemu.has_device("zpci"):
        zpci.assign(domain)


def _check_controllers(domain: Domain, device: Device, added: list[Controller]) -> None:
    """A controller that comes along can be plugged itself, and is like those that are there."""
    for controller in added:
        if controller.type not in _PLUGGABLE_CONTROLLERS:
            raise UnsupportedConfigError(f"'{controller.type}' controller cannot be hot plugged.")
        alike = [item for item in domain.devices.controllers if item.type == controller.type and item not in added]
        if controller.type == "scsi" and alike:
            controller.model = alike[-1].model


def _name(domain: Domain, device: Device, ctx: DeviceContext) -> None:
    """Give an alias with the number after the highest that devices with such aliases have."""
    if device.alias is None:
        first = device.default_alias(0, ctx)
        number = 0
        if first and device.default_alias(1, ctx) != first:
            prefix = first.removesuffix("0")
            # Of all devices: a card of the host counts among the other devices of the host, in another field.
            names = [other.alias.name for other in domain.devices.all() if other.alias is not None]
            numbers = [int(rest) for name in names if (rest := name.removeprefix(prefix)) != name and rest.isdecimal()]
            number = max(numbers, default=-1) + 1
        named = device.default_alias(number, ctx)
        if named:
            device.alias = new(Alias, name=named)  # type: ignore[misc] # the slot is the subclass's
    name = device.alias.name if device.alias is not None else None
    if name and any(
        other.alias is not None and other.alias.name == name for other in domain.devices.all() if other is not device
    ):
        raise UnsupportedConfigError(f"non unique alias detected: {name}")


#: Fields that hold one device, to how libvirt speaks of it.
_ARTICLES: Final = {"vsock": "a vsock", "iommu": "an iommu"}
