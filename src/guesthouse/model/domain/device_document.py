"""One device as a document of its own: what attach, detach and update are told.

Format: an element of `<devices>` (https://libvirt.org/formatdomain.html#devices), alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from guesthouse.errors import LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import Reading, Style, read, tag_of, write
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.base import USER_ALIAS, Device
from guesthouse.model.element_plans import PLANS, Slot, form_of
from guesthouse.model.xmltext import Lines, parse_any

#: Tags of character devices, which libvirt counts as one kind.
_CHARACTER: Final = ("serial", "parallel", "console", "channel")

#: What libvirt knows as a device and QEMU has not.
_NEVER: Final = ("lease",)


def _fields() -> dict[str, tuple[str, Slot]]:
    found: dict[str, tuple[str, Slot]] = {}
    for field in PLANS[Devices].fields():
        slot = field.slot
        if slot is not None:
            for child in (slot.child, *slot.forms.values()):
                if child is not None:
                    found[tag_of(child)] = (field.name, slot)
    return found


#: Tag to the field of `Devices` that holds such devices, and to what tells their class.
FIELDS: Final = _fields()


@dataclass(frozen=True, slots=True)
class DeviceElement:
    """A device that stands alone: the tag of its element, the field of `Devices` that holds its like, and itself."""

    tag: str
    field: str
    device: Device

    @property
    def kind(self) -> str:
        """What libvirt's messages call it."""
        return kind_of(self.tag)


def kind_of(tag: str) -> str:
    """What libvirt's messages call a device with this tag."""
    return "chr" if tag in _CHARACTER else tag


def parse_device(xml: str, *, live: bool = False) -> DeviceElement:
    """The device that `xml` describes, as it stands there.

    `live` is for what the daemon itself has written: an alias that libvirt gave is kept, and what belongs to status
    files; otherwise only an alias of the user's, which begins with `ua-`, stays, and the rest is refused.

    Raises `LibvirtError` with code 35 for text that is not well formed, `XmlError` for a wrong value, and
    `UnsupportedConfigError` for what is no device of ours.
    """
    node = _parsed(xml)
    tag = str(node.tag)
    if tag in _NEVER:
        raise UnsupportedConfigError(f"device '{tag}' is not supported by QEMU guests of this host")
    if tag not in FIELDS:
        raise UnsupportedConfigError(f"unknown device type '{tag}'")
    if not live:
        for alias in node.findall("alias"):
            if not (alias.get("name") or "").startswith(USER_ALIAS):
                node.remove(alias)
    field, slot = FIELDS[tag]
    reading = Reading(status=live)
    cls = cast(type[Device], slot.child or form_of(node, reading, slot))
    return DeviceElement(tag, field, read(cls, node, reading))


def _parsed(xml: str) -> etree._Element:
    try:
        return parse_any(xml, "device_definition")
    except LibvirtError as error:
        error.domain = Origin.DOMAIN  # libvirt's reader of devices says so itself
        raise


def element_of(device: Device) -> DeviceElement:
    """A device of a definition as one that stands alone."""
    tag = tag_of(type(device))
    if tag not in FIELDS:
        raise XmlError(f"'{tag}' is no device")
    return DeviceElement(tag, FIELDS[tag][0], device)


def format_device(device: Device, style: Style) -> str:
    """The device's element as libvirt writes it, with a newline at the end."""
    lines = Lines()
    write(device, lines, style)
    return lines.text()
