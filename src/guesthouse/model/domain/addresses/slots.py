"""PCI buses and the slots on them: what may be plugged in where, what is free, which bus is added when none is.

Everything here is numbers and words; `pci` applies it to the devices of a guest. The rules are libvirt's
(https://libvirt.org/pci-addresses.html, https://libvirt.org/pci-hotplug.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from guesthouse.errors import InternalError, LibvirtError, XmlError

# What a device needs of a bus, and what a bus offers: bits of a number.
PCI: Final = 1 << 0
PCIE: Final = 1 << 1
ROOT_PORT: Final = 1 << 2
UPSTREAM_PORT: Final = 1 << 3
DOWNSTREAM_PORT: Final = 1 << 4
DMI_BRIDGE: Final = 1 << 5
PCIE_TO_PCI_BRIDGE: Final = 1 << 6
EXPANDER: Final = 1 << 7
PCIE_EXPANDER: Final = 1 << 8
PCI_BRIDGE: Final = 1 << 9
#: The bits that say what is plugged together; those below say how.
CONNECTIONS: Final = (1 << 10) - 1
ENDPOINTS: Final = PCI | PCIE
AUTOASSIGN: Final = 1 << 16
HOTPLUG: Final = 1 << 17
#: Several devices may share the slot as its functions.
AGGREGATE: Final = 1 << 18
#: Belongs on bus 0 and nowhere else.
INTEGRATED: Final = 1 << 19

#: Last slot of a bus, last function of a slot.
LAST_SLOT: Final = 31
LAST_FUNCTION: Final = 7
_ALL_FUNCTIONS: Final = (1 << LAST_FUNCTION + 1) - 1

#: What a controller itself needs of the bus that it is plugged into, by model.
CONTROLLER_NEEDS: Final[dict[str, int]] = {
    "pci-root": 0,
    "pcie-root": 0,
    "pci-bridge": PCI_BRIDGE,
    "pci-expander-bus": EXPANDER,
    "pcie-expander-bus": PCIE_EXPANDER,
    "dmi-to-pci-bridge": DMI_BRIDGE,
    "pcie-to-pci-bridge": PCIE_TO_PCI_BRIDGE,
    "pcie-root-port": ROOT_PORT | AGGREGATE,
    "pcie-switch-upstream-port": UPSTREAM_PORT,
    "pcie-switch-downstream-port": DOWNSTREAM_PORT,
}

_PLAIN: Final = AUTOASSIGN | PCI | PCI_BRIDGE
_PORT: Final = AUTOASSIGN | PCIE | UPSTREAM_PORT | PCIE_TO_PCI_BRIDGE
#: What a controller's bus offers, its first and last slot, and whether hotplug works there, by model.
_OFFERS: Final[dict[str, tuple[int, int, int, bool]]] = {
    "pci-root": (_PLAIN | EXPANDER, 1, LAST_SLOT, True),
    "pci-bridge": (_PLAIN, 1, LAST_SLOT, True),
    "pci-expander-bus": (_PLAIN, 0, LAST_SLOT, True),
    "pcie-root": (PCIE | ROOT_PORT | DMI_BRIDGE | PCIE_EXPANDER, 1, LAST_SLOT, False),
    "dmi-to-pci-bridge": (PCI | PCI_BRIDGE, 0, LAST_SLOT, False),
    "pcie-to-pci-bridge": (_PLAIN, 1, LAST_SLOT, True),
    "pcie-root-port": (_PORT, 0, 0, True),
    "pcie-switch-downstream-port": (_PORT, 0, 0, True),
    "pcie-switch-upstream-port": (DOWNSTREAM_PORT, 0, LAST_SLOT, False),
    "pcie-expander-bus": (ROOT_PORT | DMI_BRIDGE, 0, LAST_SLOT, False),
}

#: A need to the words for it, most telling first.
_WORDS: Final[tuple[tuple[int, str], ...]] = (
    (PCI, "standard PCI device"),
    (PCIE, "PCI Express device"),
    (ROOT_PORT, "pcie-root-port"),
    (UPSTREAM_PORT, "pcie-switch-upstream-port"),
    (DOWNSTREAM_PORT, "pcie-switch-downstream-port"),
    (DMI_BRIDGE, "dmi-to-pci-bridge"),
    (PCIE_TO_PCI_BRIDGE, "pcie-to-pci-bridge"),
    (EXPANDER, "pci-expander-bus"),
    (PCIE_EXPANDER, "pcie-expander-bus"),
    (PCI_BRIDGE, "pci-bridge"),
)


class Place(NamedTuple):
    """Where a PCI device sits. The domain is always 0."""

    bus: int
    slot: int
    function: int = 0

    def __str__(self) -> str:
        """As libvirt writes it in messages."""
        return f"0000:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@dataclass(slots=True)
class Bus:
    """The slots of one controller: `functions` is a bit mask a slot; `shared` the slots with several devices."""

    model: str
    offers: int
    first: int
    last: int
    functions: list[int] = field(default_factory=([0] * (LAST_SLOT + 1)).copy)
    shared: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, model: str, *, hotplug: bool = True) -> Bus:
        """The bus of a controller of that model."""
        offers, first, last, hot = _OFFERS[model]
        return cls(model, offers | (HOTPLUG if hot and hotplug else 0), first, last)

    @property
    def full(self) -> bool:
        """Whether every slot has a device."""
        return all(self.functions[self.first : self.last + 1])


class Slots:
    """The buses of a guest, by index. With `growing`, a device that fits nowhere adds the bus that it needs."""

    def __init__(self, buses: list[Bus], *, growing: bool) -> None:
        self.buses = buses
        self._growing = growing
        self._first: dict[int, int] = {}

    def in_use(self, bus: int, slot: int) -> bool:
        """Whether a slot has a device."""
        return self.buses[bus].functions[slot] != 0

    def reserve(self, place: Place, needs: int, *, given: bool = True) -> None:
        """Take a place; `given` says that it stands in the document, where more is allowed than is chosen for it.

        Raises `XmlError`, or `InternalError` for a place that was not given, where the place does not exist, does not
        take the device or is taken.
        """
        if self._growing and place.bus >= len(self.buses):
            self._grow(place.bus, needs)
        self._check(place, needs, given=given)
        self._take(place, needs, given=given)

    def _take(self, place: Place, needs: int, *, given: bool) -> None:
        bus = self.buses[place.bus]
        bit = 1 << place.function
        if bus.functions[place.slot] & bit:
            raise _failure(given, f"Attempted double use of PCI Address {place}")
        if not bus.functions[place.slot] and needs & AGGREGATE:
            bus.shared.add(place.slot)
        bus.functions[place.slot] |= bit

    def reserve_next(self, needs: int, function: int | None = None) -> Place:
        """Take the first free place that suits, adding a bus if need be; `function` None takes any."""
        if not self.buses:
            raise XmlError("No PCI buses available")
        place = self._find(needs, function)
        if place is None and self._growing:
            first = self._first[needs] = len(self.buses)
            self._grow(first, needs)
            place = self._find(needs, function)
        if place is None:
            raise InternalError("No more available PCI slots", hint="remove devices, or add a PCI controller")
        self._take(place, needs, given=False)
        return place

    def _find(self, needs: int, function: int | None) -> Place | None:
        wanted = function or 0
        # Places are never given back, so that a bus without room for such a device stays without.
        for number in range(self._first.get(needs, 0), len(self.buses)):
            bus = self.buses[number]
            if not self._suits(number, bus, needs):
                continue
            self._first[needs] = number
            for slot in range(bus.first, bus.last + 1):
                used = bus.functions[slot]
                if not used:
                    return Place(number, slot, wanted)
                if needs & AGGREGATE and slot in bus.shared:
                    if not used & (1 << wanted):
                        return Place(number, slot, wanted)
                    if function is None and used != _ALL_FUNCTIONS:
                        lowest = ~used & (used + 1)
                        return Place(number, slot, lowest.bit_length() - 1)
        return None

    @staticmethod
    def _suits(number: int, bus: Bus, needs: int) -> bool:
        offers = bus.offers
        if needs & INTEGRATED:
            if number:
                return False
            offers |= PCI | AUTOASSIGN
        if needs & AUTOASSIGN and not offers & AUTOASSIGN:
            return False
        if needs & HOTPLUG and not offers & HOTPLUG:
            return False
        return bool(needs & offers & CONNECTIONS)

    def _check(self, place: Place, needs: int, *, given: bool) -> None:
        if not self.buses:
            raise _failure(given, "No PCI buses available")
        if place.bus >= len(self.buses):
            raise _failure(
                given, f"Invalid PCI address {place}. Only PCI buses up to {len(self.buses) - 1} are available"
            )
        bus = self.buses[place.bus]
        self._check_connection(place, bus, needs, given=given)
        if needs & HOTPLUG and not bus.offers & HOTPLUG:
            raise _failure(
                given,
                f"The device at PCI address {place} requires hotplug capability, but the PCI controller with "
                f"index='{place.bus}' doesn't support hotplug",
            )
        if place.slot < bus.first:
            raise _failure(given, f"Invalid PCI address {place}. slot must be >= {bus.first}")
        if place.slot > bus.last:
            raise _failure(given, f"Invalid PCI address {place}. slot must be <= {bus.last}")
        if place.function > LAST_FUNCTION:
            raise _failure(given, f"Invalid PCI address {place}. function must be <= {LAST_FUNCTION}")

    @staticmethod
    def _check_connection(place: Place, bus: Bus, needs: int, *, given: bool) -> None:
        offers = bus.offers
        if needs & INTEGRATED:
            if place.bus:
                raise _failure(
                    given, f"The device at PCI address {place} needs to be an integrated device (bus={place.bus})"
                )
            offers |= PCI | AUTOASSIGN
        if given:
            if offers & ENDPOINTS:
                offers |= ENDPOINTS
            if needs & PCI_BRIDGE:
                needs |= PCI
        if not needs & offers & CONNECTIONS:
            words = next((words for bit, words in _WORDS if needs & bit), "device of another kind")
            raise _failure(
                given,
                f"The device at PCI address {place} cannot be plugged into the PCI controller with "
                f"index='{place.bus}'. It requires a controller that accepts a {words}.",
            )

    def _grow(self, up_to: int, needs: int) -> None:
        """Add buses until there is one with the index `up_to`, of the kind that takes a device with these needs."""
        count = up_to - len(self.buses) + 1
        if needs & PCI:
            if not any(bus.offers & PCI_BRIDGE for bus in self.buses):
                # A pure PCI Express guest: a bridge to conventional PCI, on a root port that takes nothing else.
                port = Bus.of("pcie-root-port")
                port.offers = PCIE_TO_PCI_BRIDGE
                self.buses += [port, Bus.of("pcie-to-pci-bridge")]
                count -= 2
            model = "pci-bridge"
        elif needs & (PCIE | UPSTREAM_PORT):
            model = "pcie-root-port"
        else:
            words = next((words for bit, words in _WORDS if needs & bit), "")
            raise InternalError(
                f"a PCI slot is needed to connect a PCI controller model='{words}', but none is available, and it "
                "cannot be automatically added"
            )
        self.buses += [Bus.of(model) for _ in range(count)]


def _failure(given: bool, text: str) -> LibvirtError:
    return XmlError(text) if given else InternalError(text)
