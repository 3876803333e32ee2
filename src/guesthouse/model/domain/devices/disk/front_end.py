"""The drive that the guest sees: QEMU's device and its properties.

Source: QEMU's `hw/block`, `hw/scsi` and `hw/ide` devices, as `-device DRIVER,help` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.model.binding import new
from guesthouse.model.domain.devices.base import DeviceContext, virtio_props
from guesthouse.model.domain.devices.disk.driver import CACHE_MODES, BlockIo, DiskDriver
from guesthouse.model.domain.devices.disk.names import name_index
from guesthouse.model.domain.devices.iothread_mapping import mapping_props
from guesthouse.model.qemu_objects import Chardev, Json, Option, Props, QemuObject, quoted, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.device import Disk

_DRIVERS: Final = {
    "ide": "ide-hd",
    "sata": "ide-hd",
    "scsi": "scsi-hd",
    "usb": "usb-storage",
    "fdc": "floppy",
}
_PAIRED: Final = "ide-hd", "scsi-hd"


def objects(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    """The drive."""
    return [QemuDevice(_props(disk, ctx))]


def _props(disk: Disk, ctx: DeviceContext) -> Props:
    props: Props = {"driver": _qemu_driver(disk)}
    if disk.bus == "virtio":
        props |= _virtio_options(disk.settings)
    return props | disk.address_props(ctx) | _identity(disk, ctx) | _policies(disk)


def _qemu_driver(disk: Disk) -> str:
    if disk.bus == "virtio":
        return disk.virtio_driver("virtio-blk", disk.model)
    if disk.bus == "scsi" and disk.device == "lun":
        return "scsi-block"
    name = _DRIVERS[disk.bus]
    return name.removesuffix("-hd") + "-cd" if disk.device == "cdrom" and name in _PAIRED else name


def _virtio_options(driver: DiskDriver) -> Props:
    options: Props = {
        "iothread": f"iothread{driver.iothread}" if driver.iothread else None,
        "ioeventfd": driver.ioeventfd,
        "event_idx": driver.event_idx,
        "num-queues": driver.queues,
        "queue-size": driver.queue_size,
    }
    return virtio_props(driver) | without_none(options) | mapping_props(driver.mapping)


def _identity(disk: Disk, ctx: DeviceContext) -> Props:
    blockio = disk.blockio or new(BlockIo)
    vpd = disk.bus == "scsi" and disk.device != "lun"
    vhost_user = disk.type == "vhostuser"
    return without_none(
        {
            "device_id": (disk.serial or f"drive-{disk.name}") if vpd else None,
            "share-rw": True if disk.shareable else None,
            "drive": disk.node(),
            "chardev": _chardev(disk) if vhost_user else None,
            "id": disk.name,
            **({} if disk.device == "floppy" else disk.boot_props(ctx)),
            "logical_block_size": blockio.logical_block_size,
            "physical_block_size": blockio.physical_block_size,
            "discard_granularity": blockio.discard_granularity,
            "wwn": int(disk.wwn, 16) if disk.wwn else None,
            "rotation_rate": disk.target.rotation_rate,
            "vendor": disk.vendor,
            "product": disk.product if disk.bus == "scsi" else None,
            "model": disk.product if disk.bus in ("ide", "sata") else None,
            "removable": _removable(disk),
        }
    )


def _removable(disk: Disk) -> bool | None:
    if disk.bus == "usb":
        return bool(disk.target.removable)
    return disk.target.removable if disk.device == "disk" else None


def _policies(disk: Disk) -> Props:
    driver = disk.settings
    write_cache: Json = None
    cache = disk.cache
    if cache is not None and disk.device != "lun":
        write_cache = "on" if CACHE_MODES[cache][2] else "off"
    on_write: Json = driver.error_policy
    on_read: Json = driver.rerror_policy
    if on_write == "enospace":
        on_write = "enospc"
    elif on_read is None:
        on_read = on_write
    geometry = disk.geometry
    return without_none(
        {
            "write-cache": write_cache,
            "cyls": geometry.cyls or None if geometry else None,
            "heads": geometry.heads or None if geometry else None,
            "secs": geometry.secs or None if geometry else None,
            "bios-chs-trans": geometry.trans if geometry else None,
            "serial": disk.serial.replace(" ", "\\ ") if disk.serial else None,
            "werror": on_write,
            "rerror": on_read,
        }
    )


def _chardev(disk: Disk) -> str:
    return f"chr-vu-{disk.name}"


def vhost_user_objects(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    """The line to the program that serves the disk, and the drive."""
    source = disk.source
    props: Props = {"path": source.socket_path if source is not None else None}
    if source is not None and source.reconnect is not None and source.reconnect.enabled:
        props["reconnect-ms"] = (source.reconnect.timeout or 0) * 1000
    front: Props = {"driver": disk.virtio_driver("vhost-user-blk", disk.model)}
    front |= _virtio_options(disk.settings) | disk.address_props(ctx) | _identity(disk, ctx)
    return [Chardev(_chardev(disk), "socket", props), QemuDevice(front)]


def _flat(name: str, value: Json) -> list[str]:
    """A property with everything that is in it, as `key=value` words with dots."""
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in _flat(f"{name}.{key}", inner)]
    if isinstance(value, list):
        return [word for place, inner in enumerate(value) for word in _flat(f"{name}.{place}", inner)]
    if isinstance(value, bool):
        return [f"{name}={'on' if value else 'off'}"]
    return [f"{name}={quoted(str(value))}"]


def sd_objects(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    """A card in the slot of a board: QEMU has no other form for it than `-drive`."""
    layers = disk.layers()
    words = [f"file={quoted(disk.path)}"] if disk.path is not None else []
    if layers and disk.path is None:
        words += _flat("file", layers[0].remote(ctx))
    words += [f"format={disk.settings.type or 'raw'}", "if=sd", f"index={name_index(disk.target.dev)}"]
    return [Option("-drive", ",".join(words))]
