"""A drive and the disc in it: what each is made of, and what QEMU tells of them."""

from __future__ import annotations

import dataclasses
from typing import Final

from guesthouse.drivers.domain.hotplug import wiring
from guesthouse.model.binding import clone
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.qemu_objects import QemuObject
from guesthouse.qemu.json_value import JsonObject, as_object, text_of

#: What belongs to the disc and not to the drive.
_OF_THE_DISC: Final = ("type", "source", "backing", "auth", "encryption")


def with_disc(drive: Disk, wanted: Disk) -> Disk:
    """A copy of the drive with another disc in it."""
    loaded = clone(drive)
    for name in _OF_THE_DISC:
        if hasattr(drive, name):
            setattr(loaded, name, clone_of(getattr(wanted, name)))
    if loaded.driver is not None:
        loaded.driver.type = (wanted.driver.type if wanted.driver is not None else None) or "raw"
    loaded.target.tray = None
    return loaded


def clone_of(value: object) -> object:
    """A copy of what a field holds: an element, or a plain value."""
    return clone(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def nodes(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    """The nodes of the disc in a drive, and what they need."""
    if disk.empty:
        return []
    return [item for item in wiring.backends(disk.objects(ctx)) if item.qmp() is not None]


def node_of(disk: Disk, ctx: DeviceContext) -> str | None:
    """The node that the drive reads; None for an empty one."""
    drive = wiring.front_ends(disk.objects(ctx))[-1].props.get("drive")
    return drive if isinstance(drive, str) else None


def told(drive: Disk, entries: list[JsonObject]) -> JsonObject:
    """The entry of `query-block` about a drive; empty where there is none."""
    name = drive.qom_name()
    return next((entry for entry in entries if name in (text_of(entry, "qdev"), text_of(entry, "device"))), {})


def tray(entry: JsonObject) -> bool | None:
    """Whether the tray is open; None where there is none."""
    found = entry.get("tray_open")
    return found if isinstance(found, bool) else None


def inserted(entry: JsonObject) -> str | None:
    """The node that a drive reads; None for an empty one."""
    medium = entry.get("inserted")
    return text_of(as_object(medium, "a medium"), "node-name") or None if isinstance(medium, dict) else None
