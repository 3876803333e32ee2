"""What of a device may not change while a guest runs: fields that are compared, and libvirt's texts for them.

A field is a path of names from the device on. What the new device does not say is as it was, unless the row is strict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from guesthouse.errors import Code, LibvirtError, OperationUnsupportedError, Origin, UnsupportedConfigError
from guesthouse.model.domain.device_matching import address_of, at_address
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.disk import Disk

#: Path of a field of a disk, its name in the message, and whether leaving it out is a change.
_DISK: Final[tuple[tuple[str, str, bool], ...]] = (
    ("device", "device", True),
    ("target.bus", "bus", True),
    ("target.dev", "target", True),
    ("target.tray", "tray", False),
    ("target.removable", "removable", False),
    ("geometry.cyls", "geometry cylinders", False),
    ("geometry.heads", "geometry heads", False),
    ("geometry.secs", "geometry sectors", False),
    ("geometry.trans", "BIOS-translation-modus", False),
    ("blockio.logical_block_size", "blockio logical_block_size", True),
    ("blockio.physical_block_size", "blockio physical_block_size", True),
    ("blockio.discard_granularity", "blockio discard_granularity", True),
    *(
        (f"iotune.{name}", f"blkdeviotune {name}", False)
        for name in (
            "total_bytes_sec",
            "read_bytes_sec",
            "write_bytes_sec",
            "total_iops_sec",
            "read_iops_sec",
            "write_iops_sec",
            "total_bytes_sec_max",
            "read_bytes_sec_max",
            "write_bytes_sec_max",
            "total_iops_sec_max",
            "read_iops_sec_max",
            "write_iops_sec_max",
            "size_iops_sec",
        )
    ),
    ("iotune.group_name", "blkdeviotune group name", False),
    ("serial", "serial", False),
    ("wwn", "wwn", False),
    ("vendor", "vendor", False),
    ("product", "product", False),
    ("driver.cache", "cache", False),
    ("driver.error_policy", "error_policy", False),
    ("driver.rerror_policy", "rerror_policy", False),
    ("driver.io", "io", False),
    ("driver.ioeventfd", "ioeventfd", False),
    ("driver.event_idx", "event_idx", False),
    ("driver.copy_on_read", "copy_on_read", False),
    ("driver.discard_no_unref", "discard_no_unref", False),
    ("transient", "transient", False),
    ("boot.order", "boot order", False),
    ("rawio", "rawio", False),
    ("sgio", "sgio", False),
    ("driver.discard", "discard", False),
    ("driver.iothread", "iothread", False),
    ("backend_domain", "backenddomain", False),
    ("readonly", "readonly", False),
    ("shareable", "shared", False),
)

#: Path of a field of an interface, and what is said where it differs.
_INTERFACE: Final[tuple[tuple[str, str], ...]] = (
    ("script", "cannot modify network device script attribute"),
    ("rom.bar", "cannot modify network device rom bar setting"),
    ("rom.file", "cannot modify network rom file"),
    ("boot.order", "cannot modify network device boot index setting"),
    ("rom.enabled", "cannot modify network device rom enabled setting"),
    ("mtu", "cannot modify MTU"),
    ("backend", "cannot modify network device backend settings"),
)

_OPTIONS: Final = ("iommu", "ats", "packed", "page_per_vq")


def value(item: object, path: str) -> object:
    """What a path leads to; None where something on the way is missing."""
    for name in path.split("."):
        if item is None:
            return None
        item = getattr(item, name, None)
    return item


def check_common(old: Device, new: Device) -> None:
    """Raise where an update would give a running device another alias or another index of ACPI's."""
    if old.alias is not None and new.alias is not None and old.alias.name != new.alias.name:
        raise _denied("changing device alias is not allowed")
    if value(old, "acpi.index") != value(new, "acpi.index"):
        raise _denied("changing device 'acpi index' is not allowed")


def _denied(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.OPERATION_DENIED, domain=Origin.DOMAIN)


def check_disk(old: Disk, new: Disk) -> None:
    """Raise `OperationUnsupportedError` for what of a disk cannot change while the guest runs."""
    for path, name, strict in _DISK:
        wanted = value(new, path)
        if (strict or wanted not in (None, False)) and wanted != value(old, path):
            raise OperationUnsupportedError(f"cannot modify field '{name}' of the disk")
    if not at_address(new, old):
        raise OperationUnsupportedError("cannot modify field 'address' of the disk")


def check_interface(old: Device, new: Device) -> None:
    """Raise `OperationUnsupportedError` for what of an interface cannot change while the guest runs."""
    before, after = value(old, "mac.address"), value(new, "mac.address")
    if after is not None and before != after:
        raise OperationUnsupportedError(f"cannot change network interface mac address from {before} to {after}")
    if value(old, "model") != value(new, "model"):
        raise OperationUnsupportedError(
            f"cannot modify network device model from {value(old, 'model')} to {value(new, 'model')}"
        )
    _check_driver(value(old, "driver"), value(new, "driver"))
    for path, text in _INTERFACE:
        if value(old, path) != value(new, path):
            raise OperationUnsupportedError(text)
    if not at_address(new, old):
        raise OperationUnsupportedError("cannot modify network device guest PCI address")
    if address_of(new) is not None and type(address_of(new)) is not type(address_of(old)):
        raise OperationUnsupportedError("cannot modify network device address type")


def _check_driver(old: object, new: object) -> None:
    for name in _names(old, new):
        if name not in _OPTIONS and value(old, name) != value(new, name):
            raise OperationUnsupportedError("cannot modify virtio network device driver attributes")
    for name in _OPTIONS:
        if value(old, name) != value(new, name):
            raise OperationUnsupportedError("cannot modify virtio network device driver options")


def _names(*items: object) -> Iterable[str]:
    return sorted({name for item in items if item is not None for name in getattr(type(item), "__slots__", ())})


#: Path of a field of a memory device, and what is said where it differs.
_MEMORY: Final[tuple[tuple[str, str], ...]] = (
    ("model", "cannot modify memory model from '{}' to '{}'"),
    ("access", "cannot modify memory access from '{}' to '{}'"),
    ("discard", "cannot modify memory discard from '{}' to '{}'"),
    ("source.nodemask", "cannot modify memory source nodes"),
    ("source.pagesize.kib", "cannot modify memory pagesize from '{}' to '{}'"),
    ("target.node", "cannot modify memory targetNode from '{}' to '{}'"),
    ("target.size.kib", "cannot modify memory size from '{}' to '{}'"),
    ("target.block.kib", "cannot modify memory block size from '{}' to '{}'"),
)


def check_memory(old: Device, new: Device) -> None:
    """Raise `UnsupportedConfigError` for all of a memory device that is not its requested size."""
    model = value(old, "model")
    if model != "virtio-mem":
        raise UnsupportedConfigError(f"cannot modify memory of model '{model}'")
    for path, text in _MEMORY:
        before, after = value(old, path), value(new, path)
        if before != after:
            raise UnsupportedConfigError(text.format(before, after))
