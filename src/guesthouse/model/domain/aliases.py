"""Names of a running guest's devices, as libvirt gives them: `virtio-disk0`, `net0`, `pci.3`."""

from __future__ import annotations

from collections.abc import Iterator

from guesthouse.model.binding import new
from guesthouse.model.domain.context import definition_context
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices import Devices, memory_slots
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.qemu_capabilities import QemuCapabilities


def assign_aliases(domain: Domain, qemu: QemuCapabilities) -> None:
    """Give every device that has none an alias; the user's own (`ua-…`) stay.

    Controllers come first: the aliases of disks depend on them.
    """
    devices = domain.devices
    ctx = definition_context(domain, qemu, Defaults())
    for number, controller in enumerate(devices.controllers):
        _name(controller, number, ctx)
    for field in devices.field_names():
        for number, device in _numbered(devices, field):
            if device.ALIAS or isinstance(device, Disk):
                _name(device, number, ctx)
    if devices.serials and devices.consoles and devices.consoles[0].is_serial:
        devices.consoles[0].alias = devices.serials[0].alias


def _numbered(devices: Devices, field: str) -> Iterator[tuple[int, Device]]:
    """The devices of a field with their numbers. Interfaces that are cards of the host count as other such devices."""
    if field == "memories":
        yield from memory_slots.numbered(devices.memories)
        return
    found = devices.of(field)
    assigned: list[Device] = [item for item in devices.interfaces if item.is_assigned]
    if field == "interfaces":
        yield from enumerate(assigned)
        found = [item for item in devices.interfaces if not item.is_assigned]
    if field == "hostdevs":
        # Those that the user named are not counted.
        found = [item for item in found if item.alias is None or not item.alias.of_user]
        yield from enumerate(found, len(assigned))
        return
    yield from enumerate(found)


def _name(device: Device, number: int, ctx: DeviceContext) -> None:
    if device.alias is None:
        made = new(Alias, name=device.default_alias(number, ctx))
        device.alias = made  # type: ignore[misc] # the slot is the subclass's
