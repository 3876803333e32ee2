"""What a disk cannot be: rules that join its bus, its kind, its source and its options. Texts are libvirt's.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.domain.devices.address import DriveAddress, UsbAddress
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import nbdkit
from guesthouse.model.domain.devices.disk.chain import check_image
from guesthouse.model.domain.devices.disk.driver import DiskDriver
from guesthouse.model.domain.devices.disk.names import has_partition, name_index
from guesthouse.model.domain.devices.disk.protocols import check_login
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES
from guesthouse.model.domain.devices.disk.special_checks import check_lun, check_shared_memory, check_vhost_user
from guesthouse.model.domain.devices.iothread_mapping import check_mapping

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.device import Disk

BUSES: Final = ("ide", "fdc", "scsi", "virtio", "usb", "sata", "sd")
_ON_DRIVE_BUS: Final = ("ide", "fdc", "scsi", "sata")
_IDENTIFIED: Final = ("ide", "sata", "scsi")
_VENDOR_LENGTH: Final = 8
_SCSI_PRODUCT_LENGTH: Final = 16
_ATA_PRODUCT_LENGTH: Final = 40
_SERIAL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ .+")
#: Options of `<driver>` that only virtio disks have, and libvirt's text where another has them.
_VIRTIO_ONLY: Final = (
    ("queues", "queues attribute in disk driver element is only supported for virtio bus"),
    ("queue_size", "queue_size attribute in disk driver is only supported for virtio bus"),
    ("event_idx", "disk event_idx mode supported only for virtio bus"),
    ("ioeventfd", "disk ioeventfd mode supported only for virtio bus"),
    ("iommu", "iommu driver option is only supported for virtio devices"),
    ("ats", "ats driver option is only supported for virtio devices"),
    ("packed", "packed driver option is only supported for virtio devices"),
    ("page_per_vq", "page_per_vq option is only supported for virtio devices"),
)


def check(disk: Disk, ctx: DeviceContext) -> None:
    """Check one disk of a completed definition.

    Raises `UnsupportedConfigError` or `XmlError` (in places `InternalError`, as libvirt does) that names what is wrong.
    """
    _check_source(disk, ctx)
    _check_place(disk, ctx)
    _check_kind(disk, ctx)
    _check_identity(disk)
    if disk.device == "lun":
        check_lun(disk)
    if disk.geometry is not None:
        _check_geometry(disk)
    if disk.transient is not None:
        _check_transient(disk)
    if disk.type == "vhostuser":
        check_vhost_user(disk)
    if disk.type in ("vhostuser", "vhostvdpa"):
        check_shared_memory(disk, ctx)
    _check_throttling(disk, ctx)
    _check_driver(disk, disk.settings, ctx)


def _check_source(disk: Disk, ctx: DeviceContext) -> None:
    if disk.empty and disk.device == "disk":
        raise LibvirtError(disk.target.dev, code=Code.NO_SOURCE, domain=Origin.DOMAIN)
    source = disk.source
    settings = disk.settings
    if source is not None:
        check_image(disk.type, source, settings.type, settings.metadata_bytes is not None)
        if disk.encryption is not None:
            disk.encryption.check(settings.type, on_rbd=source.protocol == "rbd")
        if disk.auth is not None and disk.type == "network":
            check_login(source.protocol or "", disk.auth.secret.type)
        nbdkit.check(source, disk.login, ctx)
        _check_startup_policy(disk, source.startup_policy)
        if disk.type == "dir" and not disk.readonly:
            raise UnsupportedConfigError("virtual FAT storage can't be accessed in read-write mode")
    for store in disk.chain():
        store.check()
    raw = settings.type in (None, "raw") and disk.effective_encryption is None
    if disk.shareable and not disk.readonly and not raw:
        raise UnsupportedConfigError(
            f"shared access for disk '{disk.target.dev}' requires use of supported storage format"
        )


def _check_startup_policy(disk: Disk, policy: str | None) -> None:
    if policy is None:
        return
    if disk.type not in (*LOCAL_TYPES, "volume"):
        raise XmlError(f"disk startupPolicy '{policy}' is not allowed for disk of '{disk.type}' type")
    if policy == "requisite" and not disk.removable_medium:
        raise XmlError("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")


def _check_place(disk: Disk, ctx: DeviceContext) -> None:
    name = disk.target.dev
    if disk.bus not in BUSES:
        raise UnsupportedConfigError(f"unsupported disk bus '{disk.bus}'")
    name_index(name)
    if has_partition(name):
        raise UnsupportedConfigError(f"invalid disk target '{name}', partitions can't appear in disk targets")
    if disk.device in ("disk", "lun") and name.startswith("fd"):
        raise InternalError(f"Invalid harddisk device name: {name}", domain=Origin.DOMAIN)
    if disk.device == "floppy" and not name.startswith("fd"):
        raise InternalError(f"Invalid floppy device name: {name}", domain=Origin.DOMAIN)
    if disk.model is not None and disk.bus != "virtio":
        raise UnsupportedConfigError(f"disk model '{disk.model}' not supported for bus '{disk.bus}'")
    if disk.acpi is not None and disk.bus != "virtio":
        raise UnsupportedConfigError("ACPI index is only supported for PCI devices")
    if disk.bus == "usb" and disk.empty:
        raise UnsupportedConfigError("'usb' disk must not be empty")
    if disk.bus == "sd":
        ctx.need("sd-card", "bus 'sd' of disks")


def check_address(disk: Disk) -> None:
    """Raise `UnsupportedConfigError` for an address of another kind than the bus has."""
    address = disk.address
    if address is None:
        return
    if disk.bus in _ON_DRIVE_BUS and not isinstance(address, DriveAddress):
        raise UnsupportedConfigError(
            f"Invalid address type '{address.type}' for the disk '{disk.target.dev}' with the bus type '{disk.bus}'"
        )
    if disk.bus == "usb" and not isinstance(address, UsbAddress):
        raise InternalError("unexpected address type for usb disk", domain=Origin.QEMU)


def _check_kind(disk: Disk, ctx: DeviceContext) -> None:
    if disk.device == "floppy" and disk.bus != "fdc":
        raise InternalError(f"Invalid bus type '{disk.bus}' for floppy disk", domain=Origin.DOMAIN)
    if disk.device != "floppy" and disk.bus == "fdc":
        raise InternalError(f"Invalid bus type '{disk.bus}' for disk", domain=Origin.DOMAIN)
    if disk.device == "floppy" and not ctx.x86:
        raise UnsupportedConfigError("floppy drives are not supported with this machine type", hint="remove the drive")
    if disk.device == "cdrom" and disk.bus in ("virtio", "sd"):
        raise UnsupportedConfigError(f"disk type of '{disk.target.dev}' does not support ejectable media")
    if disk.target.tray is not None and not disk.removable_medium:
        raise UnsupportedConfigError("tray is only valid for cdrom and floppy")
    if disk.readonly and disk.device == "disk" and disk.bus in ("ide", "sata"):
        raise UnsupportedConfigError(f"readonly {disk.bus} disks are not supported")
    if disk.sgio == "unfiltered":
        raise UnsupportedConfigError("unfiltered sgio is no longer supported")
    if disk.device != "lun":
        if disk.source is not None and disk.source.reservations is not None:
            raise UnsupportedConfigError("<reservations/> allowed only for lun devices")
        if disk.rawio is not None:
            raise UnsupportedConfigError("rawio can be used only with device='lun'")
        if disk.sgio is not None:
            raise UnsupportedConfigError("sgio can be used only with device='lun'")


def _check_identity(disk: Disk) -> None:
    if disk.wwn is not None and disk.bus not in ("ide", "scsi"):
        raise UnsupportedConfigError("Only ide and scsi disk support wwn")
    _check_printable(disk.vendor, "vendor", _VENDOR_LENGTH)
    if disk.vendor is not None and disk.bus != "scsi":
        raise UnsupportedConfigError("Only scsi disk supports 'vendor'")
    _check_printable(disk.product, "product", _SCSI_PRODUCT_LENGTH if disk.bus == "scsi" else _ATA_PRODUCT_LENGTH)
    if disk.product is not None and disk.bus not in _IDENTIFIED:
        raise UnsupportedConfigError("Only ide, sata and scsi disk supports 'product'")
    if disk.target.rotation_rate is not None:
        if disk.bus not in _IDENTIFIED:
            raise InternalError("rotation rate is only valid for SCSI/IDE/SATA bus", domain=Origin.QEMU)
        if disk.device != "disk":
            raise InternalError("rotation rate is only valid for disk device", domain=Origin.QEMU)
    on_scsi = disk.bus == "scsi" and disk.device == "disk"
    if disk.target.removable is not None and disk.bus != "usb" and not on_scsi:
        raise XmlError("removable is only valid for usb or scsi disks")
    if disk.serial is not None:
        if disk.bus == "sd":
            raise InternalError(f"Serial property not supported for drive bus '{disk.bus}'", domain=Origin.QEMU)
        if not set(disk.serial) <= _SERIAL:
            raise InternalError(f"driver serial '{disk.serial[:64]}' contains unsafe characters", domain=Origin.QEMU)


def _check_printable(text: str | None, what: str, length: int) -> None:
    if text is None:
        return
    if not (text.isascii() and text.isprintable()):
        raise XmlError(f"disk {what} is not printable string")
    if len(text) > length:
        raise UnsupportedConfigError(f"disk {what} is more than {length} characters")


def _check_geometry(disk: Disk) -> None:
    if disk.bus in ("usb", "sd"):
        raise UnsupportedConfigError(f"CHS geometry can not be set for '{disk.bus}' bus")
    if disk.geometry is not None and disk.geometry.trans is not None and disk.bus != "ide":
        raise UnsupportedConfigError(f"CHS translation mode can only be set for 'ide' bus not '{disk.bus}'")


def _check_transient(disk: Disk) -> None:
    name = disk.target.dev
    if disk.empty:
        raise UnsupportedConfigError(f"transient disk '{name}' must not be empty")
    if disk.readonly:
        raise UnsupportedConfigError(f"transient disk '{name}' must not be read-only")
    if disk.type != "file":
        raise UnsupportedConfigError(f"transient disk supported only with 'file' type ({name})")
    if disk.device != "disk":
        raise UnsupportedConfigError(f"transient disk supported only with 'disk' device ({name})")
    shared = disk.transient is not None and disk.transient.share_backing
    if shared and disk.bus not in ("usb", "virtio", "scsi"):
        raise UnsupportedConfigError(f"disk bus '{disk.bus}' doesn't support transiend disk backing image sharing")


def _check_throttling(disk: Disk, ctx: DeviceContext) -> None:
    if disk.iotune is not None:
        disk.iotune.check()
        if disk.bus == "sd" and disk.iotune.any:
            raise UnsupportedConfigError("<iotune> is not supported with bus='sd'")
    if disk.filters is None:
        return
    if disk.iotune is not None:
        raise LibvirtError(
            f"block 'throttlefilters' can't be used together with 'iotune' for disk '{disk.target.dev}'",
            code=Code.OPERATION_UNSUPPORTED,
            domain=Origin.DOMAIN,
        )
    if disk.device == "cdrom":
        raise LibvirtError(
            "cdrom device with throttle filters isn't supported",
            code=Code.OPERATION_UNSUPPORTED,
            domain=Origin.DOMAIN,
        )
    for item in disk.filters.filters:
        if item.group not in ctx.throttle_groups:
            raise XmlError(f"throttle group '{item.group}' not found", hint="see <throttlegroups>")


def _check_driver(disk: Disk, driver: DiskDriver, ctx: DeviceContext) -> None:
    name = disk.target.dev
    if driver.name not in (None, "qemu"):
        raise UnsupportedConfigError(f"unsupported driver name '{driver.name}' for disk '{name}'")
    if disk.bus != "virtio":
        for field, text in _VIRTIO_ONLY:
            if getattr(driver, field) is not None:
                raise UnsupportedConfigError(text)
    if driver.io == "native" and driver.cache not in ("none", "directsync"):
        raise UnsupportedConfigError("io='native' needs either no disk cache or directsync cache mode")
    if driver.copy_on_read and disk.readonly:
        raise UnsupportedConfigError(f"copy_on_read is not compatible with read-only disk '{name}'")
    if driver.copy_on_read and disk.removable_medium:
        raise UnsupportedConfigError(f"copy_on_read is not supported with removable disk '{name}'")
    if driver.discard_no_unref and driver.type != "qcow2":
        raise UnsupportedConfigError("'discard_no_unref' only works with qcow2 disk format")
    if driver.discard_no_unref and disk.readonly:
        raise UnsupportedConfigError("'discard_no_unref' is not compatible with read-only disk")
    _check_iothreads(disk, driver, ctx)


def _check_iothreads(disk: Disk, driver: DiskDriver, ctx: DeviceContext) -> None:
    if driver.iothread is None and not driver.mapping:
        return
    if driver.iothread is not None and driver.mapping:
        raise XmlError("disk driver 'iothread' attribute can't be used together with 'iothreads' subelement")
    if disk.bus != "virtio":
        raise UnsupportedConfigError(f"IOThreads not available for bus {disk.bus} target {disk.target.dev}")
    check_mapping(driver.mapping, driver.queues, ctx.iothreads)
    if driver.iothread is not None and driver.iothread not in ctx.iothreads:
        raise UnsupportedConfigError(f"Disk iothread '{driver.iothread}' not defined in iothreadid")


def check_together(disks: Iterable[Disk]) -> None:
    """Raise `UnsupportedConfigError` where disks of one group of limits have different limits."""
    groups: dict[str, Disk] = {}
    for disk in disks:
        if disk.iotune is None or disk.iotune.group_name is None:
            continue
        other = groups.setdefault(disk.iotune.group_name, disk)
        if other.iotune != disk.iotune:
            raise UnsupportedConfigError(f"different iotunes for disks {other.target.dev} and {disk.target.dev}")
