"""What disks cannot be that are not QEMU's own: SCSI devices of the host, and those that vhost serves.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.devices.base import DeviceContext

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.device import Disk

#: What a disk that another program serves over a socket cannot have: fields of the disk, and of its driver.
_NOT_VHOST_USER: Final = (
    ("iotune", "iotune"), ("backing", "backingStore"), ("encryption", "encryption"), ("readonly", "readonly"),
    ("shareable", "shareable"), ("transient", "transient"), ("serial", "serial"), ("wwn", "wwn"), ("vendor", "vendor"),
    ("product", "product"), ("auth", "auth"), ("geometry", "geometry"), ("blockio", "blockio"),
    ("filters", "throttlefilters"),
)  # fmt: skip
_NOT_VHOST_USER_DRIVER: Final = (
    ("cache", "cache"), ("error_policy", "error_policy"), ("rerror_policy", "error_policy"), ("io", "io"),
    ("ioeventfd", "ioeventfd"), ("copy_on_read", "copy_on_read"), ("discard", "discard"), ("iothread", "iothread"),
    ("iothreads", "iothread"), ("detect_zeroes", "detect_zeroes"), ("metadata_cache", "metadata_cache"),
)  # fmt: skip


def check_lun(disk: Disk) -> None:
    """Raise `UnsupportedConfigError` for what a SCSI device of the host cannot be, or be told."""
    source = disk.source
    if disk.type == "network" and source is not None:
        if source.protocol != "iscsi":
            raise UnsupportedConfigError(f"disk device='lun' is not supported for protocol='{source.protocol}'")
        if source.reservations is not None:
            raise UnsupportedConfigError("<reservations/> allowed only for lun devices of the host")
    elif disk.type not in ("block", "volume"):
        raise UnsupportedConfigError("disk device='lun' is only valid for block type disk source")
    if disk.settings.type not in (None, "raw"):
        raise UnsupportedConfigError("disk device 'lun' must use 'raw' format")
    if source is not None and source.slice is not None:
        raise UnsupportedConfigError("disk device 'lun' doesn't support storage slice")
    if disk.effective_encryption is not None:
        raise UnsupportedConfigError("disk device 'lun' doesn't support encryption")
    if disk.bus == "virtio":
        raise UnsupportedConfigError("This QEMU doesn't support SCSI emulation with 'virtio-blk' device")
    if disk.bus != "scsi":
        raise UnsupportedConfigError(f"disk device='lun' is not supported for bus='{disk.bus}'")
    if disk.settings.copy_on_read:
        raise UnsupportedConfigError(f"copy_on_read is not compatible with 'lun' disk '{disk.target.dev}'")
    if disk.wwn is not None:
        raise UnsupportedConfigError("Setting wwn is not supported for lun device")
    if disk.vendor is not None or disk.product is not None:
        raise UnsupportedConfigError("Setting vendor or product is not supported for lun device")
    if disk.serial is not None:
        raise UnsupportedConfigError("scsi-block 'lun' devices do not support the serial property")


def check_vhost_user(disk: Disk) -> None:
    """Raise `UnsupportedConfigError` for what only QEMU could do for a disk that another program serves."""
    if disk.bus != "virtio":
        raise UnsupportedConfigError("vhostuser disk supports only virtio bus")
    if disk.snapshot != "no":
        raise UnsupportedConfigError("only snapshot=no is supported with vhostuser disk")
    for name, word in _NOT_VHOST_USER_DRIVER:
        if getattr(disk.settings, name) is not None:
            raise UnsupportedConfigError(f"{word} is not supported with vhostuser disk")
    for name, word in _NOT_VHOST_USER:
        if getattr(disk, name):
            raise UnsupportedConfigError(f"{word} is not supported with vhostuser disk")


def check_shared_memory(disk: Disk, ctx: DeviceContext) -> None:
    """Raise `UnsupportedConfigError` where a disk outside QEMU cannot get at the memory of the guest."""
    if not ctx.shared_memory:
        raise UnsupportedConfigError(f"'{disk.type}' requires shared memory")
    if disk.type == "vhostvdpa" and disk.settings.cache not in ("none", "directsync"):
        raise UnsupportedConfigError(f"disk type '{disk.type}' requires cache mode 'directsync' or 'none'")
