"""Directories of the host that a guest can mount: by 9p, by virtiofs, or as a USB media player.

Source: https://libvirt.org/formatdomain.html#filesystems and https://libvirt.org/kbase/virtiofs.html. QEMU's options:
`-fsdev` in its manual page, `vhost-user-fs` and `usb-mtp`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import default, element, flag, one, opt
from guesthouse.model.domain.devices import virtiofsd
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    refusing,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.domain.devices.virtiofsd import FilesystemBinary, IdMap
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, ULL, Kind, one_of
from guesthouse.model.qemu_objects import Chardev, Option, Props, QemuObject, quoted, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

VIRTIOFS: Final = "virtiofs"
MTP: Final = "mtp"

_ONLY_MOUNT: Final = "only supports mount filesystem type"
_NO_DRIVER: Final = "Filesystem driver type not supported"
_TYPES: Final = refusing(("mount",), dict.fromkeys(("block", "file", "template", "ram", "bind", "volume"), _ONLY_MOUNT))
_DRIVERS: Final = refusing(("path", "handle", VIRTIOFS, MTP), dict.fromkeys(("loop", "nbd", "ploop"), _NO_DRIVER))
#: Mode of access to what QEMU calls it.
_SECURITY: Final = {"passthrough": "passthrough", "mapped": "mapped", "squash": "none"}


def _parse_mode(text: str) -> int:
    value = int(text, 8)
    if not 0 <= value <= 0o777:
        raise ValueError
    return value


_MODE: Final[Kind[int]] = Kind("an octal number up to 777", _parse_mode, "%04o".__mod__, plain=True)


@element("driver")
class FilesystemDriver:
    """How the directory is shared. `queue` is the number of requests that fit into virtiofs's queue."""

    type: str | None = opt(_DRIVERS)
    format: str | None = opt(TEXT)
    wrpolicy: str | None = opt(one_of("immediate"))
    queue: int | None = opt(ULL)
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)


@element("source")
class FilesystemSource:
    """The directory; or the `socket` of a virtiofsd that somebody else started."""

    dir: str | None = opt(ABSOLUTE_PATH)
    socket: str | None = opt(ABSOLUTE_PATH)


@element("target")
class FilesystemTarget:
    """The name under which the guest finds it."""

    dir: str | None = opt(TEXT)


