"""Disks: hard disks, CD-ROM and floppy drives, on local files and block devices.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guesthouse.errors import Code, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, flag, must, new, one, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address, DriveAddress
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.domain.devices.disk_options import BlockIo, DiskDriver, Geometry
from guesthouse.model.domain.devices.storage import (
    CACHE_MODES,
    STORAGE_TYPE,
    BackingStore,
    Layer,
    Source,
)
from guesthouse.model.domain.devices.throttling import IoTune
from guesthouse.model.kinds import ON_OFF, PROSE, integer, matching, one_of
from guesthouse.model.qemu_objects import Blockdev, Command, Json, Option, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

#: How names of targets begin, and the bus that libvirt takes them for.
_PREFIXES: Final = {"fd": "fdc", "hd": "ide", "sd": "scsi", "vd": "virtio", "xvd": "xen", "ubd": "uml"}
_BUSES: Final = ("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd")


def name_index(name: str) -> int:
    """The number of a target such as `sdb` (1) or `vdaa` (26): letters count as columns of a spreadsheet do.

    Raises `XmlError` for a name that is not a known prefix and letters.
    """
    for prefix in _PREFIXES:
        letters = name.removeprefix(prefix).rstrip("0123456789")
        if name.startswith(prefix) and letters and letters.isascii() and letters.isalpha() and letters.islower():
            number = 0
            for letter in letters:
                number = number * 26 + ord(letter) - ord("a") + 1
            return number - 1
    raise XmlError(f"Unknown disk name '{name}' and no address specified")


@element("target")
class DiskTarget:
    """What the disk is called, and the bus it is on. The name gives the order on the bus, not the guest's name."""

    dev: str = attr(matching(r"(?:fd|hd|sd|vd|xvd|ubd)[a-z]{1,4}[0-9]{0,4}", "a disk name such as vda"))
    bus: str | None = opt(one_of(*_BUSES))
    tray: str | None = opt(one_of("closed", "open"))
    removable: bool | None = opt(ON_OFF)
    rotation_rate: int | None = opt(integer(1, 65534))


