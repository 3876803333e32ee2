"""Which kinds of devices can be plugged into a running guest and out of it: one row a field of `Devices`.

A kind without a row cannot. A row says what speaks against a particular device; texts and codes are libvirt's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from guesthouse.errors import (
    Code,
    LibvirtError,
    OperationFailedError,
    OperationInvalidError,
    OperationUnsupportedError,
    UnsupportedConfigError,
)
from guesthouse.model.domain import controllers
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement
from guesthouse.model.domain.device_matching import address_of, find
from guesthouse.model.domain.devices.address import DriveAddress, PciAddress
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.input import Input
from guesthouse.model.domain.devices.serial_console import Console
from guesthouse.model.domain.devices.watchdog import Watchdog

#: `check(live, element)`: raises where the device cannot come, or cannot go.
Check = Callable[[Domain, DeviceElement], None]

_PLUGGED_BUSES: Final = ("virtio", "scsi", "usb")
_PLUGGED_CONTROLLERS: Final = ("scsi", "virtio-serial")


def _anything(_live: Domain, _element: DeviceElement) -> None:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`attach` is asked before a device is completed, `wanted` before the one that goes is looked for, `detach` about
    the one that was found.
    """

    attach: Check = _anything
    wanted: Check = _anything
    detach: Check = _anything


def may_come(live: Domain, element: DeviceElement) -> None:
    """Raise where the device cannot be plugged into what runs."""
    kind = KINDS.get(element.field)
    if kind is None:
        raise OperationUnsupportedError(f"live attach of device '{element.kind}' is not supported")
    kind.attach(live, element)


def may_be_looked_for(live: Domain, element: DeviceElement) -> None:
    """Raise where no device of this kind can ever go."""
    kind = KINDS.get(element.field)
    if kind is None:
        raise OperationUnsupportedError(f"live detach of device '{element.kind}' is not supported")
    kind.wanted(live, element)


def may_go(live: Domain, element: DeviceElement) -> None:
    """Raise where a device of the guest cannot be unplugged."""
    KINDS[element.field].detach(live, element)
    _check_slot(live, element)


def _check_slot(live: Domain, element: DeviceElement) -> None:
    address = address_of(element.device)
    if not isinstance(address, PciAddress) or not address.assigned:
        return
    text = (
        f"cannot hot unplug {element.kind} device with {{}}PCI guest address: {address.domain or 0:04x}:"
        f"{address.bus or 0:02x}:{address.slot or 0:02x}.{address.function or 0}"
    )
    for other in live.devices.all():
        found = address_of(other)
        shared = isinstance(found, PciAddress) and (found.bus, found.slot) == (address.bus, address.slot)
        if shared and isinstance(found, PciAddress) and (found.function or 0) != (address.function or 0):
            raise OperationFailedError(text.format("multifunction "))
    controller = controllers.find(live.devices, "pci", address.bus or 0)
    if controller is None:
        raise OperationFailedError(f"{text.format('')} - controller not found")
    if controller.target is not None and controller.target.hotplug is False:
        raise OperationFailedError(f"{text.format('')} - not allowed by controller")


def new_disc(live: Domain, element: DeviceElement) -> Disk | None:
    """The drive with another disc, where attaching it means only that: there is one with this target."""
    disk = element.device
    if not isinstance(disk, Disk) or not disk.removable_medium:
        return None
    return disk if any(other.target.dev == disk.target.dev for other in live.devices.disks) else None


def _disk_comes(_live: Domain, element: DeviceElement) -> None:
    disk = cast(Disk, element.device)
    if disk.device == "floppy":
        raise OperationUnsupportedError("floppy device hotplug isn't supported")
    if disk.bus not in _PLUGGED_BUSES:
        raise OperationUnsupportedError(f"disk bus '{disk.bus}' cannot be hotplugged.")
    if disk.bus == "usb" and disk.device == "lun":
        raise UnsupportedConfigError("disk device='lun' is not supported for usb bus")
    if disk.bus == "virtio" and disk.device == "cdrom":
        raise OperationUnsupportedError("cdrom device with virtio bus isn't supported")


def _disk_goes(_live: Domain, element: DeviceElement) -> None:
    disk = cast(Disk, element.device)
    if disk.device in ("disk", "lun"):
        if disk.bus not in _PLUGGED_BUSES:
            raise OperationUnsupportedError("This type of disk cannot be hot unplugged")
    elif disk.device == "floppy" or disk.bus not in ("usb", "scsi"):
        raise OperationUnsupportedError(f"disk device type '{disk.device}' cannot be detached")


