"""A guest's devices: one module a device, and here the list of all of them.

To add a device, write its module (see `base`) and add its line to `Devices`, where libvirt prints it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final, cast

from guesthouse.model.binding import element, many, opt_leaf
from guesthouse.model.domain.devices.base import ControllerFacts, Device
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.kinds import ABSOLUTE_PATH

#: The order in which devices go on the command line: what others plug into comes first. Fields, and for controllers
#: their types. What is not named comes last, in the order of `Devices`.
LAUNCH_ORDER: Final = ("controllers", "disks")
_CONTROLLER_ORDER: Final = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial")


@element("devices")
class Devices:
    """All devices, in the order in which libvirt prints them."""

    emulator: str | None = opt_leaf(ABSOLUTE_PATH)
    disks: list[Disk] = many(Disk)
    controllers: list[Controller] = many(Controller)

    def all(self) -> Iterator[Device]:
        """Every device, in the order of the document."""
        for name in _FIELDS:
            yield from self.of(name)

    def of(self, name: str) -> list[Device]:
        """The devices of one field, as a list also where there can only be one."""
        value = getattr(self, name)
        if isinstance(value, list):
            return cast(list[Device], value)
        return [] if value is None else [cast(Device, value)]

    def in_launch_order(self) -> Iterator[Device]:
        """Every device, in the order in which QEMU is to get them."""
        for name in _LAUNCH:
            if name == "controllers":
                yield from self._controllers_in_order(last=False)
            elif name == "hubs":
                yield from self.of(name)
                yield from self._controllers_in_order(last=True)
            else:
                yield from self.of(name)

    def _controllers_in_order(self, *, last: bool) -> Iterator[Controller]:
        if last:
            yield from (item for item in self.controllers if item.type not in _CONTROLLER_ORDER)
            return
        for kind in _CONTROLLER_ORDER:
            yield from (item for item in self.controllers if item.type == kind)

    def controller_table(self) -> dict[tuple[str, int], ControllerFacts]:
        """The controllers by type and index, for `DeviceContext`; of companions only the master."""
        return {
            (item.type, item.index): item
            for item in self.controllers
            if item.index is not None and item.startport is None
        }


_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Devices) if field.name != "emulator")
_LAUNCH: Final = (*LAUNCH_ORDER, *(name for name in _FIELDS if name not in LAUNCH_ORDER))