@element("disk")
class Disk(Device):
    """A disk drive. Without a source it is an empty CD-ROM or floppy drive."""

    type: str = default(STORAGE_TYPE, "file")
    device: str = default(one_of("disk", "cdrom", "floppy", "lun"), "disk")
    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    snapshot: str | None = opt(one_of("no", "internal", "external", "manual"))
    driver: DiskDriver | None = one(DiskDriver)
    source: Source | None = one(Source)
    backing: BackingStore | None = one(BackingStore, live=True, keep=lambda store: not store.detected)
    geometry: Geometry | None = one(Geometry)
    blockio: BlockIo | None = one(BlockIo)
    target: DiskTarget = must(DiskTarget)
    iotune: IoTune | None = one(IoTune)
    readonly: bool = flag()
    shareable: bool = flag()
    serial: str | None = opt_leaf(PROSE)
    wwn: str | None = opt_leaf(matching(r"[0-9a-fA-F]{16}", "16 hexadecimal digits"))
    vendor: str | None = opt_leaf(matching(r"[\x20-\x7e]{0,8}", "at most 8 printable characters"))
    product: str | None = opt_leaf(matching(r"[\x20-\x7e]{0,40}", "at most 40 printable characters"))
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is of the type's form; a bus is derived from the name; a CD-ROM cannot be written."""
        if self.source is not None:
            other = self.source.dev if self.type == "file" else self.source.file
            if other is not None:
                raise XmlError(f"the <source> of a disk of type '{self.type}' has '{_PATH_OF[self.type]}'")
        if self.target.bus is None:
            self.target.bus = "fdc" if self.device == "floppy" else _bus_of(self.target.dev)
        if self.device == "cdrom":
            self.readonly = True
        if self.snapshot == "no" and self.readonly:
            self.snapshot = None
        if self.target.tray == "closed":
            self.target.tray = None

    @property
    def bus(self) -> str:
        """The bus of the target."""
        return self.target.bus or _bus_of(self.target.dev)

    @property
    def path(self) -> str | None:
        """The image's path; None for an empty drive."""
        return self.source.path if self.source is not None else None

    @property
    def removable_medium(self) -> bool:
        """Whether its medium can be changed."""
        return self.device in ("cdrom", "floppy")

    def default_alias(self, index: int, ctx: DeviceContext) -> str:
        """By its place on the bus (`sata0-0-1`), or by its name's number (`virtio-disk0`)."""
        address = self.address
        if not isinstance(address, DriveAddress):
            return f"{self.bus}-disk{name_index(self.target.dev)}"
        numbers = [address.controller, address.bus, address.unit]
        if self.bus == "scsi" and ctx.controller("scsi", address.controller).model != "lsilogic":
            numbers.insert(2, address.target)
        return self.bus + "-".join(map(str, numbers))

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio disk is a PCI device; the others sit on the bus of a controller."""
        return virtio_connection(self.model) if self.bus == "virtio" else Connection(self.bus)

    def defaults(self, ctx: DeviceContext) -> None:
        """Name the driver, and take an image whose format is not given for a raw one: nothing is guessed."""
        driver = self.driver or new(DiskDriver)
        driver.name = driver.name or "qemu"
        driver.type = driver.type or "raw"
        self.driver = driver

    def check(self, ctx: DeviceContext) -> None:
        """What the bus, the kind of drive and the options allow together."""
        if self.bus not in ("ide", "fdc", "scsi", "virtio", "usb", "sata"):
            raise UnsupportedConfigError(f"unsupported disk bus '{self.bus}'")
        if self.path is None and not self.removable_medium:
            raise XmlError(self.target.dev, code=Code.NO_SOURCE)
        self._check_device(ctx)
        self._check_identity()
        if self.driver is not None:
            self._check_driver(self.driver, ctx)

    def _check_device(self, ctx: DeviceContext) -> None:
        allowed = _DEVICE_BUSES.get(self.device)
        if allowed is not None and self.bus not in allowed:
            raise UnsupportedConfigError(f"disk device='{self.device}' is not supported for bus='{self.bus}'")
        if self.device == "disk" and self.bus == "fdc":
            raise UnsupportedConfigError(f"Invalid bus type '{self.bus}' for disk '{self.target.dev}'")
        if self.device == "lun" and self.type != "block":
            raise UnsupportedConfigError("disk device='lun' is only valid for block type disk source")
        if self.device == "floppy" and not ctx.i440fx:
            raise UnsupportedConfigError("floppy drives are not supported with this machine type", hint="use 'pc'")
        if self.model is not None and self.bus != "virtio":
            raise UnsupportedConfigError(f"disk model '{self.model}' not supported for bus '{self.bus}'")
        if self.readonly and self.device == "disk" and self.bus in ("ide", "sata"):
            raise UnsupportedConfigError(f"readonly {self.bus} disks are not supported")

    def _check_identity(self) -> None:
        identified = ("ide", "sata", "scsi")
        if self.wwn is not None and self.bus not in ("ide", "scsi", "sata"):
            raise UnsupportedConfigError("Only ide and scsi disk support wwn")
        if self.vendor is not None and self.bus != "scsi":
            raise UnsupportedConfigError("Only scsi disk supports vendor")
        if self.product is not None:
            if self.bus not in identified:
                raise UnsupportedConfigError("Only scsi and ide disks support product")
            if self.bus == "scsi" and len(self.product) > _SCSI_PRODUCT:
                raise XmlError(f"disk product is more than {_SCSI_PRODUCT} characters")
        if self.target.rotation_rate is not None and self.bus not in identified:
            raise UnsupportedConfigError("rotation rate is only valid for SCSI, IDE and SATA bus")
        if self.target.removable is not None and self.bus not in ("usb", "scsi"):
            raise UnsupportedConfigError("removable is only valid for usb or scsi disks")
        if self.serial is not None and not set(self.serial) <= _SERIAL:
            raise XmlError(f"serial '{self.serial[:64]}' contains unsafe characters")

    def _check_driver(self, driver: DiskDriver, ctx: DeviceContext) -> None:
        if driver.io == "native" and driver.cache not in ("none", "directsync"):
            raise UnsupportedConfigError(
                "native I/O needs either no disk cache or directsync cache mode, QEMU will fallback to aio=threads"
            )
        virtio = [driver.ioeventfd, driver.event_idx, driver.queues, driver.queue_size, driver.iothread]
        virtio += [driver.iommu, driver.ats, driver.packed, driver.page_per_vq]
        if self.bus != "virtio" and any(value is not None for value in virtio):
            raise UnsupportedConfigError(
                f"disk driver options of virtio are only supported with bus='virtio', not with '{self.bus}'"
            )
        if driver.iothread is not None and driver.iothread not in ctx.iothreads:
            raise UnsupportedConfigError(
                f"Disk iothread '{driver.iothread}' not defined in iothreadid", hint="see <iothreads>"
            )
        if driver.discard_no_unref and (driver.type != "qcow2" or self.readonly):
            raise UnsupportedConfigError("'discard_no_unref' is supported only for writable qcow2 images")
        if driver.copy_on_read and self.readonly:
            raise UnsupportedConfigError(f"copy_on_read is not compatible with read-only disk '{self.target.dev}'")

    def number_layers(self, first: int) -> int:
        """Give every layer of the chain a number from `first` on; the next free number is returned.

        An empty drive takes a number too: that of the medium to come.
        """
        if self.source is None or self.path is None:
            return first + 1
        self.source.index = first
        number = first + 1
        for store in self._chain():
            store.index = number
            number += 1
        return number

    def _chain(self) -> Iterator[BackingStore]:
        store = self.backing
        while store is not None and not store.end:
            yield store
            store = store.backing

    @property
    def _cache(self) -> str | None:
        """The cache mode; what several guests write to must not be cached by the host."""
        given = self.driver.cache if self.driver is not None else None
        return given or ("none" if self.shareable and not self.readonly else None)

    def layers(self) -> list[Layer]:
        """The images, the one that is written first. Empty for an empty drive."""
        driver = self.driver or new(DiskDriver)
        cache = self._cache
        if self.source is None or self.path is None:
            return []
        top = Layer(
            self.source.index or 0,
            self.type,
            self.path,
            driver.type or "raw",
            self.readonly,
            cache=cache,
            io=driver.io,
            discard=driver.discard,
            detect_zeroes=driver.detect_zeroes,
            discard_no_unref=driver.discard_no_unref,
            cdrom=self.device == "cdrom",
        )
        below = [
            Layer(
                store.index or 0,
                store.type or "file",
                (store.source.path if store.source else None) or "",
                store.format.type if store.format else "raw",
                readonly=True,
                cache=cache,
                io=driver.io,
            )
            for store in self._chain()
        ]
        return [top, *below]

    @property
    def _chain_ended(self) -> bool:
        store = self.backing
        while store is not None and not store.end:
            store = store.backing
        return store is not None

    def node(self) -> str | None:
        """The node that the drive is put on; None for an empty drive."""
        layers = self.layers()
        if not layers:
            return None
        return self._filter_node if self.driver and self.driver.copy_on_read else layers[0].node

    @property
    def _filter_node(self) -> str:
        return f"libvirt-CoR-{self.target.dev}"

    def backend(self) -> list[QemuObject]:
        """The block nodes, the deepest first."""
        layers = self.layers()
        made: list[QemuObject] = []
        for number in reversed(range(len(layers))):
            below = layers[number + 1] if number + 1 < len(layers) else None
            made.extend(layers[number].objects(below, ended=self._chain_ended))
        if layers and self.driver and self.driver.copy_on_read:
            made.append(
                Blockdev(
                    {
                        "driver": "copy-on-read",
                        "node-name": self._filter_node,
                        "file": layers[0].node,
                        "discard": "unmap",
                    }
                )
            )
        return made

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """Block nodes, then the drive. A floppy's boot index is the controller's."""
        front: list[QemuObject] = [QemuDevice(self._front_end(ctx))]
        index = self.boot_index(ctx) if self.device == "floppy" else None
        if index is not None and isinstance(self.address, DriveAddress):
            letter = "AB"[self.address.unit & 1]
            front.append(Option("-global", f"isa-fdc.bootindex{letter}={index}"))
        return self.backend() + front

    def qom_name(self) -> str:
        """What the monitor's block commands call the drive."""
        form = {
            "virtio": "/machine/peripheral/{0}/virtio-backend",
            "usb": "/machine/peripheral/{0}/{0}.0/legacy[0]",
        }.get(self.bus, "{0}")
        return form.format(self.name)

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Limit the traffic."""
        if self.iotune is None or self.path is None:
            return []
        return [Command("block_set_io_throttle", self.iotune.arguments(self.qom_name(), self.name))]

    def _front_end(self, ctx: DeviceContext) -> Props:
        props: Props = {"driver": self._qemu_driver()}
        if self.bus == "virtio":
            props |= self._virtio_options()
        return props | self.address_props(ctx) | self._identity(ctx) | self._policies()

    def _qemu_driver(self) -> str:
        if self.bus == "virtio":
            return self.virtio_driver("virtio-blk", self.model)
        if self.bus == "scsi" and self.device == "lun":
            return "scsi-block"
        name = _DRIVERS[self.bus]
        return name.removesuffix("-hd") + "-cd" if self.device == "cdrom" and name.endswith("-hd") else name

    def _virtio_options(self) -> Props:
        driver = self.driver
        if driver is None:
            return {}
        options: Props = {
            "iothread": f"iothread{driver.iothread}" if driver.iothread else None,
            "ioeventfd": driver.ioeventfd,
            "event_idx": driver.event_idx,
            "num-queues": driver.queues,
            "queue-size": driver.queue_size,
        }
        return virtio_props(driver) | without_none(options)

    def _identity(self, ctx: DeviceContext) -> Props:
        blockio = self.blockio or new(BlockIo)
        vpd = self.bus == "scsi" and self.device != "lun"
        return without_none(
            {
                "device_id": (self.serial or f"drive-{self.name}") if vpd else None,
                "share-rw": True if self.shareable else None,
                "drive": self.node(),
                "id": self.name,
                "bootindex": None if self.device == "floppy" else self.boot_index(ctx),
                "logical_block_size": blockio.logical_block_size,
                "physical_block_size": blockio.physical_block_size,
                "discard_granularity": blockio.discard_granularity,
                "wwn": int(self.wwn, 16) if self.wwn else None,
                "rotation_rate": self.target.rotation_rate,
                "vendor": self.vendor,
                "product": self.product if self.bus == "scsi" else None,
                "model": self.product if self.bus in ("ide", "sata") else None,
                "removable": self._removable(),
            }
        )

    def _removable(self) -> bool | None:
        if self.bus == "usb":
            return bool(self.target.removable)
        return self.target.removable if self.device == "disk" else None

    def _policies(self) -> Props:
        driver = self.driver or new(DiskDriver)
        write_cache: Json = None
        if self._cache is not None and self.device != "lun":
            write_cache = "on" if CACHE_MODES[self._cache][2] else "off"
        on_write: Json = driver.error_policy
        on_read: Json = driver.rerror_policy
        if on_write == "enospace":
            on_write = "enospc"
        elif on_read is None:
            on_read = on_write
        geometry = self.geometry
        return without_none(
            {
                "write-cache": write_cache,
                "cyls": geometry.cyls if geometry else None,
                "heads": geometry.heads if geometry else None,
                "secs": geometry.secs if geometry else None,
                "bios-chs-trans": geometry.trans if geometry else None,
                "serial": self.serial.replace(" ", "\\ ") if self.serial else None,
                "werror": on_write,
                "rerror": on_read,
            }
        )


def _bus_of(name: str) -> str:
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    return _PREFIXES[prefix]


_PATH_OF: Final = {"file": "file", "block": "dev"}
_DRIVERS: Final = {
    "ide": "ide-hd",
    "sata": "ide-hd",
    "scsi": "scsi-hd",
    "usb": "usb-storage",
    "fdc": "floppy",
}
_DEVICE_BUSES: Final = {"lun": ("scsi",), "floppy": ("fdc",), "cdrom": ("ide", "sata", "scsi", "usb")}
_SCSI_PRODUCT: Final = 16
_SERIAL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ .+")
