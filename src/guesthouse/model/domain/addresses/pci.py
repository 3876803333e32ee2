"""PCI addresses: every device that needs one gets it, and the bridges and ports that this takes are added.

Two passes, as libvirt makes them. The first only counts: it adds buses until everything fits. The second hands the
places out, controllers first, so that the order in which devices were found does not matter for the bridges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final, cast

from guesthouse.errors import InternalError, UnsupportedConfigError, XmlError
from guesthouse.model.domain import controllers
from guesthouse.model.domain.addresses import slots
from guesthouse.model.domain.addresses.slots import Bus, Place, Slots
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import Connection, Device, DeviceContext
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.machines import MachineFamily

#: The fields of `Devices` in the order in which libvirt gives their devices PCI addresses, after PCI controllers.
_ORDER: Final = (
    "filesystems",
    "interfaces",
    "sounds",
    "controllers",
    "disks",
    "hostdevs",
    "memballoon",
    "rngs",
    "watchdogs",
    "videos",
    "shmems",
    "inputs",
    "serials",
    "iommu",
    "vsock",
    "memories",
    "cryptos",
    "panics",
    "pstore",
)
_KNOWN: Final = frozenset(field.name for field in dataclasses.fields(Devices))
_FIELDS: Final = tuple(name for name in _ORDER if name in _KNOWN)

#: Function of its slot that each part of a USB 2 controller has.
_USB2_FUNCTIONS: Final = {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}
#: Where real Q35 boards have their USB 2 controllers, their audio and their bridge to conventional PCI.
_Q35_USB2: Final = (0x1D, 0x1A)
_Q35_AUDIO: Final = 0x1B
_Q35_BRIDGE: Final = 0x1E

_BRIDGELESS: Final = ("pci-root", "pcie-root")


class _Plug:
    """A device that needs a PCI address, and what it needs of the bus.

    `address` is its address, if that names a place. It is `open` if a PCI address is wanted: it has no address at all,
    or one that leaves the place open. `usb2_function` is what a part of a USB 2 controller has to be of its slot.
    """

    __slots__ = ("address", "device", "needs", "open", "usb2_function")

    def __init__(self, device: Device, needs: int) -> None:
        self.device = device
        self.needs = needs
        found: Address | None = getattr(device, "address", None)
        express = isinstance(found, PciAddress)
        self.address: PciAddress | None = found if isinstance(found, PciAddress) and found.assigned else None
        self.open = found is None or (express and self.address is None)
        self.usb2_function = _USB2_FUNCTIONS.get(device.model or "") if isinstance(device, Controller) else None

    def put(self, place: Place, *, multifunction: bool | None = None) -> None:
        """Write the address into the definition."""
        old: Address | None = getattr(self.device, "address", None)
        if multifunction is None and isinstance(old, PciAddress):
            multifunction = old.multifunction
        self.address = PciAddress.at(place.bus, place.slot, place.function, multifunction=multifunction)
        self.address.zpci = old.zpci if isinstance(old, PciAddress) else None
        self.open = False
        self.device.address = self.address  # type: ignore[attr-defined] # what has a PCI connection has an address


#: So many conventional devices fit behind one bridge.
_BRIDGE_SLOTS: Final = slots.LAST_SLOT
_PLAIN_NEEDS: Final = (slots.PCIE | slots.AUTOASSIGN, slots.PCI | slots.AUTOASSIGN)


def _is_plain(waiting: list[_Plug]) -> bool:
    """Whether none of these has a wish of its own, and all conventional ones fit behind one bridge."""
    conventional = sum(1 for plug in waiting if plug.needs == _PLAIN_NEEDS[1])
    return conventional <= _BRIDGE_SLOTS and all(
        plug.needs in _PLAIN_NEEDS and plug.usb2_function is None for plug in waiting
    )


def _place(address: PciAddress) -> Place:
    if address.domain:
        raise XmlError(
            f"Invalid PCI address {address.domain:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}."
            f"{address.function or 0:x}. Only PCI domain 0 is available"
        )
    return Place(address.bus or 0, address.slot or 0, address.function or 0)


def assign(domain: Domain, ctx: DeviceContext, family: MachineFamily) -> None:
    """Give every PCI device of `domain` an address, adding controllers as need be.

    Raises `XmlError` for an address that does not exist or does not take the device, and `InternalError` where there is
    no room.
    """
    _Assignment(domain, ctx, family).run()


def plug(domain: Domain, ctx: DeviceContext, family: MachineFamily, added: Sequence[Device]) -> None:
    """Give the devices that are plugged into a running guest their places; nothing else moves, no bus is added.

    Raises `XmlError` for a place that is taken or does not take the device, `InternalError` where there is no slot that
    can be plugged.
    """
    _Assignment(domain, ctx, family).plug(added)


class _Assignment:
    """One guest's assignment."""

    def __init__(self, domain: Domain, ctx: DeviceContext, family: MachineFamily) -> None:
        self._devices = domain.devices
        self._ctx = ctx
        self._family = family
        self._express = family.root == "pcie-root"

    def run(self) -> None:
        """Both passes, and what follows from the addresses."""
        others = list(self._other_plugs())
        plugs = [*self._controller_plugs(), *others]
        found = self._count(plugs) if self._incomplete(plugs) else None
        if found is not None:
            for plug, place in found:
                plug.put(place)
            plugs = [*(plug for plug, _place in found), *plugs]
        else:
            plugs = [*self._controller_plugs(), *others]  # counting has added controllers, and nothing else
            buses = self._slots(plugs, growing=False)
            self._place_chipset(buses, plugs)
            self._place_rest(buses, plugs)
        self._mark_functions(plugs)
        for controller in self._pci_controllers():
            self._complete(controller)

    def plug(self, added: Sequence[Device]) -> None:
        """Places for new devices of a guest whose other devices have theirs."""
        plugs = [*self._controller_plugs(), *self._other_plugs()]
        wanted = [plug for device in added for plug in plugs if plug.device is device]
        there = [plug for plug in plugs if plug not in wanted]
        buses = self._slots(there, growing=False)
        self._place_chipset(buses, there)
        for plug in wanted:
            needs = plug.needs | slots.HOTPLUG
            if plug.address is not None:
                if plug.address.function:
                    raise InternalError("Only PCI device addresses with function=0 are supported")
                buses.reserve(_place(plug.address), needs)
            elif plug.open:
                plug.put(buses.reserve_next(needs))

    def _incomplete(self, plugs: list[_Plug]) -> bool:
        """Whether a device has no address, or one on a bus that no controller gives."""
        known = {controller.index for controller in self._pci_controllers()}
        return len(known) <= max((index or 0 for index in known), default=-1) or any(
            plug.open or (plug.address is not None and (plug.address.bus or 0) not in known) for plug in plugs
        )

    def _controller_plugs(self) -> Iterator[_Plug]:
        for controller in self._pci_controllers():
            if controller.model not in _BRIDGELESS:
                yield _Plug(controller, slots.CONTROLLER_NEEDS[controller.model or ""])

    def _other_plugs(self) -> Iterator[_Plug]:
        for name in _FIELDS:
            for device in self._devices.of(name):
                if isinstance(device, Controller) and device.type == "pci":
                    continue
                needs = self._needs(device.connection(self._ctx))
                if needs:
                    yield _Plug(device, needs)

    def _pci_controllers(self) -> list[Controller]:
        return [controller for controller in self._devices.controllers if controller.type == "pci"]

    def _needs(self, connection: Connection) -> int:
        if connection.bus == "pci":
            needs = slots.PCI | slots.AUTOASSIGN
        elif connection.bus in ("pcie", "virtio"):
            needs = (slots.PCIE if self._express else slots.PCI) | slots.AUTOASSIGN
        else:
            return slots.CONTROLLER_NEEDS.get(connection.bus, 0)
        if connection.integrated and connection.preferred is None:
            needs |= slots.INTEGRATED
        return needs

    def _count(self, plugs: list[_Plug]) -> list[tuple[_Plug, Place]] | None:
        """The first pass: find out which controllers are missing, and add them.

        Where the second pass would find the same places, they are returned. It gives controllers theirs first, which
        makes a difference where other devices want places beside them, on bus 0.
        """
        highest = max((controller.index or 0 for controller in self._pci_controllers()), default=0)
        buses = self._slots(plugs, growing=True)
        self._place_chipset(buses, plugs)
        waiting = [plug for plug in plugs if plug.open]
        if self._express and len(buses.buses) == 1 and _is_plain(waiting):
            return self._count_ports(buses, waiting)
        if not self._express and not all(bus.full for bus in buses.buses):
            # One slot stays free for a bridge, should the guest ever need more room.
            buses.reserve_next(slots.PCI | slots.AUTOASSIGN)
        found = [(plug, self._reserve(buses, plugs, plug)) for plug in plugs if plug.open]
        if highest == 0 and self._express and len(buses.buses) > 1:
            # Whoever leaves the ports to us gets a free one, for a device that is plugged in later.
            buses.reserve_next(slots.PCIE | slots.AUTOASSIGN)
        added: list[tuple[_Plug, Place]] = []
        index = 1
        while index < len(buses.buses):
            model = buses.buses[index].model
            controller = controllers.ensure(self._devices, "pci", index, model)
            if controller is not None:
                needs = slots.CONTROLLER_NEEDS[model]
                added.append((_Plug(controller, needs), buses.reserve_next(needs)))
            index += 1
        alike = not added or (
            all(place.bus for _plug, place in found) and all(plug.needs & slots.ROOT_PORT for plug, _place in added)
        )
        usb2 = any(plug.usb2_function is not None for plug, _place in found)
        return [*found, *added] if self._express and alike and not usb2 else None

    def _count_ports(self, buses: Slots, waiting: list[_Plug]) -> list[tuple[_Plug, Place]] | None:
        """`_count` for most guests, without looking for places: there is nothing but the root bus yet.

        Every Express device takes a port of its own, the first conventional one brings a bridge on a port.
        """
        models: list[str] = []
        for plug in waiting:
            if plug.needs & slots.PCIE:
                models.append("pcie-root-port")
            elif "pcie-to-pci-bridge" not in models:
                models += ["pcie-root-port", "pcie-to-pci-bridge"]
        if not models:
            return []
        models.append("pcie-root-port")  # free, for a device that is plugged in later
        added: list[tuple[_Plug, Place]] = []
        for index, model in enumerate(models, 1):
            controller = controllers.ensure(self._devices, "pci", index, model)
            if controller is None:
                raise InternalError(f"there is a PCI controller with index='{index}' already")
            if "pcie-to-pci-bridge" not in models:
                needs = slots.CONTROLLER_NEEDS[model]
                added.append((_Plug(controller, needs), buses.reserve_next(needs)))
        if "pcie-to-pci-bridge" in models:
            return None
        return [*((plug, Place(index, 0)) for index, plug in enumerate(waiting, 1)), *added]

    def _slots(self, plugs: list[_Plug], *, growing: bool) -> Slots:
        """The buses of the controllers that there are, with all given addresses taken."""
        found = {controller.index or 0: controller for controller in self._pci_controllers()}
        missing = "pcie-root-port" if self._express else "pci-bridge"
        buses: list[Bus] = []
        for index in range(max(found, default=-1) + 1):
            controller = found.get(index)
            if controller is None:
                buses.append(Bus.of(missing))
            else:
                target = controller.target
                buses.append(Bus.of(controller.model or "", hotplug=target is None or target.hotplug is not False))
        taken = Slots(buses, growing=growing)
        for plug in plugs:
            address = plug.address
            if address is not None and not self._built_into_piix3(plug.device, address):
                taken.reserve(_place(address), plug.needs)
        return taken

    def _built_into_piix3(self, device: Device, address: PciAddress) -> bool:
        """Whether it is a function of the PIIX3 chip, whose slot `_place_chipset` takes as a whole."""
        if not isinstance(device, Controller) or device.index != 0 or (address.bus, address.slot) != (0, 1):
            return False
        return (device.type == "ide" and address.function == 1) or (
            device.type == "usb" and device.model == "piix3-uhci" and address.function == 2
        )

    def _place_chipset(self, buses: Slots, plugs: list[_Plug]) -> None:
        """The fixed places of what the machine's chips contain, then the first graphics card."""
        if self._family.name == "i440fx":
            self._place_piix3(buses, plugs)
        elif self._family.name == "q35":
            self._place_ich9(buses, plugs)
        self._place_first_video(buses, plugs)
        if self._family.name == "q35":
            self._place_audio(buses, plugs)

    @staticmethod
    def _fixed(plug: _Plug, place: Place, message: str) -> None:
        address = plug.address
        if address is None:
            plug.put(place)
        elif _place(address) != place:
            raise InternalError(message)

    def _place_piix3(self, buses: Slots, plugs: list[_Plug]) -> None:
        needs = slots.PCI | slots.AUTOASSIGN
        for plug in plugs:
            device = plug.device
            if not isinstance(device, Controller) or device.index != 0:
                continue
            if device.type == "ide":
                self._fixed(plug, Place(0, 1, 1), "Primary IDE controller must have PCI address 0:0:1.1")
                buses.reserve(Place(0, 1, 1), needs)
            elif device.type == "usb" and device.model == "piix3-uhci":
                self._fixed(plug, Place(0, 1, 2), "PIIX3 USB controller at index 0 must have PCI address 0:0:1.2")
                buses.reserve(Place(0, 1, 2), needs)
        buses.reserve(Place(0, 1, 0), needs)
        buses.reserve(Place(0, 1, 3), needs)

    def _place_ich9(self, buses: Slots, plugs: list[_Plug]) -> None:
        for plug in plugs:
            device = plug.device
            if not isinstance(device, Controller):
                continue
            if device.type == "sata" and device.index == 0:
                self._fixed(plug, Place(0, 0x1F, 2), "Primary SATA controller must have PCI address 0:0:1f.2")
                if not buses.buses[0].functions[0x1F] & 1 << 2:
                    buses.reserve(Place(0, 0x1F, 2), slots.PCIE)
            elif device.type == "usb" and device.model == "ich9-uhci1" and plug.open:
                slot = next((slot for slot in _Q35_USB2 if not buses.in_use(0, slot)), None)
                if slot is not None:
                    buses.reserve(Place(0, slot), slots.PCIE)
                    plug.put(Place(0, slot), multifunction=True)
            elif device.model == "dmi-to-pci-bridge" and plug.open and not buses.in_use(0, _Q35_BRIDGE):
                buses.reserve(Place(0, _Q35_BRIDGE), slots.DMI_BRIDGE)
                plug.put(Place(0, _Q35_BRIDGE))
        # The ISA bridge and the SMBus, which every Q35 board has.
        buses.reserve(Place(0, 0x1F, 0), slots.PCIE)
        buses.reserve(Place(0, 0x1F, 3), slots.PCIE)

    def _place_first_video(self, buses: Slots, plugs: list[_Plug]) -> None:
        videos = self._devices.of("videos") if "videos" in _KNOWN else []
        plug = next((plug for plug in plugs if videos and plug.device is videos[0]), None)
        if plug is None or not plug.open or not self._family.video_slot:
            return
        place = Place(0, self._family.video_slot)
        needs = slots.PCIE if self._express else slots.PCI | slots.AUTOASSIGN
        if buses.in_use(0, place.slot):
            place = buses.reserve_next(plug.needs)
        else:
            buses.reserve(place, needs)
        plug.put(place)

    def _place_audio(self, buses: Slots, plugs: list[_Plug]) -> None:
        if buses.in_use(0, _Q35_AUDIO):
            return
        sounds = self._devices.of("sounds") if "sounds" in _KNOWN else []
        for plug in plugs:
            if plug.device in sounds and getattr(plug.device, "model", "") == "ich9" and plug.open:
                buses.reserve(Place(0, _Q35_AUDIO), slots.PCIE)
                plug.put(Place(0, _Q35_AUDIO))
                return

    def _place_rest(self, buses: Slots, plugs: list[_Plug]) -> None:
        for plug in plugs:
            if plug.open:
                place = self._reserve(buses, plugs, plug)
                plug.put(place, multifunction=True if plug.usb2_function == 0 else None)

    @staticmethod
    def _reserve(buses: Slots, plugs: list[_Plug], plug: _Plug) -> Place:
        """The next place for a device; all parts of a USB 2 controller share a slot."""
        if plug.usb2_function is None:
            return buses.reserve_next(plug.needs)
        index = cast(Controller, plug.device).index
        for other in plugs:
            part, address = other.device, other.address
            if isinstance(part, Controller) and part.model in _USB2_FUNCTIONS and part.index == index and address:
                place = Place(address.bus or 0, address.slot or 0, plug.usb2_function)
                buses.reserve(place, plug.needs)
                return place
        return buses.reserve_next(plug.needs, plug.usb2_function)

    @staticmethod
    def _mark_functions(plugs: list[_Plug]) -> None:
        """Function 0 of a slot says whether there are others."""
        addresses = [address for plug in plugs if (address := plug.address) is not None]
        shared = {(address.bus, address.slot) for address in addresses if address.function}
        for address in addresses:
            if not address.function and address.multifunction is None and (address.bus, address.slot) in shared:
                address.multifunction = True

    def _complete(self, controller: Controller) -> None:
        controller.defaults(self._ctx)
        controller.complete_target()
        address = controller.address
        if controller.model == "pci-bridge" and isinstance(address, PciAddress):
            index, bus = controller.index or 0, address.bus or 0
            if index <= bus:
                raise UnsupportedConfigError(
                    f"PCI controller at index {index} (0x{index:02x}) has bus='0x{bus:02x}', but index must be larger "
                    "than bus"
                )
