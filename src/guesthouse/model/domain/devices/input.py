"""Keyboards, mice and tablets, and input devices of the host.

Source: https://libvirt.org/formatdomain.html#input-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    Alias,
    Connection,
    Device,
    DeviceContext,
    VirtioDriver,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Object, Props, QemuObject

_USB: Final = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}
_VIRTIO: Final = {
    "mouse": "virtio-mouse",
    "tablet": "virtio-tablet",
    "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}
#: Bus to the types that it has.
_TYPES: Final[dict[str | None, tuple[str, ...]]] = {
    "ps2": ("mouse", "keyboard"),
    "usb": tuple(_USB),
    "virtio": tuple(_VIRTIO),
    None: ("evdev",),
}


@element("source")
class InputSource:
    """The device of the host: `dev` for type evdev, `evdev` for type passthrough."""

    dev: str | None = opt(ABSOLUTE_PATH)
    evdev: str | None = opt(ABSOLUTE_PATH)
    grab: str | None = opt(one_of("all"))
    grab_toggle: str | None = opt(
        one_of("ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock"), "grabToggle"
    )
    repeat: bool | None = opt(ON_OFF)


@element("input")
class Input(Device):
    """An input device."""

    ALIAS: ClassVar[str] = "input"

    type: str = attr(one_of("mouse", "tablet", "keyboard", "passthrough", "evdev"))
    bus: str | None = opt(one_of("ps2", "usb", "virtio", "xen", "parallels", "none"))
    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    driver: VirtioDriver | None = one(VirtioDriver)
    source: InputSource | None = one(InputSource)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """A device of the host is named."""
        if self.bus == "none":
            self.bus = None
        needed = {"evdev": "dev", "passthrough": "evdev"}.get(self.type)
        if needed is not None and (self.source is None or getattr(self.source, needed) is None):
            raise XmlError(f"Missing {needed} path for input device type '{self.type}'")

    def connection(self, ctx: DeviceContext) -> Connection:
        """By its bus; PS/2 devices are part of the machine."""
        if self.bus == "virtio":
            return virtio_connection(self.model)
        return Connection("usb") if self.bus == "usb" else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """PS/2 for mouse and keyboard of a PC, USB for the rest."""
        if self.bus is not None or self.type == "evdev":
            return
        if self.type == "passthrough":
            self.bus = "virtio"
        else:
            self.bus = "ps2" if ctx.x86 and self.type in ("mouse", "keyboard") else "usb"

    def check(self, ctx: DeviceContext) -> None:
        """The bus has such a device, and the options are its."""
        if self.bus not in _TYPES:
            raise UnsupportedConfigError(f"input bus '{self.bus}' is not supported by this hypervisor")
        if self.type not in _TYPES[self.bus]:
            raise UnsupportedConfigError(f"{self.bus} bus does not support {self.type} input device")
        if self.bus == "ps2" and not ctx.x86:
            raise UnsupportedConfigError("can't use ps2 input devices with this machine", hint="use bus='usb'")
        if self.model is not None and self.bus != "virtio":
            raise UnsupportedConfigError("only USB and virtio input devices can have a model: bus must be 'virtio'")
        if self.model not in (None, "virtio"):
            raise UnsupportedConfigError(
                f"virtio (non-)transitional models are not supported for input type={self.type}",
                hint="use model='virtio'",
            )
        if self.driver is not None and self.bus != "virtio":
            raise UnsupportedConfigError("driver options of input devices are only supported with bus='virtio'")

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device; what the machine has of itself is not asked for."""
        if self.bus == "ps2":
            return []
        if self.type == "evdev":
            return [Object(self._evdev())]
        props: Props = {"driver": _USB[self.type]} if self.bus == "usb" else self._virtio()
        props["id"] = self.name
        if self.type == "passthrough" and self.source is not None:
            props["evdev"] = self.source.evdev
        return [QemuDevice(props | self.address_props(ctx))]

    def _virtio(self) -> Props:
        # These devices have one form; a transitional one only means a conventional PCI slot.
        props: Props = {"driver": self.virtio_driver(_VIRTIO[self.type])}
        return props | virtio_props(self.driver)

    def _evdev(self) -> Props:
        source = self.source
        props: Props = {"qom-type": "input-linux", "id": self.name}
        if source is not None:
            props["evdev"] = source.dev
            if source.repeat is not None:
                props["repeat"] = source.repeat
            if source.grab == "all":
                props["grab_all"] = True
            if source.grab_toggle is not None:
                props["grab-toggle"] = source.grab_toggle
        return props
