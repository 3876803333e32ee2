"""Ports of virtio-serial controllers, for channels and virtio consoles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from guesthouse.errors import InternalError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain import controllers
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import Address, VirtioSerialAddress
from guesthouse.model.domain.devices.base import Device, DeviceContext

#: Ports of a controller that says nothing else; port 0 is for a console.
DEFAULT_PORTS: Final = 31


def _users(domain: Domain, ctx: DeviceContext, field: str) -> Iterator[Device]:
    for device in domain.devices.of(field):
        if device.connection(ctx).bus == "virtio-serial":
            yield device


def _address(device: Device) -> VirtioSerialAddress | None:
    address = cast(Address | None, getattr(device, "address", None))
    return address if isinstance(address, VirtioSerialAddress) else None


def add_controllers(domain: Domain, ctx: DeviceContext) -> None:
    """Add the controllers that channels and consoles name; index 0 for those that name none."""
    for field in ("channels", "consoles"):
        for device in _users(domain, ctx, field):
            address = _address(device)
            controllers.ensure(domain.devices, "virtio-serial", address.controller if address is not None else 0)


def assign(domain: Domain, ctx: DeviceContext) -> None:
    """Give every channel a port. A console takes the next one, but its address is not written: QEMU chooses it.

    Raises `XmlError` for a port that does not exist or is taken.
    """
    ports = _Ports(domain)
    waiting: list[tuple[Device, bool]] = []
    for field in ("consoles", "channels"):
        for device in _users(domain, ctx, field):
            address = _address(device)
            if address is not None and address.port:
                ports.reserve(address.controller, address.port)
            else:
                waiting.append((device, field == "consoles"))
    for device, console in waiting:
        address = _address(device)
        if address is not None:
            address.bus = 0
            address.port = ports.next_of(address.controller)
        else:
            controller, port = ports.next(domain, lowest=0 if console else 1)
            if not console:
                made = new(VirtioSerialAddress, controller=controller, port=port)
                device.address = made  # type: ignore[attr-defined] # what has such a connection has an address


class _Ports:
    """The ports in use, by controller."""

    def __init__(self, domain: Domain) -> None:
        self._ports = {
            controller.index or 0: (DEFAULT_PORTS if controller.ports is None else controller.ports, set[int]())
            for controller in domain.devices.controllers
            if controller.type == "virtio-serial"
        }

    def reserve(self, controller: int, port: int) -> None:
        """Take a port."""
        if controller not in self._ports:
            raise XmlError(f"virtio serial controller {controller} is missing")
        count, used = self._ports[controller]
        if port >= count:
            raise XmlError(f"virtio serial controller {controller} does not have port {port}")
        if port in used:
            raise XmlError(f"virtio serial port {port} on controller {controller} is already occupied")
        used.add(port)

    def next_of(self, controller: int) -> int:
        """Take the first free port of a controller, 0 excepted."""
        if controller not in self._ports:
            raise InternalError(f"virtio-serial controller {controller} not available")
        count, used = self._ports[controller]
        port = next((port for port in range(1, count) if port not in used), None)
        if port is None:
            raise XmlError(f"Unable to find a free port on virtio-serial controller {controller}")
        used.add(port)
        return port

    def next(self, domain: Domain, *, lowest: int) -> tuple[int, int]:
        """Take the first free port from `lowest` on, adding a controller where all are full."""
        for index, (count, used) in sorted(self._ports.items(), key=lambda item: item[0]):
            port = next((port for port in range(lowest, count) if port not in used), None)
            if port is not None:
                used.add(port)
                return index, port
        index = controllers.unused_index(domain.devices, "virtio-serial")
        controllers.ensure(domain.devices, "virtio-serial", index)
        self._ports[index] = (DEFAULT_PORTS, {lowest})
        return index, lowest
