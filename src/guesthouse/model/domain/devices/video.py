"""Graphics cards.

Source: https://libvirt.org/formatdomain.html#video-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, new, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    PCIE,
    VIRTIO,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    virtio_props,
)
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, UINT, YES_NO, integer, one_of
from guesthouse.model.qemu_objects import Chardev, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

_DEFAULT: Final = "default"
#: Model to the device of a first card and of a further one (None: it cannot be a further one).
_DRIVERS: Final[dict[str, tuple[str, str | None]]] = {
    "vga": ("VGA", None),
    "cirrus": ("cirrus-vga", None),
    "vmvga": ("vmware-svga", None),
    "qxl": ("qxl-vga", "qxl"),
    "virtio": ("virtio-vga", "virtio-gpu"),
    "bochs": ("bochs-display", None),
    "ramfb": ("ramfb", None),
}
#: As `_DRIVERS` for virtio cards that draw with the host's, and for those that another program drives.
_DRAWING: Final = ("virtio-vga-gl", "virtio-gpu-gl")
_VHOST_USER: Final = ("vhost-user-vga", "vhost-user-gpu")
#: Video memory in KiB where the definition says nothing.
_VRAM: Final = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "qxl": 65536}
_QXL_RAM: Final = 65536
_QXL_VGAMEM: Final = 16384
_CONNECTIONS: Final = {"virtio": VIRTIO, "bochs": PCIE, "ramfb": NOWHERE, "none": NOWHERE}
_WITH_HEADS: Final = ("qxl", "virtio")
_WITH_RESOLUTION: Final = ("vga", "qxl", "virtio", "bochs")
_KIB_LIMIT: Final = (2**32 - 1) // 1024
_MIB: Final = 1024


@element("driver")
class VideoDriver:
    """The options of a virtio card, and who drives it."""

    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
    vgaconf: str | None = opt(one_of("io", "on", "off"))
    name: str | None = opt(one_of("qemu", "vhostuser"))


@element("acceleration")
class Acceleration:
    """What the card lets the host's card do."""

    accel3d: bool | None = opt(YES_NO)
    accel2d: bool | None = opt(YES_NO)
    rendernode: str | None = opt(ABSOLUTE_PATH)


@element("resolution")
class Resolution:
    """The screen's size at start, in pixels."""

    x: int = attr(integer(0, 2**31 - 1))
    y: int = attr(integer(0, 2**31 - 1))


