"""All devices of the host that libvirt knows a kind for, read from sysfs in one go.

Names and parents are libvirt's: subsystem, name in sysfs and for some kinds what tells them apart, with everything
but letters and digits replaced; the parent is the next device above in sysfs, and else the computer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.drivers.nodedev import reading_misc as misc
from guesthouse.drivers.nodedev import reading_storage as storage
from guesthouse.drivers.nodedev import reading_usb as usb
from guesthouse.drivers.nodedev.reading_net import read_net
from guesthouse.drivers.nodedev.reading_pci import read_pci
from guesthouse.drivers.nodedev.sysdevice import SysDevice, read_device
from guesthouse.host.sysfs import HostTree
from guesthouse.model.binding import new
from guesthouse.model.nodedev.device import DeviceDriver, DeviceNode, NodeDevice, Parent
from guesthouse.model.nodedev.misc import Mdev
from guesthouse.model.nodedev.net import NetDevice
from guesthouse.model.nodedev.parts import Capability
from guesthouse.model.nodedev.storage import StorageDevice

COMPUTER: Final = "computer"

Reader = Callable[[SysDevice], Capability | None]

#: Where devices of these kinds are listed.
_FOLDERS: Final = (
    "bus/pci/devices", "bus/usb/devices", "bus/scsi/devices", "bus/mdev/devices", "bus/vdpa/devices",
    "bus/ccw/devices", "bus/css/devices", "bus/ap/devices", "class/net", "class/block", "class/scsi_generic",
    "class/drm", "class/mtty", "bus/matrix/devices",
)  # fmt: skip

#: How a device is read, by the type that it says it has, and for those that say none by their subsystem.
_TYPES: Final[dict[str, Reader]] = {
    "usb_device": usb.read_usb_device, "usb_interface": usb.read_usb_interface, "scsi_host": storage.read_scsi_host,
    "scsi_target": storage.read_scsi_target, "scsi_device": storage.read_scsi_device, "disk": storage.read_storage,
    "wlan": read_net, "drm_minor": misc.read_drm, "ap_card": misc.read_ap_card, "ap_queue": misc.read_ap_queue,
}  # fmt: skip
_SUBSYSTEMS: Final[dict[str, Reader]] = {
    "pci": read_pci, "net": read_net, "scsi_generic": storage.read_scsi_generic, "mdev": misc.read_mdev,
    "ccw": misc.read_ccw, "css": misc.read_css, "vdpa": misc.read_vdpa, "matrix": misc.read_ap_matrix,
    "mtty": misc.read_mdev_parent,
}  # fmt: skip

_UNNAMABLE: Final = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class Found:
    """A device, and its directory; the computer has none."""

    definition: NodeDevice
    path: Path | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name

    @property
    def parent(self) -> str | None:
        """The name of the device that it is on."""
        return self.definition.parent.name if self.definition.parent is not None else None


def scan(tree: HostTree, uuid: str) -> dict[str, Found]:
    """The devices by name; `uuid` is the host's. What goes while it is read is left out."""
    computer = new(NodeDevice, name=COMPUTER, capabilities=[misc.read_computer(tree, uuid)])
    devices: list[tuple[SysDevice, NodeDevice]] = []
    names: dict[Path, str] = {}
    for path in sorted(set(_paths(tree))):
        read = _define(path, tree)
        if read is not None:
            devices.append(read)
            names[path] = read[1].name
    found = {COMPUTER: Found(computer, None)}
    for device, definition in devices:
        above = (names[folder] for folder in device.path.parents if folder in names)
        definition.parent = new(Parent, name=next(above, COMPUTER))
        found[definition.name] = Found(definition, device.path)
    return found


def again(known: Found, tree: HostTree) -> Found:
    """The same device as it is now; as it was, where it has just gone."""
    read = _define(known.path, tree) if known.path is not None else None
    if read is None:
        return known
    definition = read[1]
    definition.parent = known.definition.parent
    return Found(definition, known.path)


def _define(path: Path, tree: HostTree) -> tuple[SysDevice, NodeDevice] | None:
    device = read_device(path, tree)
    capability = _read(device) if device is not None else None
    if device is None or capability is None:
        return None
    driver = device.driver
    return device, new(
        NodeDevice,
        name=_name(device, capability),
        path=device.sysfs_path,
        nodes=_nodes(device),
        driver=DeviceDriver(name=driver) if driver is not None else None,
        capabilities=[capability],
    )


def _paths(tree: HostTree) -> Iterator[Path]:
    root = os.path.realpath(tree.sys)
    for folder in _FOLDERS:
        try:
            entries = os.listdir(tree.sys / folder)
        except OSError:
            continue
        for entry in entries:
            path = os.path.realpath(tree.sys / folder / entry)
            if path.startswith(f"{root}/devices/"):
                yield tree.sys / os.path.relpath(path, root)


def _read(device: SysDevice) -> Capability | None:
    kind = device.properties.get("DEVTYPE")
    # Bridges, tunnels and partitions say a type that has no kind here; libvirt leaves them out too.
    reader = _TYPES.get(kind) if kind is not None else _SUBSYSTEMS.get(device.subsystem)
    return reader(device) if reader is not None else None


def _nodes(device: SysDevice) -> list[DeviceNode]:
    found = [DeviceNode(type="dev", path=device.node)] if device.node is not None else []
    return found + [DeviceNode(type="link", path=link) for link in device.links]


def _name(device: SysDevice, capability: Capability) -> str:
    if device.subsystem == "matrix":
        return "ap_matrix"
    distinction = None
    if isinstance(capability, NetDevice):
        distinction = capability.address
    elif isinstance(capability, StorageDevice):
        distinction = capability.serial
    elif isinstance(capability, Mdev):
        distinction = capability.parent_address
    parts = (device.subsystem, device.name) if distinction is None else (device.subsystem, device.name, distinction)
    return _UNNAMABLE.sub("_", "_".join(parts))