@element("filesystem")
class Filesystem(Device):
    """A directory of the host."""

    ALIAS: ClassVar[str] = "fs"

    type: str = default(_TYPES, "mount")
    accessmode: str | None = opt(one_of("passthrough", "mapped", "squash"))
    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    multidevs: str | None = opt(one_of("default", "remap", "forbid", "warn"))
    fmode: int | None = opt(_MODE)
    dmode: int | None = opt(_MODE)
    driver: FilesystemDriver | None = one(FilesystemDriver)
    binary: FilesystemBinary | None = one(FilesystemBinary)
    idmap: IdMap | None = one(IdMap)
    source: FilesystemSource | None = one(FilesystemSource)
    target: FilesystemTarget | None = one(FilesystemTarget)
    readonly: bool = flag()
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """There is a source. Raises error 20 otherwise, and drops what says nothing."""
        if self.source is None or (self.source.dir is None and self.source.socket is None):
            raise LibvirtError(self.tag, code=Code.NO_SOURCE, domain=Origin.DOMAIN)
        if self.source.socket is not None:
            self.source.dir = None
        if self.multidevs == "default":
            self.multidevs = None
        if self.driver is not None and self.kind != VIRTIOFS:
            self.driver.queue = None
        self.fmode, self.dmode = self.fmode or None, self.dmode or None

    @property
    def kind(self) -> str:
        """`path` (9p), `handle`, `virtiofs` or `mtp`."""
        return (self.driver.type if self.driver is not None else None) or "path"

    @property
    def directory(self) -> str:
        """The directory of the host; empty where another program shares it."""
        return (self.source.dir if self.source is not None else None) or ""

    @property
    def tag(self) -> str:
        """The name under which the guest finds it."""
        return (self.target.dir if self.target is not None else None) or ""

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device, or one for a USB port."""
        return Connection("usb") if self.kind == MTP else virtio_connection(self.model)

    def defaults(self, ctx: DeviceContext) -> None:
        """Guests get at files as themselves; a virtiofsd of somebody else's decides that on its own."""
        if self.accessmode is None and self.source is not None and self.source.socket is None:
            self.accessmode = "passthrough"

    def check(self, ctx: DeviceContext) -> None:
        """What is set applies to the driver, and QEMU has it. Raises `UnsupportedConfigError`."""
        if not self.tag:
            raise LibvirtError(self.directory, code=Code.NO_TARGET, domain=Origin.DOMAIN)
        if self.boot is not None and self.kind != VIRTIOFS:
            raise UnsupportedConfigError("boot order is only supported for virtiofs")
        if (self.fmode or self.dmode) and self.accessmode != "mapped":
            raise UnsupportedConfigError("fmode and dmode must be used with accessmode=mapped")
        if self.kind != VIRTIOFS:
            self._check_not_virtiofs()
        _CHECKS[self.kind](self, ctx)

    def _check_not_virtiofs(self) -> None:
        if self.binary is not None and self.binary.sandbox is not None:
            raise UnsupportedConfigError("sandbox can only be used with driver=virtiofs")
        if self.binary is not None or self.idmap is not None:
            raise UnsupportedConfigError("<binary> and <idmap> can only be used with driver=virtiofs")
        if self.source is not None and self.source.socket is not None:
            raise UnsupportedConfigError("a filesystem's socket can only be used with driver=virtiofs")
        if self.driver is not None and self.driver.format is not None:
            raise UnsupportedConfigError("driver format of a filesystem is not supported with QEMU")

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """virtiofsd, unless somebody else started one."""
        if self.kind != VIRTIOFS or not self.directory:
            return []
        return [
            virtiofsd.program(
                self.name,
                self.binary,
                self.idmap,
                directory=self.directory,
                socket=self._socket(ctx),
                readonly=self.readonly,
                settings=ctx.settings,
                found=ctx.parts.find_virtiofsd(self.binary.path if self.binary is not None else None),
            )
        ]

    def _socket(self, ctx: DeviceContext) -> str:
        given = self.source.socket if self.source is not None else None
        return given or f"{ctx.guest_dir}/{self.name}-fs.sock"

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The directory and the device."""
        return _OBJECTS[self.kind](self, ctx)


def _check_path(fs: Filesystem, ctx: DeviceContext) -> None:
    if not ctx.s390:
        ctx.need("virtio-9p-pci", "filesystem driver 'path'")


def _check_handle(fs: Filesystem, _ctx: DeviceContext) -> None:
    if fs.accessmode != "passthrough":
        raise UnsupportedConfigError("only supports passthrough accessmode")
    raise UnsupportedConfigError(
        "filesystem driver 'handle' is not supported by this QEMU binary", hint="QEMU removed it; use type='path'"
    )


def _check_virtiofs(fs: Filesystem, ctx: DeviceContext) -> None:
    driver = fs.driver
    if fs.directory and fs.accessmode != "passthrough":
        raise UnsupportedConfigError("virtiofs only supports passthrough accessmode")
    if fs.directory and driver is not None and driver.wrpolicy is not None:
        raise UnsupportedConfigError("virtiofs does not support wrpolicy")
    for name in ("model", "multidevs"):
        if getattr(fs, name) is not None:
            raise UnsupportedConfigError(f"virtiofs does not support {name}")
    if driver is not None and driver.format is not None:
        raise UnsupportedConfigError("virtiofs does not support format")
    if not (ctx.qemu.has_device("vhost-user-fs-pci") or ctx.qemu.has_device("vhost-user-fs-ccw")):
        raise UnsupportedConfigError("virtiofs is not supported with this QEMU binary")
    if fs.fmode or fs.dmode:
        raise UnsupportedConfigError("virtiofs does not support fmode and dmode")
    if not ctx.shared_memory:
        raise UnsupportedConfigError(
            "'virtiofs' requires shared memory",
            hint="add <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        )
    if fs.boot is not None and fs.address is not None and not isinstance(fs.address, PciAddress):
        raise UnsupportedConfigError("setting virtiofs boot order is supported only with PCI bus")


def _check_mtp(fs: Filesystem, ctx: DeviceContext) -> None:
    if not ctx.qemu.has_device("usb-mtp"):
        raise UnsupportedConfigError("mtp is not supported with this QEMU binary")
    if fs.accessmode != "passthrough":
        raise UnsupportedConfigError("mtp only supports passthrough accessmode")


def _path(fs: Filesystem, ctx: DeviceContext) -> list[QemuObject]:
    backend = f"fsdev-{fs.name}"
    words = [f"local,security_model={_SECURITY[fs.accessmode or 'passthrough']}"]
    if fs.multidevs is not None:
        words.append(f"multidevs={fs.multidevs}")
    words += [f"{name}={value:04o}" for name, value in (("fmode", fs.fmode), ("dmode", fs.dmode)) if value]
    if fs.driver is not None and fs.driver.wrpolicy is not None:
        words.append(f"writeout={fs.driver.wrpolicy}")
    words += [f"id={backend}", f"path={quoted(fs.directory)}"]
    if fs.readonly:
        words.append("readonly=on")
    props: Props = {"driver": fs.virtio_driver("virtio-9p", fs.model)}
    props |= virtio_props(fs.driver)
    props |= {"id": fs.name, "fsdev": backend, "mount_tag": fs.tag}
    return [Option("-fsdev", ",".join(words)), QemuDevice(props | fs.address_props(ctx))]


def _virtiofs(fs: Filesystem, ctx: DeviceContext) -> list[QemuObject]:
    line = f"chr-vu-{fs.name}"
    props: Props = {"driver": fs.virtio_driver("vhost-user-fs")}
    props |= virtio_props(fs.driver)
    props |= without_none(
        {
            "id": fs.name,
            "chardev": line,
            "queue-size": (fs.driver.queue if fs.driver is not None else None) or None,
            "tag": fs.tag,
            "bootindex": fs.boot_index(ctx),
        }
    )
    return [Chardev(line, "socket", {"path": fs._socket(ctx)}), QemuDevice(props | fs.address_props(ctx))]


def _mtp(fs: Filesystem, ctx: DeviceContext) -> list[QemuObject]:
    props: Props = {"driver": "usb-mtp", "id": fs.name, "rootdir": fs.directory, "desc": fs.tag}
    props["readonly"] = fs.readonly
    return [QemuDevice(props | fs.address_props(ctx))]


_CHECKS: Final = {"path": _check_path, "handle": _check_handle, VIRTIOFS: _check_virtiofs, MTP: _check_mtp}
_OBJECTS: Final = {"path": _path, "handle": _path, VIRTIOFS: _virtiofs, MTP: _mtp}
