"""What sysfs tells of the computer, graphics nodes, mediated devices, vDPA devices and those of mainframes.

Source: Documentation/ABI/testing of the kernel: sysfs-class-dmi, vfio-mediated-device, sysfs-bus-vdpa, sysfs-bus-css.
"""

from __future__ import annotations

import os
import re
from typing import Final

from guesthouse.drivers.nodedev.reading_pci import read_mdev_types
from guesthouse.drivers.nodedev.sysdevice import SysDevice, link_name
from guesthouse.host.sysfs import HostTree, read_text
from guesthouse.model.binding import new
from guesthouse.model.nodedev.misc import DrmDevice, Firmware, Hardware, Mdev, System, VdpaDevice
from guesthouse.model.nodedev.parts import Capability, MdevTypes
from guesthouse.model.nodedev.s390 import ApCard, ApMatrix, ApQueue, CcwDevice, ChannelAddress, CssDevice

_NO_UUID: Final = "00000000-0000-0000-0000-000000000000"
_CHANNEL: Final = re.compile(r"([0-9a-f]{1,2})\.([0-3])\.([0-9a-f]{4})")
_QUEUE: Final = re.compile(r"([0-9a-f]{2})\.([0-9a-f]{4})")
#: Kind of a graphics node by the upper bits of its minor number.
_DRM: Final = ("primary", "control", "render")


def read_computer(tree: HostTree, uuid: str) -> System:
    """The computer, with what its firmware says of it; `uuid` is the host's."""
    folder = tree.sys / "devices/virtual/dmi/id"

    def told(name: str) -> str | None:
        return read_text(folder / name) or None

    return new(
        System,
        product=told("product_name"),
        hardware=Hardware(
            vendor=told("sys_vendor"),
            version=told("product_version"),
            serial=told("product_serial"),
            uuid=uuid if uuid and folder.is_dir() else _NO_UUID,
        ),
        firmware=Firmware(vendor=told("bios_vendor"), version=told("bios_version"), release_date=told("bios_date")),
    )


def read_drm(device: SysDevice) -> Capability | None:
    """A graphics node."""
    minor = device.property_number("MINOR")
    if minor is None or minor >> 6 >= len(_DRM):
        return None
    return new(DrmDevice, kind=_DRM[minor >> 6])


def read_mdev(device: SysDevice) -> Capability | None:
    """A mediated device; its parent is the device whose directory it is in."""
    type_id, group = link_name(device.path / "mdev_type"), link_name(device.path / "iommu_group")
    if type_id is None or group is None or not group.isdigit():
        return None
    return new(Mdev, type_id=type_id, uuid=device.name, parent_address=device.path.parent.name, iommu_group=int(group))


def read_mdev_parent(device: SysDevice) -> Capability | None:
    """A device of the kernel's sample driver, which is nothing but a parent of mediated devices."""
    types = read_mdev_types(device.path)
    return new(MdevTypes, types=types) if types else None


def read_vdpa(device: SysDevice) -> Capability | None:
    """A vDPA device that guests can have."""
    try:
        names = [name for name in os.listdir(device.path) if name.startswith("vhost-vdpa")]
    except OSError:
        return None
    return new(VdpaDevice, chardev=f"/dev/{min(names)}") if names else None


def read_ccw(device: SysDevice) -> Capability | None:
    """A channel device."""
    address = _channel(device.name)
    if address is None:
        return None
    cssid, ssid, devno = address
    return new(
        CcwDevice, state="online" if device.number("online") == 1 else "offline", cssid=cssid, ssid=ssid, devno=devno
    )


def read_css(device: SysDevice) -> Capability | None:
    """A subchannel for input and output; others are left out."""
    address = _channel(device.name)
    if address is None or device.driver not in ("io_subchannel", "vfio_ccw"):
        return None
    cssid, ssid, devno = address
    behind, types = _channel(device.text("dev_busid") or ""), read_mdev_types(device.path)
    return new(
        CssDevice,
        cssid=cssid,
        ssid=ssid,
        devno=devno,
        channel=ChannelAddress(cssid=behind[0], ssid=behind[1], devno=behind[2]) if behind is not None else None,
        mdev_types=new(MdevTypes, types=types) if types else None,
    )


def read_ap_card(device: SysDevice) -> Capability | None:
    """A crypto adapter."""
    number = device.name.removeprefix("card")
    return new(ApCard, adapter=int(number, 16)) if re.fullmatch("[0-9a-f]{2}", number) else None


def read_ap_queue(device: SysDevice) -> Capability | None:
    """A queue of a crypto adapter."""
    match = _QUEUE.fullmatch(device.name)
    return new(ApQueue, adapter=int(match[1], 16), domain=int(match[2], 16)) if match is not None else None


def read_ap_matrix(device: SysDevice) -> Capability | None:
    """The device from which mediated crypto devices are made."""
    types = read_mdev_types(device.path)
    return new(ApMatrix, mdev_types=new(MdevTypes, types=types) if types else None)


def _channel(text: str) -> tuple[int, int, int] | None:
    match = _CHANNEL.fullmatch(text)
    return (int(match[1], 16), int(match[2], 16), int(match[3], 16)) if match is not None else None
