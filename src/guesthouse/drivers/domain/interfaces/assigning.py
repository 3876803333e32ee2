"""Network cards of the host that a guest has for itself: virtual functions, told their address and VLAN before.

What a card of the host has in common with other such devices is in `assigning`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.host_devices import assigning
from guesthouse.drivers.domain.interfaces import switches
from guesthouse.drivers.domain.interfaces.wiring import connected
from guesthouse.drivers.network_service import NetworkPort
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host import sriov
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.address import PciAddress
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.interface.assigned import as_hostdev
from guesthouse.model.domain.devices.interface.driver import AssignmentDriver

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.devices.hostdev_pci import PciHostdev

log = logging.getLogger(__name__)


def become_assigned(interface: Interface, port: NetworkPort) -> None:
    """Let a card on a network of virtual functions be the function that the network gave."""
    source, place = interface.source, port.address
    if source is None or place is None:
        return
    interface.type, interface.managed = "hostdev", port.managed or None
    source.host_address = new(PciAddress, domain=place.domain, bus=place.bus, slot=place.slot, function=place.function)
    if port.driver is not None:
        interface.assignment = new(AssignmentDriver, name=port.driver.name, model=port.driver.model)


def be_on_network(interface: Interface) -> None:
    """Let a card be what its definition says, once its function has gone back to the network."""
    source = interface.source
    if interface.is_assigned and source is not None and source.network is not None:
        interface.type = "network"
        interface.managed = interface.assignment = source.host_address = None


async def take(driver: Guests, run: Run, interface: Interface) -> None:
    """Give a card of the host to the guest, and tell it which address and VLAN it has there.

    Raises `UnsupportedConfigError` for what is no virtual function, and what `assigning.take` raises.
    """
    end = connected(interface)
    switches.check(end)
    if end.switch:
        raise UnsupportedConfigError(f"<virtualport type='{end.switch}'> is not supported for assigned network cards")
    device = as_hostdev(interface)
    if end.vlan is not None and end.vlan.trunk is not None:
        raise UnsupportedConfigError("vlan trunking is not supported by SR-IOV network devices")
    vlan = end.vlan.tags[0].id if end.vlan is not None else 0
    try:
        function = await driver.in_thread(sriov.virtual_function, device.label)
    except OSError as error:
        raise UnsupportedConfigError(
            "Interface type hostdev is currently supported on SR-IOV Virtual Functions only",
            hint=f"{error.strerror}; other PCI devices are assigned with <hostdev>",
        ) from error

    def note() -> None:
        if interface.source is not None:
            interface.source.taken = device.source.taken
        assigning.write_down(driver, run)

    await assigning.take(driver, run, device, note)
    try:
        if interface.source is not None:
            interface.source.configured = True
        assigning.write_down(driver, run)
        await driver.in_thread(sriov.configure, function, interface.mac_text, vlan)
    except BaseException as error:  # also where nobody waits any more: it is nobody's again
        assigning.give_back(driver, [device])
        if interface.source is not None:
            interface.source.taken = interface.source.configured = None
        if not isinstance(error, OSError):
            raise
        raise LibvirtError(
            f"Cannot set address and VLAN of virtual function {function.number} of '{function.card}': {error.strerror}",
            code=Code.SYSTEM_ERROR,
            domain=Origin.NONE,
        ) from error


async def give_back(driver: Guests, run: Run, interface: Interface) -> None:
    """Let the host have the card again, without the guest's address and VLAN; its driver gets it in the background.

    A card that was never told them, or that another guest has by now, is left as it is.
    """
    device, source = as_hostdev(interface), interface.source
    async with driver.assigning:
        if source is not None and source.configured and assigning.other_holder(driver, run, device) is None:
            await _forget(driver, device)
    assigning.give_back(driver, [device])
    if source is not None:
        source.taken = source.configured = None


async def _forget(driver: Guests, device: PciHostdev) -> None:
    try:
        function = await driver.in_thread(sriov.virtual_function, device.label)
        await driver.in_thread(sriov.configure, function, sriov.NO_MAC, 0)
    except OSError as error:
        log.warning("virtual function %s keeps what its guest had: %s", device.label, error.strerror)
