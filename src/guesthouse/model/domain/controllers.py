"""The list of a guest's controllers: finding, numbering and adding, in libvirt's order."""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.controller import Controller

#: The companions of a USB 2 controller, to the first port of its master that each serves.
_COMPANIONS: Final = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}


def find(devices: Devices, kind: str, index: int) -> Controller | None:
    """The controller of that type and index; of a USB 2 group the first."""
    for controller in devices.controllers:
        if controller.type == kind and controller.index == index:
            return controller
    return None


def insert(controllers: list[Controller], added: Controller) -> None:
    """Put a controller behind those of its type with a lower index, or at the end where there are none."""
    place = -1
    for position in range(len(controllers) - 1, -1, -1):
        current = controllers[position]
        if current.type != added.type:
            continue
        if added.index is None:
            place = position + 1
            break
        if (current.index is not None and current.index > added.index) or (
            added.startport is None and current.startport is not None and current.index == added.index
        ):
            place = position
        elif place == -1:
            place = position + 1
    controllers.insert(len(controllers) if place == -1 else place, added)


def ensure(devices: Devices, kind: str, index: int, model: str | None = None) -> Controller | None:
    """Add a controller unless there is one of that type and index. Returns it if it was added."""
    if find(devices, kind, index) is not None:
        return None
    added = new(Controller, type=kind, index=index, model=model)
    insert(devices.controllers, added)
    return added


def arrange(devices: Devices) -> None:
    """Put the controllers into libvirt's order and number those without an index.

    Raises `XmlError` where two of a type have the same index, USB companions excepted, and a `LibvirtError` (code 35)
    where companions have no master, or USB is disabled and not.
    """
    arranged: list[Controller] = []
    for controller in devices.controllers:
        if controller.startport is None and controller.type == "usb":
            controller.startport = _COMPANIONS.get(controller.model or "")
        insert(arranged, controller)
    devices.controllers = arranged
    if any(controller.index is None for controller in arranged):
        _number(devices)
    seen: set[tuple[str, int]] = set()
    for controller in devices.controllers:
        key = (controller.type, controller.index or 0)
        if key in seen and controller.type != "usb":
            raise XmlError(f"Multiple '{controller.type}' controllers with index '{controller.index}'")
        seen.add(key)
    usb = [controller for controller in devices.controllers if controller.type == "usb"]
    if len(usb) > 1 and any(item.model == "none" for item in usb):
        raise LibvirtError(
            "Can't add another USB controller: USB is disabled for this domain",
            code=Code.XML_DETAIL,
            domain=Origin.DOMAIN,
        )
    if {item.index for item in usb} != {item.index for item in usb if item.startport is None}:
        raise LibvirtError("No master USB controller specified", code=Code.XML_DETAIL, domain=Origin.DOMAIN)


def _number(devices: Devices) -> None:
    again = False
    for position, controller in enumerate(devices.controllers):
        if controller.index is not None:
            continue
        if position and _is_usb2(controller):
            again = True
            controller.index = _companions_index(devices, position)
        if controller.index is None:
            controller.index = unused_index(devices, controller.type)
    if again:
        numbered: list[Controller] = []
        for controller in devices.controllers:
            insert(numbered, controller)
        devices.controllers = numbered


def unused_index(devices: Devices, kind: str) -> int:
    """The lowest index that no controller of the type has."""
    used = {controller.index for controller in devices.controllers if controller.type == kind}
    return next(index for index in range(len(used) + 1) if index not in used)


def _is_usb2(controller: Controller) -> bool:
    return controller.type == "usb" and (controller.model or "").startswith("ich9-")


def _companions_index(devices: Devices, position: int) -> int | None:
    """The index of the USB 2 group right before this controller, if the group has none of its model yet."""
    controller = devices.controllers[position]
    before = [other for other in devices.controllers[:position] if other.type == "usb"]
    if not before or not _is_usb2(before[-1]):
        return None
    index = before[-1].index
    taken = any(
        other.type == "usb" and other.index == index and other.model == controller.model
        for other in devices.controllers
    )
    return None if taken else index
