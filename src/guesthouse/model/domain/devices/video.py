"""Graphics cards.

Source: https://libvirt.org/formatdomain.html#video-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, new, one, opt
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
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, UINT, YES_NO, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

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
#: Video memory in KiB where the definition says nothing.
_VRAM: Final = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "qxl": 65536}
_QXL_RAM: Final = 65536
_QXL_VGAMEM: Final = 16384
_CONNECTIONS: Final = {"virtio": VIRTIO, "bochs": PCIE, "ramfb": NOWHERE, "none": NOWHERE}


@element("driver")
class VideoDriver:
    """The options of a virtio card, and who drives it."""

    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
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

    x: int = attr(integer(1, 2**31 - 1))
    y: int = attr(integer(1, 2**31 - 1))


@element("model")
class VideoModel:
    """The card. Memory is in KiB; `heads` is a number of screens."""

    type: str = attr(
        one_of("vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "ramfb", "none", "xen", "vbox", "parallels", "gop")
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

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the model."""
        return _CONNECTIONS.get(self.kind, PCI)

    def defaults(self, ctx: DeviceContext) -> None:
        """The model and its memory."""
        if self.model is None:
            order = ("cirrus", "vga", "virtio") if ctx.x86 else ("virtio",)
            found = next((name for name in order if ctx.qemu.has_device(_DRIVERS[name][0])), order[-1])
            self.model = new(VideoModel, type=found)
        model = self.model
        if model.type == "none":
            return
        if model.type == "qxl":
            model.ram = _power_of_two(model.ram or _QXL_RAM)
            model.vgamem = _power_of_two(model.vgamem or _QXL_VGAMEM)
        vram = _power_of_two(model.vram or _VRAM.get(model.type, 0))
        model.vram = vram or None
        model.heads = model.heads or 1

    def check(self, ctx: DeviceContext) -> None:
        """The card exists in this QEMU, and has what is asked of it."""
        model = self.model
        if model is None or model.type == "none":
            return
        if model.type not in _DRIVERS:
            raise UnsupportedConfigError(f"video type '{model.type}' is not supported with QEMU")
        if not self.primary and _DRIVERS[model.type][1] is None:
            raise UnsupportedConfigError(f"video type '{model.type}' is only valid as primary video device")
        ctx.need(self._device_name(), f"video type '{model.type}'")
        if self.driver is not None and self.driver.name == "vhostuser":
            raise UnsupportedConfigError("video driver 'vhostuser' is not supported", hint="use name='qemu'")
        if model.acceleration is not None and model.acceleration.accel3d:
            raise UnsupportedConfigError("3D acceleration is not supported", hint="remove accel3d='yes'")
        if model.vram64 is not None and model.type != "qxl":
            raise UnsupportedConfigError("vram64 attribute only supported for video type qxl")
        if model.blob is not None and model.type != "virtio":
            raise UnsupportedConfigError("blob is only supported for video type virtio")
        if model.heads is not None and model.heads > 1 and model.type not in ("qxl", "virtio"):
            raise UnsupportedConfigError(f"video type '{model.type}' only supports one screen, not {model.heads}")

    def _device_name(self) -> str:
        first, further = _DRIVERS[self.kind]
        name = first if self.primary else further or first
        return self.virtio_driver(name) if name == "virtio-gpu" else name

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device."""
        model = self.model
        if model is None or model.type == "none":
            return []
        props: Props = {"driver": self._device_name()}
        if model.type == "virtio":
            props |= virtio_props(self.driver)
        props["id"] = self.name
        props |= _MEMORY.get(model.type, _no_memory)(model)
        if model.resolution is not None:
            props |= {"xres": model.resolution.x, "yres": model.resolution.y}
        return [QemuDevice(props | self.address_props(ctx))]


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
