"""A device of the host as a document: XML in, XML out.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Origin, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    choices,
    content,
    element,
    leaf,
    many,
    one,
    opt,
    opt_content,
    opt_leaf,
    read,
    write,
)
from guesthouse.model.kinds import TEXT, one_of
from guesthouse.model.nodedev.misc import DrmDevice, Mdev, System, VdpaDevice
from guesthouse.model.nodedev.net import NetDevice
from guesthouse.model.nodedev.parts import Capability, MdevTypes
from guesthouse.model.nodedev.pci import PciDevice
from guesthouse.model.nodedev.s390 import ApCard, ApMatrix, ApQueue, CcwDevice, CcwGroup, CssDevice
from guesthouse.model.nodedev.storage import ScsiDevice, ScsiGeneric, ScsiHost, ScsiTarget, StorageDevice
from guesthouse.model.nodedev.usb import UsbDevice, UsbInterface
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document

#: Type of a capability to its class.
CAPABILITIES: Final[dict[str, type[Capability]]] = {
    "system": System, "pci": PciDevice, "usb_device": UsbDevice, "usb": UsbInterface, "net": NetDevice,
    "scsi_host": ScsiHost, "scsi_target": ScsiTarget, "scsi": ScsiDevice, "storage": StorageDevice,
    "scsi_generic": ScsiGeneric, "drm": DrmDevice, "mdev_types": MdevTypes, "mdev": Mdev, "ccw": CcwDevice,
    "css": CssDevice, "vdpa": VdpaDevice, "ap_card": ApCard, "ap_queue": ApQueue, "ap_matrix": ApMatrix,
    "ccwgroup": CcwGroup,
}  # fmt: skip


@element("devnode")
class DeviceNode:
    """A file in /dev: the device's own, or a link to it."""

    type: str = attr(one_of("dev", "link"))
    path: str = content(TEXT)


@element("driver")
class DeviceDriver:
    """The kernel's driver."""

    name: str | None = opt_leaf(TEXT)


@element("parent")
class Parent:
    """The device that this one is on, by its name, or by those of a Fibre Channel adapter that is to have another."""

    wwnn: str | None = opt(TEXT)
    wwpn: str | None = opt(TEXT)
    fabric_wwn: str | None = opt(TEXT)
    name: str | None = opt_content(TEXT)

    def parsed(self) -> None:
        """Two names go together."""
        if (self.wwnn is None) != (self.wwpn is None):
            given, other = ("wwnn", "wwpn") if self.wwpn is None else ("wwpn", "wwnn")
            raise XmlError(f"when providing parent {given}, the {other} must also be provided")


@element("device", two_lines=True)
class NodeDevice:
    """A device. `path` is where it is in sysfs."""

    name: str = leaf(TEXT, factory=str)
    path: str | None = opt_leaf(TEXT, live=True)
    nodes: list[DeviceNode] = many(DeviceNode, live=True)
    parent: Parent | None = one(Parent)
    driver: DeviceDriver | None = one(DeviceDriver, live=True)
    capabilities: list[Capability] = choices("type", CAPABILITIES)

    def parsed(self) -> None:
        """The device's own file comes first; a device is something."""
        self.nodes.sort(key=lambda node: node.type)
        if not self.capabilities:
            raise XmlError(f"no device capabilities for '{self.name}'")


def parse_node_device(xml: str, *, validate: bool = False) -> NodeDevice:
    """The device that `xml` describes; one that is to be created has no name.

    Raises `LibvirtError` with libvirt's codes, as `parse_domain` does.
    """
    with noticed_by(Origin.NODEDEV):
        node = parse_document(xml, "device", "node_device_definition")
        device = read(NodeDevice, node, Reading(validate=validate))
    device.name = device.name or "new device"
    return device


def format_node_device(device: NodeDevice, *, live: bool = True) -> str:
    """The device as libvirt writes it; `live` False leaves out what only one that is there has."""
    lines = Lines()
    write(device, lines, Style(live=live))
    return lines.text()
