"""Disks: hard disks, CD-ROM and floppy drives, and SCSI devices of the host.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import default, element, flag, must, new, one, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address, DriveAddress
from guesthouse.model.domain.devices.base import (
    AcpiIndex,
    Alias,
    BootOrder,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    virtio_connection,
)
from guesthouse.model.domain.devices.disk import checks, front_end, images
from guesthouse.model.domain.devices.disk.chain import BackingStore, Mirror
from guesthouse.model.domain.devices.disk.driver import BlockIo, DiskDriver, Geometry
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.devices.disk.names import bus_of, name_index
from guesthouse.model.domain.devices.disk.nodes import PR_HELPER, Image, pr_socket
from guesthouse.model.domain.devices.disk.parts import DiskTarget, ThrottleFilters, Transient
from guesthouse.model.domain.devices.disk.source import STORAGE_TYPE, PlainSource, Source
from guesthouse.model.domain.devices.throttling import IoTune
from guesthouse.model.domain.devices.volumes import VolumeLookup
from guesthouse.model.domain.secrets import Auth
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import PROSE, TEXT, YES_NO, matching, one_of
from guesthouse.model.qemu_objects import Command, QemuObject

_WWN: Final = matching(r"(0x)?[0-9a-fA-F]{16}", "16 hexadecimal digits")


@element("disk")
class Disk(Device):
    """A disk drive. Without a source it is an empty drive.

    `auth` and `encryption` stand here or in the source; `login` and `effective_encryption` tell of both places.
    """

    type: str = default(STORAGE_TYPE, "file")
    device: str = default(one_of("disk", "cdrom", "floppy", "lun"), "disk")
    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    rawio: bool | None = opt(YES_NO)
    sgio: str | None = opt(one_of("filtered", "unfiltered"))
    snapshot: str | None = opt(one_of("no", "internal", "external", "manual"))
    driver: DiskDriver | None = one(DiskDriver)
    auth: Auth | None = one(Auth)
    source: Source | None = one(Source)
    backing: BackingStore | None = one(BackingStore, live=True, keep=lambda store: not store.detected)
    geometry: Geometry | None = one(Geometry)
    blockio: BlockIo | None = one(BlockIo)
    mirror: Mirror | None = one(Mirror, live=True)
    target: DiskTarget = must(DiskTarget)
    iotune: IoTune | None = one(IoTune)
    filters: ThrottleFilters | None = one(ThrottleFilters)
    readonly: bool = flag()
    shareable: bool = flag()
    transient: Transient | None = one(Transient)
    serial: str | None = opt_leaf(PROSE)
    wwn: str | None = opt_leaf(_WWN)
    vendor: str | None = opt_leaf(TEXT)
    product: str | None = opt_leaf(TEXT)
    encryption: Encryption | None = one(Encryption)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    acpi: AcpiIndex | None = one(AcpiIndex)
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The source is of the type's form; a bus is derived from the name; a CD-ROM cannot be written."""
        if self.source is None:
            self.type = "file"
        else:
            self.source.settle(self.type)
            for name in ("auth", "encryption"):
                if getattr(self, name) is not None and getattr(self.source, name) is not None:
                    raise UnsupportedConfigError(f"an <{name}> definition already found for disk source")
        target = self.target
        if target.bus is None:
            target.bus = "fdc" if self.device == "floppy" else bus_of(target.dev)
        if self.device == "cdrom":
            self.readonly = True
        if self.snapshot is None and self.type == "vhostuser":
            self.snapshot = "no"
        if self.snapshot == "no" and self.readonly:
            self.snapshot = None
        if target.tray == "closed":
            target.tray = None
        target.rotation_rate = target.rotation_rate or None

    @property
    def bus(self) -> str:
        """The bus of the target."""
        return self.target.bus or bus_of(self.target.dev)

    @property
    def settings(self) -> DiskDriver:
        """The driver, or one that says nothing."""
        return self.driver or new(DiskDriver)

    @property
    def actual(self) -> tuple[str, PlainSource] | None:
        """The type and the source of the image, those of a volume where it really is; None for an empty drive."""
        source = self.source
        if source is None or source.empty(self.type):
            return None
        if source.resolved is not None and source.resolved_type is not None:
            return source.resolved_type, source.resolved
        return self.type, source

    @property
    def path(self) -> str | None:
        """The path of a local image; None for an empty drive, and for what is elsewhere."""
        found = self.actual
        return found[1].path if found is not None else None

    @property
    def empty(self) -> bool:
        """Whether there is no medium."""
        return self.actual is None

    @property
    def login(self) -> Auth | None:
        """Who logs in at the server of the image."""
        return self.auth or (self.source.auth if self.source is not None else None)

    @property
    def effective_encryption(self) -> Encryption | None:
        """How the image is encrypted."""
        return self.encryption or (self.source.encryption if self.source is not None else None)

    @property
    def removable_medium(self) -> bool:
        """Whether its medium can be changed."""
        return self.device in ("cdrom", "floppy")

    @property
    def may_be_missing(self) -> bool:
        """Whether the guest starts without the image too."""
        return self.source is not None and self.source.startup_policy == "optional"

    def empty_out(self) -> bool:
        """Take the medium out; False for what cannot be without one."""
        if not self.removable_medium:
            return False
        self.source = None
        self.type = "file"
        if self.driver is not None:
            self.driver.type = None
        return True

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
        if self.bus == "sd":
            return Connection("none")
        return virtio_connection(self.model) if self.bus == "virtio" else Connection(self.bus)

    def defaults(self, ctx: DeviceContext) -> None:
        """Name the driver, and take an image whose format is not given for a raw one: nothing is guessed."""
        driver = self.driver or new(DiskDriver)
        driver.name = driver.name or "qemu"
        if self.type != "volume":
            driver.type = driver.type or "raw"
        self.driver = driver
        self.mirror = None
        sources = [self.source, *(store.source for store in self.chain())]
        for encryption in (self.encryption, *(source.encryption for source in sources if source is not None)):
            if encryption is not None:
                encryption.engine = encryption.engine or "qemu"

    def check_address(self, ctx: DeviceContext) -> None:
        """As for every device, with libvirt's texts for disks."""
        checks.check_address(self)
        Device.check_address(self, ctx)

    def check(self, ctx: DeviceContext) -> None:
        """What the bus, the kind of drive, the source and the options allow together."""
        checks.check(self, ctx)

    def resolve(self, lookup: VolumeLookup) -> None:
        """Find out where a volume of a storage pool is. Changes the running guest's own copy.

        Raises what the lookup raises, and `UnsupportedConfigError` for a volume of a type that the disk cannot have.
        """
        source = self.source
        if self.type != "volume" or source is None or source.pool is None or source.resolved is not None:
            return
        kind, found = lookup(source.pool, source.volume or "", source.mode)
        if self.device == "lun" and kind != "block" and found.protocol != "iscsi":
            raise UnsupportedConfigError("disk device='lun' is only valid for block type disk source")
        source.resolved_type = kind
        source.resolved = dataclasses.replace(
            found,
            index=source.index,
            slices=source.slices,
            encryption=source.encryption,
            reservations=source.reservations,
            startup_policy=source.startup_policy,
        )
        if self.driver is not None and self.driver.type is None:
            self.driver.type = "fat" if kind == "dir" else "raw"

    def prepare(self, ctx: DeviceContext) -> None:
        """Find the volume, if that was not done before, and open files; say what the host chooses for the run."""
        self.resolve(ctx.volume)
        if self.driver is not None:
            self.driver.cache = self.cache
        for image in self.layers():
            if image.source.fdgroup is not None:
                image.source.handed = ctx.handed(image.source.fdgroup)
            if image.type == "network" and image.source.protocol == "nbd" and image.source.tls is None:
                image.source.tls = ctx.settings.nbd_tls

    def number_layers(self, first: int, *, detected: bool | None = None) -> int:
        """Give every layer of the chain a number from `first` on; the next free number is returned.

        First come those that the definition gives, then those that were detected; `detected` says which of both alone.
        An empty drive takes a number too: that of the medium to come.
        """
        for part in (False, True) if detected is None else (detected,):
            first = images.number(self, first, detected=part)
        return first

    def numbers(self) -> list[int]:
        """The numbers of all images, those of what it is being copied to included."""
        return images.numbers(self)

    def chain(self) -> Iterator[BackingStore]:
        """The images below the first, as far as they are known."""
        store = self.backing
        while store is not None and not store.end:
            yield store
            store = store.backing

    @property
    def cache(self) -> str | None:
        """The cache mode; what several guests write to must not be cached by the host."""
        return self.settings.cache or ("none" if self.shareable and not self.readonly else None)

    def layers(self) -> list[Image]:
        """The images, the one that is written first. Empty for an empty drive."""
        return images.of(self)

    def node(self) -> str | None:
        """The node that the drive is put on; None for an empty drive."""
        return images.top_node(self)

    def backend(self, ctx: DeviceContext) -> list[QemuObject]:
        """The block nodes with their secrets, the deepest first; then what filters them."""
        return images.backend(self, ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """Secrets and block nodes, then the drive."""
        if self.type == "vhostuser":
            return front_end.vhost_user_objects(self, ctx)
        if self.bus == "sd":
            return front_end.sd_objects(self, ctx)
        return [*self.backend(ctx), *front_end.objects(self, ctx)]

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """The programs that reach servers for QEMU, and the one that reserves the SCSI device.

        All disks of a guest that want the latter share one.
        """
        reaching = [program for image in self.layers() for program in image.helpers(ctx)]
        if not self.reserves:
            return reaching
        return [
            *reaching,
            HelperProgram(
                PR_HELPER,
                (ctx.settings.pr_helper, "-k", pr_socket(ctx.guest_dir)),
                ready=pr_socket(ctx.guest_dir),
                restart=True,
                package="qemu-system-common",
            ),
        ]

    @property
    def reserves(self) -> bool:
        """Whether it needs that program."""
        pr = self.source.reservations if self.source is not None else None
        return pr is not None and pr.managed

    def qom_name(self) -> str:
        """What the monitor's block commands call the drive."""
        form = {
            "virtio": "/machine/peripheral/{0}/virtio-backend",
            "usb": "/machine/peripheral/{0}/{0}.0/legacy[0]",
        }.get(self.bus, "{0}")
        return form.format(self.name)

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Limit the traffic."""
        if self.iotune is None or not self.iotune.any or self.empty:
            return []
        return [Command("block_set_io_throttle", self.iotune.arguments(self.qom_name()))]
