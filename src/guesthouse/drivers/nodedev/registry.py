"""Finding devices by what they are: names of capabilities, filters of lists, names of Fibre Channel adapters.

Source: https://libvirt.org/html/libvirt-libvirt-nodedev.html#virConnectListAllNodeDeviceFlags
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from guesthouse.drivers.nodedev.scan import COMPUTER, Found
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.nodedev.parts import MdevTypes
from guesthouse.model.nodedev.pci import PciDevice
from guesthouse.model.nodedev.s390 import ApMatrix, CssDevice
from guesthouse.model.nodedev.storage import FcHost, ScsiHost

#: Names of capabilities in the order of their bits in `virConnectListAllNodeDeviceFlags`.
CAPABILITIES: Final = (
    "system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "fc_host", "vports",
    "scsi_generic", "drm", "mdev_types", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd",
    "ccwgroup", "ccwgroup_member",
)  # fmt: skip
PERSISTENT, TRANSIENT, INACTIVE, ACTIVE = 1 << 28, 1 << 29, 1 << 30, 1 << 31
KNOWN_FILTERS: Final = (1 << len(CAPABILITIES)) - 1 | PERSISTENT | TRANSIENT | INACTIVE | ACTIVE

_MORE: Final = {"vport_ops": "vports", "fc_host": "fc_host", "mdev_types": "mdev_types", "vpd": "vpd"}


def with_name(devices: dict[str, Found], name: str) -> Found:
    """The device of this name. Raises a `LibvirtError` (53)."""
    found = devices.get(name)
    if found is None:
        raise LibvirtError(
            f"no node device with matching name '{name}'", code=Code.NO_NODE_DEVICE, domain=Origin.NODEDEV
        )
    return found


def is_persistent(device: Found) -> bool:
    """Whether the device is there whatever happens; that is the computer alone."""
    return device.name == COMPUTER


def capabilities(device: Found) -> list[str]:
    """The names of what the device is and can do."""
    found: list[str] = []
    for capability in device.definition.capabilities:
        found.append(capability.type)
        if isinstance(capability, (PciDevice, ScsiHost)):
            found += [_MORE[more.type] for more in capability.more if more.type in _MORE]
        elif isinstance(capability, (CssDevice, ApMatrix)) and isinstance(capability.mdev_types, MdevTypes):
            found.append("mdev_types")
    return found


def chosen(devices: Iterable[Found], flags: int) -> list[Found]:
    """The devices that pass a filter: of each group of bits at least one fits, or none is set."""
    wanted = {name for bit, name in enumerate(CAPABILITIES) if flags & 1 << bit}
    if flags & INACTIVE and not flags & ACTIVE:
        return []
    kinds = flags & (PERSISTENT | TRANSIENT)
    return [
        device
        for device in devices
        if (not wanted or wanted.intersection(capabilities(device)))
        and (not kinds or kinds & (PERSISTENT if is_persistent(device) else TRANSIENT))
    ]


def scsi_host(devices: Iterable[Found], wwnn: str, wwpn: str) -> Found | None:
    """The host adapter with these names."""
    for device in devices:
        for capability in device.definition.capabilities:
            ports = capability.more if isinstance(capability, ScsiHost) else []
            if any(isinstance(port, FcHost) and (port.wwnn, port.wwpn) == (wwnn, wwpn) for port in ports):
                return device
    return None
