"""USB ports: on the controllers, and on the hubs that are added when they do not suffice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from guesthouse.errors import InternalError, UnsupportedConfigError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import Address, UsbAddress
from guesthouse.model.domain.devices.base import Device, DeviceContext
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.hub import Hub

#: Model of a controller to the number of its ports. The companions of EHCI are counted with it.
PORTS: Final = {
    "piix3-uhci": 2,
    "piix4-uhci": 2,
    "vt82c686b-uhci": 2,
    "ehci": 6,
    "ich9-ehci1": 6,
    "pci-ohci": 3,
    "nec-xhci": 4,
    "qemu-xhci": 4,
}
HUB_PORTS: Final = 8
_DEEPEST: Final = 4


@dataclass(slots=True)
class _Hub:
    """A controller or a hub: what is plugged into its ports; the value is None for what is no hub."""

    ports: int
    used: dict[int, _Hub | None] = field(default_factory=dict)


def _count(controller: Controller) -> int:
    count = PORTS.get(controller.model or "", 0)
    return controller.ports if controller.ports is not None and controller.model in ("nec-xhci", "qemu-xhci") else count


def assign(domain: Domain, ctx: DeviceContext, *, complete: bool = True) -> None:
    """Give every USB device a port.

    Unless `complete`, those of a definition where one has none are left to its next start: what runs already, on a
    libvirt of old, got its ports from QEMU.

    Raises `XmlError` for a port that does not exist or is taken, `UnsupportedConfigError` where the guest has no USB.
    """
    buses = [controller for controller in domain.devices.controllers if controller.type == "usb"]
    devices = [device for device in domain.devices.all() if device.connection(ctx).bus == "usb"]
    others = [device for device in devices if not isinstance(device, Hub)]
    if not complete and any(_port(device) is None for device in devices):
        return
    if others and not any(controller.model != "none" for controller in buses):
        raise UnsupportedConfigError("USB is disabled for this domain, but USB devices are present in the domain XML")
    _add_hubs(domain, buses, len(others))
    tree = _Tree(buses)
    for hub in domain.devices.hubs:
        if _port(hub) is not None:
            tree.reserve(hub)
    for device in others:
        if _port(device) is not None:
            tree.reserve(device)
    for hub in domain.devices.hubs:
        if _port(hub) is None:
            tree.assign(hub)
    for device in others:
        if _port(device) is None and isinstance(_address(device), UsbAddress | None):
            tree.assign(device)


def _add_hubs(domain: Domain, buses: list[Controller], devices: int) -> None:
    hubs = domain.devices.hubs
    available = sum(map(_count, buses)) + HUB_PORTS * len(hubs)
    # A hub takes a port itself.
    wanted = devices + len(hubs)
    if wanted > available:
        for _ in range(-(-(wanted - available + 1) // (HUB_PORTS - 1))):
            hubs.append(new(Hub, type="usb"))


def _address(device: Device) -> Address | None:
    return cast(Address | None, getattr(device, "address", None))


def _port(device: Device) -> str | None:
    address = _address(device)
    return address.port if isinstance(address, UsbAddress) and address.port not in (None, "0") else None


class _Tree:
    """The ports of all buses."""

    def __init__(self, buses: list[Controller]) -> None:
        self._buses: dict[int, _Hub] = {}
        for controller in buses:
            count = _count(controller)
            index = controller.index or 0
            if count:
                if index in self._buses:
                    raise XmlError(f"Duplicate USB controllers with index {index}")
                self._buses[index] = _Hub(count)

    def reserve(self, device: Device) -> None:
        """Take the port that the device's address names."""
        address = cast(UsbAddress, _address(device))
        text = address.port or ""
        if address.bus not in self._buses:
            raise XmlError(f"Missing USB bus {address.bus}")
        hub = self._buses[address.bus]
        *path, last = map(int, text.split("."))
        for port in path:
            if port > hub.ports:
                raise XmlError(f"port {port} out of range in USB address bus: {address.bus} port: {text}")
            below = hub.used.get(port)
            if below is None:
                raise XmlError(f"there is no hub at port {port} in USB address bus: {address.bus} port: {text}")
            hub = below
        if not 1 <= last <= hub.ports:
            raise XmlError(f"requested USB port {text} not present on USB bus {address.bus}")
        if last in hub.used:
            what = "hub on" if isinstance(device, Hub) else "address"
            raise XmlError(f"Duplicate USB {what} bus {address.bus} port {text}")
        hub.used[last] = _Hub(HUB_PORTS) if isinstance(device, Hub) else None

    def assign(self, device: Device) -> None:
        """Take the first free port: of the bus that is named, else of any."""
        address = _address(device)
        if isinstance(address, UsbAddress):
            if address.bus not in self._buses:
                raise XmlError(f"USB bus {address.bus} requested but no controller with that index is present")
            candidates = [address.bus]
        else:
            candidates = sorted(self._buses)
        for bus in candidates:
            path = self._free(self._buses[bus], 0)
            if path is not None:
                made = new(UsbAddress, bus=bus, port=".".join(map(str, path)))
                device.address = made  # type: ignore[attr-defined] # what has such a connection has an address
                self.reserve(device)
                return
        raise InternalError("No free USB ports")

    def _free(self, hub: _Hub, level: int) -> list[int] | None:
        for port in range(1, hub.ports + 1):
            if port not in hub.used:
                return [port]
        if level >= _DEEPEST - 1:
            return None
        for port in sorted(hub.used):
            below = hub.used[port]
            if below is not None:
                path = self._free(below, level + 1)
                if path is not None:
                    return [port, *path]
        return None