@element("model")
class VideoModel:
    """The card. Memory is in KiB; `heads` is a number of screens. The type `default` stands for the machine's own."""

    type: str = default(
        one_of(
            *(_DEFAULT, "vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "ramfb", "none"),
            *("xen", "vbox", "parallels", "gop"),
        ),
        _DEFAULT,
    )
    ram: int | None = opt(UINT)
    vram: int | None = opt(UINT)
    vram64: int | None = opt(UINT)
    vgamem: int | None = opt(UINT)
    heads: int | None = opt(integer(1, 16))
    primary: bool | None = opt(YES_NO)
    blob: bool | None = opt(ON_OFF)
    acceleration: Acceleration | None = one(Acceleration)
    resolution: Resolution | None = one(Resolution)

    def parsed(self) -> None:
        """Only the first card says whether it is the first."""
        self.primary = self.primary or None


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length() if number else 0


@element("video")
class Video(Device):
    """A graphics card. The first one is the one that firmware draws on."""

    ALIAS: ClassVar[str] = "video"

    driver: VideoDriver | None = one(VideoDriver)
    model: VideoModel | None = one(VideoModel)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def kind(self) -> str:
        """The model's type; `none` where there is no card."""
        return self.model.type if self.model is not None else "none"

    @property
    def primary(self) -> bool:
        """Whether it is the first card."""
        return self.model is not None and self.model.primary is True

    @property
    def vhost_user(self) -> bool:
        """Whether another program than QEMU drives it."""
        return self.driver is not None and self.driver.name == "vhostuser"

    @property
    def draws(self) -> bool:
        """Whether the host's card draws for it."""
        acceleration = self.model.acceleration if self.model is not None else None
        return acceleration is not None and acceleration.accel3d is True

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the model."""
        return _CONNECTIONS.get(self.kind, PCI)

    def defaults(self, ctx: DeviceContext) -> None:
        """The model and its memory."""
        model = self.model = self.model or new(VideoModel)
        if model.type == _DEFAULT:
            order = ("cirrus", "vga") if ctx.x86 else ("virtio",)
            model.type = next((name for name in order if ctx.qemu.has_device(_DRIVERS[name][0])), order[-1])
        if model.type == "none":
            return
        if model.type == "qxl":
            model.ram = _power_of_two(model.ram or _QXL_RAM)
            model.vgamem = model.vgamem or _QXL_VGAMEM
        vram = _power_of_two(model.vram or _VRAM.get(model.type, 0))
        model.vram = vram or None
        model.heads = model.heads or 1

    def check(self, ctx: DeviceContext) -> None:
        """The card exists in this QEMU, and has what is asked of it."""
        model = self.model
        if model is None or model.type == "none":
            return
        if model.type not in _DRIVERS:
            raise UnsupportedConfigError(f"domain configuration does not support video model '{model.type}'")
        if model.type not in _WITH_HEADS:
            if not self.primary:
                raise UnsupportedConfigError(f"video type '{model.type}' is only valid as primary video device")
            if model.heads not in (None, 1):
                raise UnsupportedConfigError(f"video type '{model.type}' doesn't support multiple 'heads'")
        _check_memory(model)
        self._check_acceleration(model)
        if model.resolution is not None:
            _check_resolution(model.type, model.resolution)
        if model.blob is not None and model.type != "virtio":
            raise UnsupportedConfigError("blob is only supported for video type virtio")
        if model.blob and ctx.memory.backing.source != "memfd":
            raise UnsupportedConfigError("'blob' support for virtio-gpu devices requires a memfd memory backend")
        if self.driver is not None and self.driver.vgaconf is not None:
            raise UnsupportedConfigError("vgaconf of <video> is not supported by QEMU", hint="it is bhyve's")
        ctx.need(self._device_name(ctx), f"video type '{model.type}'")

    def _check_acceleration(self, model: VideoModel) -> None:
        if self.vhost_user and model.type != "virtio":
            raise UnsupportedConfigError("'vhostuser' driver is only supported with 'virtio' device")
        acceleration = model.acceleration
        if acceleration is None:
            return
        if acceleration.accel2d:
            raise UnsupportedConfigError("qemu does not support the accel2d setting")
        if acceleration.rendernode is not None and not self.vhost_user:
            raise UnsupportedConfigError("unsupported rendernode accel attribute without 'vhostuser'")
        if acceleration.accel3d and model.type != "virtio":
            raise UnsupportedConfigError("3d acceleration is supported only with 'virtio' video device")

    def _device_name(self, ctx: DeviceContext) -> str:
        first, further = _DRIVERS[self.kind]
        if self.vhost_user:
            first, further = _VHOST_USER
        elif self.draws and ctx.qemu.has_device("virtio-gpu-gl-pci"):
            first, further = _DRAWING
        if self.primary and (self.kind != "virtio" or ctx.qemu.has_device(first)):
            return first
        name = further or first
        return self.virtio_driver(name) if self.kind == "virtio" else name

    def prepare(self, ctx: DeviceContext) -> None:
        """A program that draws needs to know the host's card."""
        acceleration = self.model.acceleration if self.model is not None else None
        if self.vhost_user and acceleration is not None and acceleration.accel3d:
            acceleration.rendernode = acceleration.rendernode or ctx.rendernode()

    def _socket(self, ctx: DeviceContext) -> str:
        return f"{ctx.guest_dir}/{self.name}-vhost-user.sock"

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """The program that drives the card."""
        if not self.vhost_user:
            return []
        path = self._socket(ctx)
        words = ["vhost-user-gpu", f"--socket-path={path}"]
        acceleration = self.model.acceleration if self.model is not None else None
        if acceleration is not None and acceleration.accel3d:
            words.append("--virgl")
        if acceleration is not None and acceleration.rendernode is not None:
            words.append(f"--render-node={acceleration.rendernode}")
        return [
            HelperProgram(f"{self.name}-vhost-user-gpu", tuple(words), ready=path, once=True, package="qemu-system-gui")
        ]

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The line to the program that drives it, if there is one, and the device."""
        model = self.model
        if model is None or model.type == "none":
            return []
        made: list[QemuObject] = []
        props: Props = {"driver": self._device_name(ctx)}
        if model.type == "virtio" and not (self.vhost_user and self.primary):
            props |= virtio_props(self.driver)
        props["id"] = self.name
        if self.vhost_user:
            path = self._socket(ctx)
            descriptor = ctx.connect(path)
            chardev = f"chr-vu-{self.name}"
            made.append(Chardev(chardev, "socket", {"path": path} if descriptor is None else {"fd": descriptor}))
            props |= without_none({"max_outputs": model.heads, "chardev": chardev})
        else:
            props |= _MEMORY.get(model.type, _no_memory)(model)
        if model.resolution is not None:
            props |= {"xres": model.resolution.x, "yres": model.resolution.y}
        return [*made, QemuDevice(props | self.address_props(ctx))]


def _check_memory(model: VideoModel) -> None:
    if model.type != "qxl":
        for name in ("ram", "vram64", "vgamem"):
            if getattr(model, name):
                raise UnsupportedConfigError(f"{name} attribute only supported for video type qxl")
    for name in ("vram", "ram"):
        if model.type == "qxl" and (getattr(model, name) or 0) > _KIB_LIMIT:
            raise LibvirtError(
                f"value for '{name}' must be less than '{_KIB_LIMIT}'", code=Code.OVERFLOW, domain=Origin.DOMAIN
            )
    if model.vgamem is not None and model.vgamem < _MIB:
        raise UnsupportedConfigError("value for 'vgamem' must be at least 1 MiB (1024 KiB)")
    if model.vgamem is not None and model.vgamem != _power_of_two(model.vgamem):
        raise UnsupportedConfigError("value for 'vgamem' must be power of two")
    if model.type in ("vga", "vmvga") and model.vram is not None and model.vram < _MIB:
        raise UnsupportedConfigError("value for 'vram' must be at least 1 MiB (1024 KiB)")


def _check_resolution(kind: str, resolution: Resolution) -> None:
    if kind not in _WITH_RESOLUTION:
        raise XmlError("model resolution is not supported")
    if not resolution.x or not resolution.y:
        raise UnsupportedConfigError("video resolution values must be greater than 0")


def _no_memory(_model: VideoModel) -> Props:
    return {}


def _virtio_memory(model: VideoModel) -> Props:
    return without_none({"max_outputs": model.heads, "blob": model.blob})


def _qxl_memory(model: VideoModel) -> Props:
    return {
        "max_outputs": model.heads or 1,
        "ram_size": (model.ram or _QXL_RAM) * 1024,
        "vram_size": (model.vram or _VRAM["qxl"]) * 1024,
        "vram64_size_mb": (model.vram64 or 0) // 1024,
        "vgamem_mb": (model.vgamem or _QXL_VGAMEM) // 1024,
    }


def _vga_memory(model: VideoModel) -> Props:
    return {"vgamem_mb": (model.vram or _VRAM["vga"]) // 1024}


def _bochs_memory(model: VideoModel) -> Props:
    return {"vgamem": (model.vram or _VRAM["bochs"]) * 1024}


_MEMORY: Final = {
    "vga": _vga_memory,
    "vmvga": _vga_memory,
    "bochs": _bochs_memory,
    "virtio": _virtio_memory,
    "qxl": _qxl_memory,
}