def _controller_comes(live: Domain, element: DeviceElement) -> None:
    controller = cast(Controller, element.device)
    if controller.type not in _PLUGGED_CONTROLLERS:
        raise OperationUnsupportedError(f"'{controller.type}' controller cannot be hot plugged.")
    if controller.index is not None and controllers.find(live.devices, controller.type, controller.index) is not None:
        raise OperationFailedError(f"target {controller.type}:{controller.index} already exists")


def _controller_wanted(_live: Domain, element: DeviceElement) -> None:
    controller = cast(Controller, element.device)
    if controller.type != "scsi":
        raise OperationUnsupportedError(f"'{controller.type}' controller cannot be hot unplugged.")


def _controller_goes(live: Domain, element: DeviceElement) -> None:
    controller = cast(Controller, element.device)
    others = [device for device in live.devices.all() if isinstance(address_of(device), DriveAddress)]
    for other in others:
        address = cast(DriveAddress, address_of(other))
        bus = getattr(other, "bus", controller.type)
        if bus == controller.type and address.controller == controller.index:
            raise OperationFailedError("device cannot be detached: device is busy")


def _input_comes(_live: Domain, element: DeviceElement) -> None:
    device = cast(Input, element.device)
    if device.type != "evdev" and device.bus not in (None, "usb", "virtio"):
        raise OperationUnsupportedError(f"input device on bus '{device.bus}' cannot be hot plugged.")


def _input_goes(_live: Domain, element: DeviceElement) -> None:
    device = cast(Input, element.device)
    if device.type != "evdev" and device.bus not in ("usb", "virtio"):
        raise OperationUnsupportedError(f"input device on bus '{device.bus}' cannot be detached")


def _watchdog_comes(_live: Domain, element: DeviceElement) -> None:
    model = cast(Watchdog, element.device).model
    if model != "i6300esb":
        raise OperationUnsupportedError(f"hotplug of watchdog model '{model}' is not supported")


def _watchdog_goes(_live: Domain, element: DeviceElement) -> None:
    model = cast(Watchdog, element.device).model
    if model != "i6300esb":
        raise OperationUnsupportedError(f"hot unplug of watchdog of model {model} is not supported")


def _character_comes(live: Domain, element: DeviceElement) -> None:
    if isinstance(element.device, Console) and element.device.is_serial:
        raise OperationUnsupportedError("attaching serial console is not supported")
    try:
        find(live, element, live=True)
    except LibvirtError as error:
        if error.code != Code.DEVICE_MISSING:
            raise
        return
    raise OperationInvalidError("chardev already exists")


def _character_goes(_live: Domain, element: DeviceElement) -> None:
    if isinstance(element.device, Console) and element.device.is_serial:
        raise OperationUnsupportedError("detaching of <console/> is unsupported. Try corresponding <serial/> instead")


def _filesystem(_live: Domain, element: DeviceElement) -> None:
    driver = getattr(element.device, "driver", None)
    if getattr(driver, "type", None) != "virtiofs":
        raise OperationUnsupportedError("only virtiofs filesystems can be hotplugged")


def _host_device(text: str) -> Check:
    def check(_live: Domain, element: DeviceElement) -> None:
        mode = getattr(element.device, "mode", "subsystem")
        if mode != "subsystem":
            raise UnsupportedConfigError(text.format(mode))

    return check


def _vsock_comes(live: Domain, _element: DeviceElement) -> None:
    if live.devices.of("vsock"):
        raise OperationUnsupportedError("the domain already has a vsock device")


_CHARACTER: Final = Kind(_character_comes, detach=_character_goes)
KINDS: Final[dict[str, Kind]] = {
    "disks": Kind(_disk_comes, detach=_disk_goes),
    "controllers": Kind(_controller_comes, _controller_wanted, _controller_goes),
    "interfaces": Kind(),
    "serials": _CHARACTER,
    "parallels": _CHARACTER,
    "consoles": _CHARACTER,
    "channels": _CHARACTER,
    "inputs": Kind(_input_comes, detach=_input_goes),
    "watchdogs": Kind(_watchdog_comes, detach=_watchdog_goes),
    "rngs": Kind(),
    "filesystems": Kind(_filesystem, detach=_filesystem),
    "hostdevs": Kind(
        _host_device("hotplug is not supported for hostdev mode '{}'"),
        _host_device("hot unplug is not supported for hostdev mode '{}'"),
    ),
    "redirdevs": Kind(),
    "shmems": Kind(),
    "memories": Kind(),
    "vsock": Kind(_vsock_comes),
}
