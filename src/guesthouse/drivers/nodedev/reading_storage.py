"""What sysfs and udev tell of SCSI hosts, targets and units, and of disks.

Source: Documentation/ABI/testing/sysfs-block, Documentation/scsi/scsi_fc_transport.rst.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from guesthouse.drivers.nodedev.sysdevice import SysDevice
from guesthouse.host.sysfs import read_int, read_text
from guesthouse.model.binding import new
from guesthouse.model.nodedev.parts import Capability
from guesthouse.model.nodedev.storage import (
    FcHost,
    FcRemotePort,
    Removable,
    ScsiDevice,
    ScsiGeneric,
    ScsiHost,
    ScsiTarget,
    StorageDevice,
    VportOps,
)

#: Types of units by number (SPC), as far as libvirt has names for them.
_UNITS: Final = {
    0: "disk", 1: "tape", 3: "processor", 4: "worm", 5: "cdrom", 6: "scanner", 7: "mod", 8: "changer", 12: "raid",
    13: "enclosure",
}  # fmt: skip
_UNIT: Final = re.compile(r"(\d+):(\d+):(\d+):(\d+)")
#: Property of udev's to the type of the drive, where it does not tell that by itself; then by name of the node.
_MARKS: Final = {"ID_DRIVE_FLOPPY": "floppy", "ID_CDROM": "cd", "ID_DRIVE_FLASH_SD": "sd"}
_PREFIXES: Final = {"/dev/vd": "disk", "/dev/dasd": "dasd", "/dev/nvme": "disk"}
_FIXED: Final = ("disk", "sd", "dasd")


def read_scsi_host(device: SysDevice) -> Capability | None:
    """A host adapter, and whether it is one for Fibre Channel."""
    number = device.name.removeprefix("host")
    if not number.isdigit():
        return None
    classes = device.tree.sys / "class"
    unique = read_int(classes / "scsi_host" / device.name / "unique_id")
    return new(
        ScsiHost,
        host=int(number),
        unique_id=unique if unique is not None and unique >= 0 else None,
        more=_fibre_channel(classes, device.name),
    )


def _fibre_channel(classes: Path, name: str) -> list[Capability]:
    found: list[Capability] = []
    port = classes / "fc_host" / name
    if port.is_dir():
        found.append(
            new(
                FcHost,
                wwnn=_wwn(port / "node_name"),
                wwpn=_wwn(port / "port_name"),
                fabric_wwn=_wwn(port / "fabric_name"),
            )
        )
    for folder in (port, classes / "scsi_host" / name):
        if (folder / "vport_create").exists():
            most, used = read_int(folder / "max_npiv_vports"), read_int(folder / "npiv_vports_inuse")
            found.append(new(VportOps, max_vports=most, vports=used))
            break
    return found


def _wwn(path: Path) -> str | None:
    text = read_text(path)
    return text.removeprefix("0x") if text else None


def read_scsi_target(device: SysDevice) -> Capability | None:
    """A target, and the remote port that it is behind."""
    port = device.path.parent.name
    behind = device.tree.sys / "class/fc_remote_ports" / port
    name = _wwn(behind / "port_name") if behind.is_dir() else None
    return new(
        ScsiTarget,
        target=device.name,
        remote_port=new(FcRemotePort, rport=port, wwpn=name) if name is not None else None,
    )


def read_scsi_device(device: SysDevice) -> Capability | None:
    """A unit."""
    match = _UNIT.fullmatch(device.name)
    if match is None:
        return None
    host, bus, target, lun = (int(part) for part in match.groups())
    kind = device.number("type")
    return new(
        ScsiDevice, host=host, bus=bus, target=target, lun=lun, kind=_UNITS.get(kind) if kind is not None else None
    )


def read_scsi_generic(device: SysDevice) -> Capability | None:
    """The character device of a unit."""
    return new(ScsiGeneric, char=device.node) if device.node is not None else None


def read_storage(device: SysDevice) -> Capability | None:
    """A disk or a drive; None for block devices that are neither, such as loop devices."""
    node, told = device.node, device.properties
    kind = _drive_type(device)
    if node is None or kind is None:
        return None
    serial = device.text("device/uid") if kind == "dasd" else told.get("ID_SERIAL")
    if kind == "dasd" and serial is None:
        return None
    found = new(
        StorageDevice,
        block=node,
        bus=told.get("ID_BUS"),
        drive_type=kind,
        model=device.text("device/model"),
        vendor=device.text("device/vendor"),
        serial=serial,
    )
    if kind not in _FIXED and device.number("removable") == 1:
        found.more = [_medium(device, kind)]
    else:
        found.size, found.logical_block_size, found.num_blocks = _sizes(device)
    return found


def _sizes(device: SysDevice) -> tuple[int, int | None, int | None]:
    """The size in bytes, that of a block, and their number; without a medium only the size, which is 0.

    The kernel counts in units of 512 bytes, whatever the disk's own are; libvirt multiplies by these all the same.
    """
    blocks, size = device.number("size") or 0, device.number("queue/logical_block_size") or 0
    return blocks * size, *((size, blocks) if size or blocks else (None, None))


def _medium(device: SysDevice, kind: str) -> Capability:
    mark = "ID_CDROM_MEDIA" if kind == "cdrom" else "ID_FS_LABEL"
    if mark not in device.properties:
        return new(Removable, media_available=0, media_size=0)
    size, block, number = _sizes(device)
    return new(
        Removable,
        media_available=1,
        media_size=size,
        media_label=device.properties.get("ID_FS_LABEL"),
        logical_block_size=block,
        num_blocks=number,
    )


def _drive_type(device: SysDevice) -> str | None:
    node, kind = device.node or "", device.properties.get("ID_TYPE")
    if kind is None or kind == "generic":
        marks = (word for mark, word in _MARKS.items() if mark in device.properties)
        by_name = (word for prefix, word in _PREFIXES.items() if node.startswith(prefix))
        kind = next(marks, None) or next(by_name, None)
    elif kind == "disk" and node.startswith("/dev/dasd"):
        kind = "dasd"
    if kind in ("cd", "cd/dvd"):
        return "cdrom"
    return kind if kind in (*_FIXED, "floppy") else None
