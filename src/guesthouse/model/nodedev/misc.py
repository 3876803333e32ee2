"""The computer itself, graphics nodes, mediated devices, vDPA devices.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from guesthouse.model.binding import attr, default, element, leaf, many, one, opt_leaf
from guesthouse.model.kinds import PROSE, TEXT, UINT, UUID, one_of
from guesthouse.model.nodedev.parts import Capability


@element("hardware", two_lines=True)
class Hardware:
    """Who made the computer, and which one it is."""

    vendor: str | None = opt_leaf(PROSE)
    version: str | None = opt_leaf(PROSE)
    serial: str | None = opt_leaf(PROSE)
    uuid: str | None = opt_leaf(UUID)


@element("firmware", two_lines=True)
class Firmware:
    """The computer's firmware."""

    vendor: str | None = opt_leaf(PROSE)
    version: str | None = opt_leaf(PROSE)
    release_date: str | None = opt_leaf(PROSE)


@element("capability", two_lines=True)
class System(Capability):
    """The computer."""

    type: str = default(one_of("system"), "system")
    product: str | None = opt_leaf(PROSE)
    hardware: Hardware | None = one(Hardware)
    firmware: Firmware | None = one(Firmware)


@element("capability", two_lines=True)
class DrmDevice(Capability):
    """A graphics node."""

    type: str = default(one_of("drm"), "drm")
    kind: str = leaf(one_of("primary", "control", "render"), "type")


@element("attr")
class MdevAttribute:
    """An attribute of the device in sysfs; their order counts."""

    name: str = attr(TEXT)
    value: str = attr(TEXT)


@element("capability", two_lines=True)
class Mdev(Capability):
    """A mediated device: of a type of its parent's. The UUID is made up where a document that creates one has none."""

    type: str = default(one_of("mdev"), "mdev")
    type_id: str = attr(TEXT, "id", within="type")
    uuid: str | None = opt_leaf(UUID)
    parent_address: str | None = opt_leaf(TEXT, "parent_addr")
    iommu_group: int = default(UINT, 0, "number", within="iommuGroup")
    attributes: list[MdevAttribute] = many(MdevAttribute)


@element("capability", two_lines=True)
class VdpaDevice(Capability):
    """A vDPA device."""

    type: str = default(one_of("vdpa"), "vdpa")
    chardev: str = leaf(TEXT)
