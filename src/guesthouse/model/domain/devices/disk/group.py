"""What the disks of a guest have in common on QEMU's command line: throttle groups, the program that reserves SCSI
devices, and the controller of floppy drives.
"""

from __future__ import annotations

from collections.abc import Sequence

from guesthouse.errors import LibvirtError
from guesthouse.model.domain.devices.address import DriveAddress
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.device import Disk
from guesthouse.model.domain.devices.disk.nodes import PR_HELPER, pr_socket
from guesthouse.model.domain.devices.throttling import ThrottleGroups
from guesthouse.model.domain.devices.volumes import VolumeLookup
from guesthouse.model.qemu_objects import Object, Option, Props, QemuObject, compact


def with_volumes(disks: Sequence[Disk], lookup: VolumeLookup) -> list[Disk]:
    """Find out where the volumes of the disks are. One that may be missing, and is, leaves an empty drive, or none.

    Raises what the lookup raises.
    """
    kept: list[Disk] = []
    for disk in disks:
        try:
            disk.resolve(lookup)
        except LibvirtError:
            if not disk.may_be_missing:
                raise
            if not disk.empty_out():
                continue
        kept.append(disk)
    return kept


def reservation_manager(guest_dir: str) -> Object:
    """QEMU's line to the program that reserves SCSI devices for the guest."""
    return Object({"qom-type": "pr-manager-helper", "id": PR_HELPER, "path": pr_socket(guest_dir)})


def managers(disks: Sequence[Disk], guest_dir: str) -> list[QemuObject]:
    """That line, if a disk needs it. It comes before all disks."""
    return [reservation_manager(guest_dir)] if any(disk.reserves for disk in disks) else []


def throttle_groups(section: ThrottleGroups | None) -> list[QemuObject]:
    """The groups of limits. They come before all disks."""
    return [made for group in (section.groups if section is not None else []) for made in group.objects()]


def floppy_controller(disks: Sequence[Disk], ctx: DeviceContext) -> list[QemuObject]:
    """The controller of floppy drives where the board has none, and the boot indexes, which belong to it."""
    floppies = [disk for disk in disks if disk.bus == "fdc"]
    indexes: Props = {}
    for disk in sorted(floppies, key=lambda disk: disk.target.dev):
        index = disk.boot_index(ctx)
        if index is not None and isinstance(disk.address, DriveAddress):
            indexes[f"bootindex{'AB'[disk.address.unit & 1]}"] = index
    if floppies and not ctx.i440fx:
        controller: Props = {"driver": "isa-fdc", **indexes}
        return [Option("-device", compact(controller))]
    return [Option("-global", f"isa-fdc.{name}={index}") for name, index in indexes.items()]
